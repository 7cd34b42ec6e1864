"""translate models | import | export: the checkpoints at hand, and those of other programs."""

from __future__ import annotations

import warnings
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.padding import Padding
from rich.text import Text

from translate.commands.terminal import console
from translate.errors import UserError

if TYPE_CHECKING:
    from translate.checkpoints.settings import CheckpointConfig


class Format(StrEnum):
    """What a checkpoint can be exported as."""

    onnx = "onnx"
    openvino = "openvino"
    torchscript = "torchscript"
    torch = "torch"
    reference = "reference"


def models(runs: Annotated[Path, typer.Option("--runs", help="Folder of training runs.")] = Path("runs")) -> None:
    """List the checkpoints at hand: built-in, downloaded, and from your own runs."""
    from translate.checkpoints.zoo import available

    entries = available(runs)
    if not entries:
        console.print("There are no checkpoints yet. Train one, or get one: translate pull model horse2zebra")
        return
    for entry in entries:
        config, about = entry.config, entry.config.provenance
        size = sum(file.stat().st_size for file in entry.folder.glob("*.safetensors")) / 1e6
        console.print(Text.assemble((entry.name, "bold"), f"  {config.title}, {entry.origin}, {size:.1f} MB"))
        for direction in config.generators:
            console.print(Padding(f"{' → '.join(config.ends(direction))}  {measured(config, direction)}", (0, 0, 0, 2)))
        for name, text in (("Data", about.dataset), ("Licence", about.license), ("Limits", config.limits)):
            if text:
                console.print(Padding(f"{name}: {text}", (0, 0, 0, 2)))


def measured(config: CheckpointConfig, direction: str) -> str:
    """The most telling of a direction's metrics, in one line; empty where it was never evaluated."""
    metrics = config.metrics.get(direction, {})
    words = {
        "classified_as_target": "taken for the target {:.0%}",
        "kid_improvement": "KID {:+.0%}",
        "ssim_source": "SSIM to the source {:.2f}",
        "lpips": "LPIPS {:.3f}",
        "ssim": "SSIM {:.2f}",
        "l1": "L1 {:.3f}",
    }
    values = {name: -metrics[name] if name == "kid_improvement" else metrics[name] for name in words if name in metrics}
    return ", ".join(words[name].format(value) for name, value in values.items())


def import_checkpoint(
    files: Annotated[list[Path], typer.Argument(help="Generator files of the reference implementation (.pth).")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the checkpoint.")],
    name: Annotated[str | None, typer.Option(help="Name of the checkpoint; the folder's where not given.")] = None,
    domains: Annotated[str, typer.Option(help="Names of the domains: horse,zebra.")] = "A,B",
) -> None:
    """Import generators of pytorch-CycleGAN-and-pix2pix; the architecture is worked out from the files."""
    from translate.checkpoints.reference import import_reference

    first, comma, second = domains.partition(",")
    if not comma:
        raise UserError(f"--domains {domains}: give two names with a comma between them, such as horse,zebra.")
    console.print(f"Imported to {import_reference(files, out, name=name, domains=(first.strip(), second.strip()))}")


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
