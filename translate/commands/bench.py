"""translate bench: speed beside the reference implementation."""

from __future__ import annotations

import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from translate.errors import UserError


class Benchmark(StrEnum):
    """What can be measured beside the reference implementation."""

    training = "training"
    inference = "inference"


def bench(context: typer.Context, what: Annotated[Benchmark, typer.Argument(help="What to measure.")]) -> None:
    """Measure beside a checkout of the reference: translate bench training|inference --reference PATH."""
    folder = Path(__file__).parents[2] / "benchmarks"
    if not folder.is_dir():
        raise UserError("The benchmarks are part of the checkout of this project; an installed package has none.")
    raise typer.Exit(subprocess.run([sys.executable, folder / f"{what.value}.py", *context.args]).returncode)
