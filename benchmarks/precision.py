"""Does bfloat16 cost quality? The same short pix2pix runs in float32 and bfloat16, and their L1 on validation pairs.

    python benchmarks/precision.py DATA [--steps 300] [--seeds 3] [--width 16] [--size 128] [--direction b2a]

For each seed both runs see the same batches, and both checkpoints are used in float32: what differs is the training.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from translate.checkpoints.format import load_generator
from translate.checkpoints.zoo import resolve
from translate.config import TrainConfig
from translate.data.dataset import TranslationDataset
from translate.training.trainer import train

PRECISIONS = ("float32", "bfloat16")


def validation_l1(config: TrainConfig, run: Path) -> float:
    """Mean absolute difference in [0, 2] between translation and target, over the validation pairs."""
    generator = load_generator(resolve(run), "a2b")
    pairs = TranslationDataset(
        config.data, channels=(3, 3), paired=True, seed=0, training=False, multiple=config.model.generator.multiple
    )
    total = 0.0
    with torch.inference_mode():
        for index in range(len(pairs)):
            pair = pairs[(0, index)]
            total += float((generator(pair["A"][None]) - pair["B"][None]).abs().mean())
    return total / len(pairs)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, measure and print a table; exit code 1 where the mean differs by more than 2 %."""
    parser = argparse.ArgumentParser(description="Compare bfloat16 with float32 by the validation L1 of short runs.")
    parser.add_argument("data", type=Path, help="folder of pairs, e.g. facades")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--width", type=int, default=16, help="filters of the first convolutions")
    parser.add_argument("--size", type=int, default=128, help="pixels of the square images")
    parser.add_argument("--direction", default="b2a")
    given = parser.parse_args(arguments)

    def settings(seed: int, precision: str, run: str) -> dict[str, Any]:
        network = {"width": given.width}
        return {
            "model": {"name": "pix2pix", "generator": network | {"size": given.size}, "discriminator": network},
            "data": {"root": given.data, "direction": given.direction, "crop_size": given.size}
            | {"load_size": given.size * 143 // 128},
            "run": {"dir": run, "steps": given.steps, "seed": seed, "precision": precision, "samples": 0}
            | {"log_every": given.steps, "save_every": given.steps, "sample_every": given.steps, "compile": "off"},
            "optim": {"ema": 0.98},
            "tracking": {"mode": "disabled"},
        }

    found: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(given.seeds):
            for precision in PRECISIONS:
                config = TrainConfig.build(settings(seed, precision, f"{folder}/{precision}-{seed}"))
                found[precision].append(validation_l1(config, train(config)))
    table = Table("seed", *PRECISIONS, "ratio")
    for seed, (full, half) in enumerate(zip(*found.values(), strict=True)):
        table.add_row(str(seed), f"{full:.4f}", f"{half:.4f}", f"{half / full:.4f}")
    means = [statistics.mean(values) for values in found.values()]
    table.add_row("mean", *(f"{mean:.4f}" for mean in means), f"{means[1] / means[0]:.4f}")
    Console(width=120).print(table)
    return int(abs(means[1] / means[0] - 1) > 0.02)


if __name__ == "__main__":
    sys.exit(main())
