"""translate inspect: a look at a folder before training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from translate.commands.terminal import console
from translate.terminal import plain_console


def inspect(
    folder: Annotated[Path, typer.Argument(help="A folder of images to train on.")],
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Report on a folder before training: counts, sizes, unreadable files, duplicates, leaks, pairs, masks."""
    from translate.data.report import inspect_folder, render

    with Progress(console=plain_console(stderr=True), transient=True) as bar:
        task = bar.add_task("Looking at the images", total=None)
        report = inspect_folder(folder, progress=lambda done, total: bar.update(task, completed=done, total=total))
    if json:
        console.print_json(data=report.as_dict())
    else:
        console.print(render(report))
