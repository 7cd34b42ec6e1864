"""translate run: images to images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def run(
    checkpoint: Annotated[str, typer.Argument(help="Name of a checkpoint, or its folder, or a run's folder.")],
    inputs: Annotated[list[Path], typer.Argument(help="Images and folders of images.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="An image file for one image, else a folder.")],
    direction: Annotated[str | None, typer.Option(help="a2b or b2a.")] = None,
    precision: Annotated[str, typer.Option(help="float32, bfloat16, float16 or auto.")] = "auto",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, mps.")] = "auto",
    tile: Annotated[int | None, typer.Option(help="Pixels of a tile; large images are tiled anyway, 0 never.")] = None,
) -> None:
    """Translate images. Tiles save memory and do not change the result."""
    from translate.inference.files import plan, translate_files
    from translate.inference.translator import load

    pairs = plan(inputs, out)
    translator = load(checkpoint, device=device, precision=precision)

    def progress(pairs: Sequence[Item]) -> Iterator[Item]:
        yield from track(pairs, "Translating", console=Console(stderr=True), disable=len(pairs) == 1)

    outcome = translate_files(translator, pairs, direction, tile, progress)
    for path, reason in outcome.failed:
        Console(stderr=True).print(f"Not translated: {path}: {reason}", highlight=False, soft_wrap=True)
    if outcome.failed:
        raise typer.Exit(1)
