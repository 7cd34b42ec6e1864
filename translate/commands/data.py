"""translate inspect | mask: look at a folder of images before training, and make masks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from translate.commands.terminal import console
from translate.terminal import plain_console, text_column


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


def mask(
    folder: Annotated[Path, typer.Argument(help="A folder of pictures, such as DATA/trainA.")],
    label: Annotated[
        str, typer.Option(help="What the masks show: horse, or names of ImageNet's classes, with commas between them.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the masks; FOLDER_mask where not given.")
    ] = None,
    features: Annotated[str, typer.Option(help="The classifier that is asked: lite0, lite1.")] = "lite0",
    overwrite: Annotated[bool, typer.Option(help="Make masks anew that are there.")] = False,
) -> None:
    """Make masks that are white where an object is, from its name; training then changes only that."""
    from translate.features import load_features
    from translate.segmentation import mask_images

    network = load_features(features)
    columns = (text_column("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=plain_console(stderr=True), transient=True) as bar:
        task = bar.add_task("Looking at the pictures", total=None)

        def progress(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        result = mask_images(folder, label, network, out=out, overwrite=overwrite, progress=progress)
    before = f"; {result.present:,} were there already" if result.present else ""
    cover = f", which cover {result.coverage:.0%} of a picture on average" if result.made else ""
    made = "1 mask" if result.made == 1 else f"{result.made:,} masks"
    console.print(f"{made} in {result.folder}{cover}{before}.", soft_wrap=True)
    if result.empty:
        shown = ", ".join(result.empty[:5]) + (" …" if len(result.empty) > 5 else "")
        console.print(f"No {label} in {len(result.empty):,}: {shown}", soft_wrap=True)
    for sentence in result.failed:
        console.print(f"No mask: {sentence}", soft_wrap=True)
    if result.failed:
        raise typer.Exit(1)
