"""translate export: checkpoints for other programs."""

from __future__ import annotations

import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from translate.commands.terminal import console


class Format(StrEnum):
    """What a checkpoint can be exported as."""

    reference = "reference"


def export(
    checkpoint: Annotated[str, typer.Argument(help="Name or folder of a checkpoint.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the exported files.")],
    format: Annotated[
        Format, typer.Option(help="reference: .pth files for pytorch-CycleGAN-and-pix2pix.")
    ] = Format.reference,
) -> None:
    """Export a checkpoint for other programs."""
    from translate.checkpoints.reference import export_reference
    from translate.checkpoints.zoo import resolve

    with warnings.catch_warnings(record=True) as notes:
        paths = export_reference(resolve(checkpoint), out)
    for note in notes:
        console.print(f"Note: {note.message}", highlight=False, soft_wrap=True)
    for path in paths:
        console.print(f"Wrote {path}", highlight=False, soft_wrap=True)
