"""The fast path (merged passes, channels_last, fused Adam) trains what the plain one trains."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.conftest import tiny_settings
from translate.config import TrainConfig
from translate.training.learner import Learner
from translate.training.trainer import train_step

STEPS = 50
LR = 2e-5
"""A tenth of the usual: training amplifies a difference of 1e-16 tenfold every two steps or so at the usual rate."""


def make(model: str, dtype: torch.dtype, fast: bool, nudge: float = 0.0) -> Learner:
    """A training step; `nudge` moves the first weights by that share, to see what rounding alone would do."""
    tree = tiny_settings(model, Path(), Path())
    tree["run"]["merge"] = fast
    tree["optim"] = {"lr": LR}
    tree["model"]["generator"] = tree["model"]["generator"] | {"width": 8}
    layout = torch.channels_last if fast else torch.contiguous_format
    step = Learner(TrainConfig.build(tree), torch.device("cpu"), torch.float32, layout)
    step.model.to(dtype)
    for average in step.ema.generators.values():
        average.to(dtype)
    if not fast:
        for player in step.optimizers.values():
            for optimizer in player.optimizers:
                optimizer.param_groups[0]["fused"] = optimizer.param_groups[0]["foreach"] = False
    with torch.no_grad():
        for weight in step.model.parameters():
            weight.mul_(1 + nudge)
    return step


def batch(seed: int, dtype: torch.dtype) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(2, 3, 4, 4, generator=generator) * 2 - 1
    images = torch.nn.functional.interpolate(small, size=32, mode="bicubic").clamp(-1, 1).to(dtype)
    return {"A": images[:1], "B": images[1:]}


def departure(one: Learner, other: Learner, dtype: torch.dtype) -> float:
    """The largest relative difference of any loss in 50 steps."""
    worst = 0.0
    for number in range(STEPS):
        mine, theirs = (train_step(side, batch(number, dtype), number) for side in (one, other))
        worst = max(worst, *(abs(mine[name].item() / theirs[name].item() - 1) for name in mine))
    return worst


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_in_exact_arithmetic_fifty_steps_are_the_same(model: str) -> None:
    """float64 leaves nothing of the order of summation, so what remained would be a mistake."""
    plain, fast = make(model, torch.float64, fast=False), make(model, torch.float64, fast=True)
    assert departure(fast, plain, torch.float64) < 1e-8


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_in_float32_the_fast_path_departs_no_faster_than_rounding_does(model: str) -> None:
    """Training amplifies the last bit: the plain path departs from itself when its weights are moved by 1e-7."""
    plain, fast = make(model, torch.float32, fast=False), make(model, torch.float32, fast=True)
    by_rounding = departure(make(model, torch.float32, False, 1e-7), make(model, torch.float32, False), torch.float32)
    assert by_rounding < 0.02  # else it would excuse anything
    assert departure(fast, plain, torch.float32) < max(10 * by_rounding, 1e-4)
