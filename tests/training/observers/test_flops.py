"""What a step costs, counted without computing it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.conftest import tiny_settings
from translate.config import TrainConfig
from translate.training.learner import Learner
from translate.training.observers.flops import matrix_rate, step_flops
from translate.training.trainer import train_step

SHAPE = torch.Size((1, 3, 32, 32))


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
@pytest.mark.parametrize("settings", [{}, {"merge": False}], ids=str)
def test_the_count_is_that_of_a_real_step(model: str, settings: dict[str, Any]) -> None:
    tree = tiny_settings(model, Path(), Path())
    tree["run"] |= settings
    config = TrainConfig.build(tree)
    step = Learner(config, torch.device("cpu"), torch.float32, torch.contiguous_format)
    with FlopCounterMode(display=False) as counter:
        train_step(step, {"A": torch.zeros(SHAPE), "B": torch.zeros(SHAPE)}, 0)
    assert step_flops(config, SHAPE, SHAPE) == counter.get_total_flops() > 0


def test_the_published_cyclegan_is_counted_in_a_moment_with_no_memory() -> None:
    """1.9 TFLOP: six passes of 99 GFLOP forward, twice that backward, and the discriminators."""
    config = TrainConfig.build({"model": {"name": "cyclegan"}})
    shape = torch.Size((1, 3, 256, 256))
    assert 1.8e12 < step_flops(config, shape, shape) < 2.0e12


def test_the_machine_has_a_rate() -> None:
    assert 1e8 < matrix_rate(torch.device("cpu"), torch.float32) < 1e16
