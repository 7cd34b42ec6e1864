"""Projected discriminators: a toy problem that a PatchGAN of equal cost does not learn, and what their steps cost."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

import tests.tiny_features  # noqa: F401 - registers `tiny`
from tests.conftest import REPOSITORY
from tests.features.conftest import needs_lite
from translate.config import TrainConfig
from translate.models.discriminators import Discriminators, View

SIDE, STEPS, BATCH, HELD_OUT = 64, 45, 8, 64


def build(settings: dict[str, Any]) -> Discriminators:
    tree = {"name": "cyclegan", "objective": "hinge", "discriminators": [settings]}
    torch.manual_seed(0)
    return Discriminators(TrainConfig.build({"model": tree}).model, 3, merge=True)


def shapes(count: int, seed: int, square: bool) -> Tensor:
    """(N, 3, 64, 64): a square or a disc of equal area, anywhere, turned, of any colours before any colours.

    Nothing but the outline tells the two apart: single pixels and small patches look the same in both.
    """
    generator = torch.Generator().manual_seed(seed)

    def colours() -> Tensor:
        spots = torch.rand(1, 3, 5, 5, generator=generator) * 2 - 1
        return F.interpolate(spots, size=(SIDE, SIDE), mode="bicubic", align_corners=False)[0].clamp(-1, 1)

    pictures = []
    for _ in range(count):
        left, top, size, turn = torch.rand(4, generator=generator).tolist()
        x = torch.arange(SIDE)[None] - (20 + 24 * left)
        y = torch.arange(SIDE)[:, None] - (20 + 24 * top)
        cosine, sine = torch.tensor(3.1416 * turn).cos(), torch.tensor(3.1416 * turn).sin()
        across, along = x * cosine + y * sine, y * cosine - x * sine
        radius = 10 + 8 * size
        beyond = (
            torch.maximum(across.abs(), along.abs()) - radius * torch.pi**0.5 / 2
            if square
            else (across**2 + along**2).sqrt() - radius
        )
        inside = (0.5 - beyond).clamp(0, 1)
        pictures.append(colours() * inside + colours() * (1 - inside))
    return torch.stack(pictures)


def million_multiplications(judges: Discriminators) -> float:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        judges[0](torch.zeros(1, 3, SIDE, SIDE))
    return float(counter.get_total_flops()) / 2e6


def told_apart(judges: Discriminators) -> float:
    """Train on squares as real and discs as translated, then: how often a new square is more real than a new disc."""
    optimizer = torch.optim.Adam(judges.parameters(), lr=2e-4, betas=(0.5, 0.999))
    for step in range(STEPS):
        real, fake = shapes(BATCH, 2 * step, square=True), shapes(BATCH, 2 * step + 1, square=False)
        optimizer.zero_grad()
        on_real, on_fake = judges.losses(View(real), View(fake))
        (on_real + on_fake).backward()
        optimizer.step()
    judges.eval()
    scores = []
    with torch.no_grad():
        for square in (True, False):
            judged = judges[0](shapes(HELD_OUT, 1001 + square, square))
            scales = [judged] if isinstance(judged, Tensor) else judged
            scores.append(torch.stack([scale.flatten(1).mean(1) for scale in scales]).sum(0))
    return (scores[0][:, None] > scores[1][None]).double().mean().item()


@pytest.mark.slow
@needs_lite(0)
def test_it_learns_what_a_patchgan_of_equal_cost_does_not() -> None:
    projected = build({"kind": "projected", "features": "lite0"})
    patch = build({"kind": "patch", "width": 28})
    assert million_multiplications(projected) < million_multiplications(patch)
    assert told_apart(projected) > 0.95
    assert told_apart(patch) < 0.75


def test_heads_judge_each_stride() -> None:
    judges = build({"kind": "projected", "features": "tiny", "strides": [2, 4], "width": 4})
    assert [tuple(scale.shape) for scale in judges[0](torch.zeros(2, 3, 32, 24))] == [(2, 1, 16, 12), (2, 1, 8, 6)]
    assert judges[0](torch.zeros(1, 1, 32, 32))[0].shape == (1, 1, 16, 16)  # grey is read as colour


def test_the_cost_of_a_step_is_measured_in_turns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    benchmark = importlib.import_module("discriminators")
    turns: list[str] = []
    steps = {name: (lambda name=name: turns.append(name)) for name in ("one", "other")}
    assert benchmark.measure(steps, rounds=2).keys() == steps.keys()
    assert turns == ["one", "other"] * 3
    small = {
        "PatchGAN": {"kind": "patch", "width": 4, "layers": 1},
        "projected": {"kind": "projected", "features": "tiny", "strides": [2, 4], "width": 4},
    }
    monkeypatch.setattr(benchmark, "candidates", lambda features: small)
    assert benchmark.main(["--size", "32", "--rounds", "1"]) == 0
    shown = capsys.readouterr().out
    assert "1.00" in shown
    assert "projected" in shown
