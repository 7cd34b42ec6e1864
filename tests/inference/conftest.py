"""Checkpoints small enough to make in every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from translate.checkpoints.format import save_checkpoint
from translate.checkpoints.settings import CheckpointConfig
from translate.networks import build_generator, generator_config

MakeCheckpoint = Callable[..., Path]


@pytest.fixture
def make_checkpoint(tmp_path: Path) -> MakeCheckpoint:
    """Writes a checkpoint with random weights and returns its folder."""

    def make(name: str = "tiny", directions: tuple[str, ...] = ("a2b", "b2a"), **settings: Any) -> Path:
        tree = {"width": 4, "blocks": 1, "size": 32} | settings
        torch.manual_seed(0)
        config = CheckpointConfig.model_validate(
            {
                "name": name,
                "domains": {"a": "horse", "b": "zebra"},
                "generators": {direction: generator_config(**tree) for direction in directions},
            }
        )
        networks = {direction: build_generator(config.generators[direction]) for direction in config.generators}
        for network in networks.values():  # large enough weights that the output is far from grey
            for weight in network.parameters():
                torch.nn.init.normal_(weight, 0.0, 0.3)
        return save_checkpoint(tmp_path / name, config, networks)

    return make
