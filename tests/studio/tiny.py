"""Checkpoints that are real in every way but size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.conftest import TINY_GENERATOR, hash_of, picture
from translate.checkpoints.format import save_checkpoint
from translate.checkpoints.settings import CheckpointConfig
from translate.networks import build_generator


def tiny_checkpoint(folder: Path, directions: tuple[str, ...] = ("a2b", "b2a"), **settings: Any) -> Path:
    """A checkpoint with random weights of its own, horse ↔ zebra unless `settings` say otherwise."""
    generators = dict.fromkeys(directions, TINY_GENERATOR)
    tree = {"name": folder.name, "domains": {"a": "horse", "b": "zebra"}, "generators": generators} | settings
    config = CheckpointConfig.model_validate(tree)
    networks = {}
    for number, (direction, architecture) in enumerate(config.generators.items()):
        torch.manual_seed(hash_of(config.name) + number)
        networks[direction] = build_generator(architecture)
    return save_checkpoint(folder, config, networks)


def tiny_run(runs: Path, name: str, **settings: Any) -> Path:
    """A training run with one checkpoint, which has an example and a before/after sample."""
    folder = tiny_checkpoint(runs / name / "checkpoints" / "step-00000001", name=name, **settings)
    (folder / "samples").mkdir()
    for seed, file in enumerate(("example.jpg", "samples/one_before.jpg", "samples/one_after.jpg")):
        picture(seed, (64, 48)).save(folder / file)
    return folder
