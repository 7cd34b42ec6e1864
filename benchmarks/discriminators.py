"""What does a step of the discriminators cost: a PatchGAN, several scales, and heads on a frozen network?

    python benchmarks/discriminators.py [--size 256] [--rounds 7] [--features lite0]

A step of a discriminator is what it adds to a training step: judging a translation with the gradient to its pixels (the
generator's loss), then judging a real and a translated image with gradients to its weights. All of them take turns in
one process, so that whatever else the machine does hits them alike; what is to be read are the ratios.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from translate.config import TrainConfig
from translate.kernels.optimise import optimise
from translate.models.discriminators import Discriminators, View

PLAIN = "PatchGAN"


def candidates(features: str) -> dict[str, dict[str, Any]]:
    """The discriminators that are compared, by name; the first is what the others are set against."""
    return {
        PLAIN: {"kind": "patch"},
        "PatchGAN, 48 filters": {"kind": "patch", "width": 48},
        "multiscale, 3 scales": {"kind": "multiscale"},
        f"projected, {features}": {"kind": "projected", "features": features},
    }


def make_step(settings: Mapping[str, Any], size: int, device: str = "cpu") -> tuple[Callable[[], None], nn.Module]:
    """A call that does the discriminator's part of a step on one image of a size, and the discriminator."""
    config = TrainConfig.build({"model": {"name": "cyclegan", "discriminators": [dict(settings)]}}).model
    torch.manual_seed(0)
    judges = Discriminators(config, 3, merge=True).to(device)
    for judge in judges:
        optimise(judge, torch.device(device), torch.float32)
    images = (torch.rand(2, 1, 3, size, size, device=device) * 2 - 1).to(device)
    real, made = images[0], images[1].requires_grad_()

    def step() -> None:
        judges.requires_grad_(False)
        judges.generator_loss(View(made)).backward()  # type: ignore[no-untyped-call]
        judges.requires_grad_(True)
        sum(judges.losses(View(real), View(made)), real.new_zeros(())).backward()  # type: ignore[no-untyped-call]

    return step, judges


def measure(steps: Mapping[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Median seconds of each step, taken in turns after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in steps}
    for turn in range(rounds + 1):
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            if turn:
                times[name].append(time.perf_counter() - begun)
    return {name: statistics.median(values) for name, values in times.items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description="Time the discriminators' part of a step.")
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--features", default="lite0")
    chosen = parser.parse_args(arguments)
    made = {name: make_step(one, chosen.size) for name, one in candidates(chosen.features).items()}
    operations, weights = {}, {}
    for name, (step, judge) in made.items():
        with FlopCounterMode(display=False) as counter:
            step()
        operations[name] = counter.get_total_flops() / 2e9
        weights[name] = sum(weight.numel() for weight in judge.parameters()) / 1e6
    seconds = measure({name: step for name, (step, _) in made.items()}, chosen.rounds)
    table = Table("Discriminator", "Trained weights (M)", "GMAC a step", "ms a step", f"of {PLAIN}", box=None)
    for name, value in seconds.items():
        ratio = f"{value / seconds[PLAIN]:.2f}"
        table.add_row(name, f"{weights[name]:.2f}", f"{operations[name]:.1f}", f"{1000 * value:.0f}", ratio)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
