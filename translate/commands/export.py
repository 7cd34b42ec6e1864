"""translate export: checkpoints for other programs."""

from __future__ import annotations

import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer

from translate.commands.terminal import console
from translate.errors import UserError


class Format(StrEnum):
    """What a checkpoint can be exported as."""

    onnx = "onnx"
    openvino = "openvino"
    torchscript = "torchscript"
    torch = "torch"
    reference = "reference"


def export(
    checkpoint: Annotated[str, typer.Argument(help="Name or folder of a checkpoint.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the exported files.")],
    format: Annotated[
        Format,
        typer.Option(help="torch: a .pt2 file of torch.export; reference: .pth of pytorch-CycleGAN-and-pix2pix."),
    ] = Format.onnx,
    half: Annotated[bool, typer.Option("--half", help="Weights as float16: half the size.")] = False,
) -> None:
    """Export a checkpoint for other programs; each file is compared with PyTorch when it is written."""
    from translate.checkpoints.reference import export_reference
    from translate.checkpoints.zoo import resolve

    folder = resolve(checkpoint)
    with warnings.catch_warnings(record=True) as notes:
        if format is Format.reference:
            if half:
                raise UserError("The reference implementation reads float32; leave out --half.")
            paths = export_reference(folder, out)
        else:
            from translate.inference.runtimes import export as exporting

            paths = exporting.export_checkpoint(folder, out, cast("exporting.Format", format.value), half=half)
    for note in notes if format is Format.reference else ():
        console.print(f"Note: {note.message}", soft_wrap=True)
    for path in paths:
        console.print(f"Wrote {path}", soft_wrap=True)
