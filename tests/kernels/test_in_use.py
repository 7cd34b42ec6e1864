"""Whoever trains or translates computes with the kernels: what runs is watched from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

import translate
from tests.conftest import tiny_settings
from translate.kernels.instance_norm import FastInstanceNorm2d
from translate.kernels.mixed_layout import MixedLayoutConv2d, MixedLayoutConvTranspose2d
from translate.networks.blocks import InstanceNorm2d

Kinds = set[type[nn.Module]]


@pytest.fixture
def used() -> Iterator[Kinds]:
    """The classes of all modules that compute on the CPU (others only find out shapes) from now on."""
    seen: Kinds = set()

    def note(module: nn.Module, inputs: tuple[Any, ...], _: Any) -> None:
        if isinstance(inputs[0], Tensor) and inputs[0].device.type == "cpu":
            seen.add(type(module))

    hook = register_module_forward_hook(note)
    yield seen
    hook.remove()


@pytest.mark.parametrize("model", ["cyclegan", "pix2pix"])
def test_training_and_translating_compute_with_kernels(
    avx2_alone: None, used: Kinds, request: pytest.FixtureRequest, tmp_path: Path, model: str
) -> None:
    """Both players, the averages in samples (pix2pix's with statistics of the image), then the checkpoint."""
    root = request.getfixturevalue("paired" if model == "pix2pix" else "unpaired")
    settings = {"run__steps": 2, "run__sample_every": 1, "run__precision": "float32", "run__compile": "off"}
    run = translate.train(translate.TrainConfig.build(tiny_settings(model, root, tmp_path / "run", **settings)))
    assert {FastInstanceNorm2d, MixedLayoutConv2d, MixedLayoutConvTranspose2d} <= used
    assert not used & {InstanceNorm2d, nn.InstanceNorm2d, nn.Conv2d, nn.ConvTranspose2d}

    used.clear()
    newest = max((run / "checkpoints").glob("step-*"))
    translate.load(newest)(np.zeros((64, 64, 3), np.uint8))
    assert FastInstanceNorm2d in used and InstanceNorm2d not in used
