"""The domain classifier: it learns what there is to learn, and its files come back as they were."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.evaluation.conftest import tinted
from translate.errors import UserError
from translate.evaluation.classifier import (
    ClassifierConfig,
    DomainClassifier,
    classify,
    load_classifier,
    save_classifier,
)
from translate.evaluation.classifier.training import train_classifier

BRIGHT, DARK = (200, 190, 180), (60, 70, 80)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bright A, dark B; few of A, as few as two."""
    root = tmp_path_factory.mktemp("days")
    for folder, colour, count in (("trainA", BRIGHT, 2), ("trainB", DARK, 9), ("valA", BRIGHT, 4), ("valB", DARK, 3)):
        (root / folder).mkdir()
        for at, image in enumerate(tinted(colour, count, seed=len(folder) + count)):
            Image.fromarray(image).save(root / folder / f"{at}.png")
    return root


def train(root: Path, seed: int = 0) -> tuple[DomainClassifier, ClassifierConfig]:
    return train_classifier(
        root, domains=("day", "night"), width=4, size=32, steps=40, batch_size=4, seed=seed, device="cpu"
    )


@pytest.fixture(scope="module")
def trained(days: Path) -> tuple[DomainClassifier, ClassifierConfig]:
    return train(days)


def test_it_tells_two_domains_apart(trained: tuple[DomainClassifier, ClassifierConfig]) -> None:
    classifier, config = trained
    assert config.accuracy == {"a": 1.0, "b": 1.0}
    assert config.validated_on == {"a": 4, "b": 3}
    assert config.images == {"a": 2, "b": 9}
    assert all(share < 0.5 for share in classify(classifier, config, tinted(BRIGHT, 3, seed=9)))
    assert all(share > 0.5 for share in classify(classifier, config, tinted(DARK, 3, seed=9)))


def test_the_same_seed_gives_the_same_classifier(
    days: Path, trained: tuple[DomainClassifier, ClassifierConfig]
) -> None:
    again, config = train(days)
    other, _ = train(days, seed=1)
    images = tinted((130, 130, 130), 4)
    assert classify(again, config, images) == classify(*trained, images)
    assert classify(other, config, images) != classify(*trained, images)


def test_saved_and_loaded_it_says_the_same(trained: tuple[DomainClassifier, ClassifierConfig], tmp_path: Path) -> None:
    folder = save_classifier(tmp_path / "judge", *trained)
    images = tinted((130, 130, 130), 3)
    for path in (folder, folder / "classifier.safetensors"):
        classifier, config = load_classifier(path)
        assert config == trained[1]
        assert classify(classifier, config, images) == classify(*trained, images)


def test_images_of_any_size_and_depth(trained: tuple[DomainClassifier, ClassifierConfig]) -> None:
    small, wide = tinted(DARK, 1)[0], tinted(DARK, 1, size=90)[0][:50]
    deep = small.astype(np.uint16) * 257
    shares = classify(*trained, [small, wide, deep])
    assert shares[0] == pytest.approx(shares[2], abs=1e-5)
    assert all(share > 0.5 for share in shares)
    with pytest.raises(UserError, match="these images have 4"):
        classify(*trained, [np.zeros((40, 40, 4), np.uint8)])


def test_broken_files_are_named(trained: tuple[DomainClassifier, ClassifierConfig], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no domain classifier"):
        load_classifier(tmp_path)
    folder = save_classifier(tmp_path / "judge", *trained)
    text = (folder / "classifier.json").read_text()
    for change, words in (
        ({"width": 8}, "is broken"),
        ({"format_version": 99}, "newer version"),
        ({"colour": 1}, "colour: no such setting"),
    ):
        (folder / "classifier.json").write_text(json.dumps(json.loads(text) | change))
        with pytest.raises(UserError, match=words):
            load_classifier(folder)
    (folder / "classifier.json").write_text(text)
    (folder / "classifier.safetensors").write_bytes(b"torn")
    with pytest.raises(UserError, match="is broken"):
        load_classifier(folder)
