"""translate bench: speed, memory, accuracy and quality, of most things beside the reference implementation."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from translate.errors import UserError


class Benchmark(StrEnum):
    """What can be measured; training and inference beside the reference implementation."""

    training = "training"
    inference = "inference"
    studio = "studio"
    tiling = "tiling"
    quality = "quality"


def bench(context: typer.Context, what: Annotated[Benchmark, typer.Argument(help="What to measure.")]) -> None:
    """Measure: translate bench studio|tiling|quality; beside the reference training|inference --reference PATH."""
    folder = Path(__file__).parents[2] / "benchmarks"
    if not folder.is_dir():
        raise UserError("The benchmarks are part of the checkout of this project; an installed package has none.")
    raise typer.Exit(subprocess.run([sys.executable, folder / f"{what.value}.py", *context.args]).returncode)
