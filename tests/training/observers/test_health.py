"""Each fault is named when a run shows it, once; good runs are left in peace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.conftest import tiny_settings
from translate.config import TrainConfig
from translate.tracking.history import read_history
from translate.training.observers.health import SETTLED, WINDOW, Health
from translate.training.trainer import train

Losses = dict[str, float]


def health(model: str, **settings: Any) -> Health:
    tree = tiny_settings(model, Path(), Path())
    tree["model"] |= settings
    return Health(TrainConfig.build(tree))


def told(watch: Health, losses: Callable[[int], Losses], rows: int = 15 * WINDOW) -> list[str]:
    return [sentence for row in range(rows) for sentence in watch.observe_losses(losses(row))]


def hovering(seed: int, **levels: float) -> Callable[[int], Losses]:
    """Losses as healthy runs have them: around a level, with a spread as large as the level itself."""
    rng = np.random.default_rng(seed)
    return lambda row: {name: level * float(rng.lognormal(0, 0.8)) for name, level in levels.items()}


CYCLEGAN = {"G_A": 0.4, "G_B": 0.4, "cycle_A": 2.2, "cycle_B": 2.4, "D_A": 0.23, "D_B": 0.25, "G_total": 6.8}
PIX2PIX = {"D_real": 0.05, "D_fake": 0.12, "G_GAN": 2.7, "G_L1": 34.0, "G_total": 37.0}


@pytest.mark.parametrize("seed", range(5))
def test_five_good_runs_are_left_in_peace(seed: int) -> None:
    assert told(health("cyclegan"), hovering(seed, **CYCLEGAN)) == []
    assert told(health("pix2pix"), hovering(seed, **PIX2PIX)) == []
    assert told(health("cyclegan", objective="hinge"), hovering(seed, **CYCLEGAN | {"D_A": 0.001, "G_A": 3.0})) == []


def test_a_discriminator_that_has_won_is_named_once() -> None:
    won = CYCLEGAN | {"D_A": 0.0005, "G_A": 1.0}
    sentences = told(health("cyclegan"), lambda row: won)
    assert len(sentences) == 1 and sentences[0].startswith("D_A tells every translation")
    sentences = told(health("pix2pix"), lambda row: PIX2PIX | {"D_real": 1e-3, "D_fake": 1e-3, "G_GAN": 8.0})
    assert len(sentences) == 1 and "the generator has nothing left" in sentences[0]


def test_a_fault_that_comes_back_is_named_again() -> None:
    won = CYCLEGAN | {"D_B": 0.0005, "G_B": 1.0}
    assert len(told(health("cyclegan"), lambda row: won if row // 60 % 2 else CYCLEGAN, rows=240)) == 2


def test_an_exploding_loss_is_named() -> None:
    sentences = told(health("cyclegan"), lambda row: CYCLEGAN | {"cycle_A": 2.0 if row < 100 else 4000.0}, rows=130)
    assert len(sentences) == 1 and sentences[0].startswith("cycle_A is 2000 times")


# ------------------------------------------------------------------------------------------------------------- pictures


def scenes(count: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, 4, 4, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=64, mode="bilinear")


def verdicts(watch: Health, translate: Callable[[Tensor], Tensor], step: int = SETTLED) -> list[str]:
    inputs = scenes()
    pairs = [(image[None], translate(image[None])) for image in inputs]
    return watch.observe_images(step, {"horse → zebra": pairs})


def striped(image: Tensor) -> Tensor:
    """A translation as one would have it: the picture, with something done to it."""
    stripes = torch.zeros_like(image)
    stripes[..., ::16] = stripes[..., 1::16] = 0.8
    return (image + stripes).clamp(-1, 1)


def test_a_translation_that_translates_is_left_in_peace() -> None:
    assert verdicts(health("cyclegan"), striped) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lambda image: image, "gives back its input"),
        (lambda image: -image, "turns light into dark"),
        (lambda image: torch.zeros_like(image) + 0.05 * image.roll(7, -1), "nearly the same picture"),
    ],
    ids=["identity", "inversion", "collapse"],
)
def test_what_is_wrong_with_the_pictures_is_named_once(fault: Callable[[Tensor], Tensor], words: str) -> None:
    watch = health("cyclegan")
    assert verdicts(watch, fault, step=SETTLED - 1) == []  # every generator begins somewhere
    (sentence,) = verdicts(watch, fault)
    assert "horse → zebra" in sentence and words in sentence
    assert verdicts(watch, fault) == []
    assert verdicts(watch, striped) == []
    assert len(verdicts(watch, fault)) == 1


def test_a_paired_target_may_be_like_its_input() -> None:
    assert verdicts(health("pix2pix"), lambda image: image) == []
    assert verdicts(health("pix2pix"), lambda image: -image) == []


def test_a_run_tells_what_it_notices_in_its_history(
    paired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("translate.training.observers.health.SETTLED", 0)
    tree = tiny_settings("cyclegan", paired, tmp_path / "run", run__sample_every=2)
    tree["data"]["layout"] = "side_by_side"
    tree["model"]["generator"] = tree["model"]["generator"] | {
        "architecture": "resnet",
        "residual": True,
        "norm": "none",
    }
    train(TrainConfig.build(tree))  # a generator that begins with its input has changed nothing after a few steps
    warnings = [
        sentence for row in read_history(tmp_path / "run" / "history.jsonl") for sentence in row.get("warnings", [])
    ]
    assert len(warnings) == 2 and all("gives back its input" in sentence for sentence in warnings)
