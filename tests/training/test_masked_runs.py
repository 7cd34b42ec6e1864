"""Runs with masks, views and a projected discriminator: they train where masks are missing, and resume exactly."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

import tests.tiny_features  # noqa: F401 - registers `tiny`
from tests.conftest import REPOSITORY, hash_of, picture, tiny_settings
from translate.checkpoints.folder import read_config
from translate.checkpoints.format import load_generator
from translate.config import TrainConfig
from translate.tracking.history import read_history
from translate.training import trainer
from translate.training.learner import Learner
from translate.training.trainer import train

TIMES = ("seconds", "per_second", "tflops", "utilisation", "memory_gb")


@pytest.fixture
def masked(unpaired: Path) -> Path:
    """The unpaired images, with masks of ellipses beside all of them but one of A and one of B."""
    for folder, count in (("trainA", 6), ("trainB", 5)):
        (unpaired / f"{folder}_mask").mkdir()
        for index in range(1, count):  # the first has none
            y, x = np.mgrid[:40, :40]
            inside = (y - 20) ** 2 + 2 * (x - 14 - index) ** 2 < 120
            Image.fromarray(255 * inside.astype(np.uint8)).save(unpaired / f"{folder}_mask" / f"{index}.png")
    return unpaired


def settings(root: Path, run: Path, name: str = "cyclegan", **overrides: Any) -> dict[str, Any]:
    """Views of every kind, a pool that exchanges from the third step on, and all terms that masks give."""
    tree = tiny_settings(name, root, run, **overrides)
    patch = {"width": 4, "layers": 1}
    tree["model"] = {
        "name": name,
        "generator": {"width": 4, **({"size": 32} if name == "pix2pix" else {"blocks": 1})},
        "lambda_outside": 2.0,
        "diff_augment": ["color", "translation", "cutout"],
        "discriminators": [
            patch | {"sees": "composite"},
            patch | {"sees": "object", "weight": 0.5},
            {"kind": "projected", "features": "tiny", "strides": [2, 4], "width": 4, "sees": "composite"},
        ],
    }
    if name == "cyclegan":
        tree["model"] |= {"cycle_inside": 0.5, "pool_size": 2}
    tree["data"]["augment"] = [{"Rotate": {"limit": 5}}]
    return tree


def losses(run: Path) -> list[dict[str, float]]:
    """Every loss of every step."""
    return [
        {name: value for name, value in row.items() if not any(word in name for word in TIMES)}
        for row in read_history(run / "history.jsonl")
    ]


def test_images_without_masks_train_beside_those_with(masked: Path, tmp_path: Path) -> None:
    rows = losses(train(TrainConfig.build(settings(masked, tmp_path / "run", run__steps=12))))
    assert len(rows) == 12
    assert all(np.isfinite(row["G_total"]) for row in rows)
    # An image without a mask may change everywhere: there is no outside of it.
    outside = [row["outside_A"] for row in rows]
    assert min(outside) == 0.0
    assert max(outside) > 0.0


@pytest.mark.parametrize("name", ["cyclegan", "cut"])
def test_a_masked_run_that_dies_goes_on_bit_for_bit(
    name: str, masked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(TrainConfig.build(settings(masked, tmp_path / "whole", name, run__steps=9)))

    class Died(Exception):
        pass

    original = trainer.train_step

    def die(learner: Learner, batch: Any, step: int, lr_factor: float = 1.0) -> Any:
        if step == 5:  # the last state is that of step 3
            raise Died
        return original(learner, batch, step, lr_factor)

    parts = TrainConfig.build(settings(masked, tmp_path / "parts", name, run__steps=9))
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "train_step", die)
        with pytest.raises(Died):
            train(parts)
    train(parts, resume=True)
    assert losses(tmp_path / "parts") == losses(whole)
    checkpoints = [run / "checkpoints" / "step-00000009" for run in (whole, tmp_path / "parts")]
    first, second = (load_generator(checkpoint, "a2b").state_dict() for checkpoint in checkpoints)
    assert all((first[key] == second[key]).all() for key in first)
    assert read_config(checkpoints[0]).provenance.features == ["tiny"]


@pytest.mark.slow
def test_a_masked_run_that_is_killed_goes_on_bit_for_bit(masked: Path, tmp_path: Path) -> None:
    whole = train(TrainConfig.build(settings(masked, tmp_path / "whole", run__steps=20)))
    file = tmp_path / "train.yaml"
    file.write_text(yaml.safe_dump(settings(masked, tmp_path / "killed", run__steps=20)))
    command = [sys.executable, "-m", "translate", "train", str(file)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "TRANSLATE_PLUGINS": "tests.tiny_features"}
    history = tmp_path / "killed" / "history.jsonl"
    process = subprocess.Popen(command, cwd=REPOSITORY, env=environment)
    while process.poll() is None and len(read_history(history)) < 8:
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert len(losses(tmp_path / "killed")) < 20
    subprocess.run([*command, "--resume"], cwd=REPOSITORY, env=environment, check=True)
    assert losses(tmp_path / "killed") == losses(whole)


def test_pairs_train_with_masks(tmp_path: Path) -> None:
    root = tmp_path / "pairs"
    for folder in ("trainA", "trainB", "trainA_mask", "valA", "valB"):
        (root / folder).mkdir(parents=True)
        for index in range(3):
            image = picture(hash_of(folder) + index)
            (image.convert("L") if folder.endswith("mask") else image).save(root / folder / f"{index}.png")
    rows = losses(train(TrainConfig.build(settings(root, tmp_path / "run", "pix2pix", run__steps=3))))
    assert all(np.isfinite(row["outside_A"]) for row in rows)
