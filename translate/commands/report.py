"""translate report: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from translate.commands.terminal import console


def report(
    run: Annotated[Path, typer.Argument(help="Folder of a training run.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The file; report.html in the run's folder.")] = None,
) -> None:
    """Write a report on a training run: curves, samples, settings and machine, in one HTML file."""
    from translate.runs.report import write_run_report

    file = write_run_report(run, out or run / "report.html")
    console.print(f"Wrote {file}", soft_wrap=True)
