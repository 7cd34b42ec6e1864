"""translate models | import: the checkpoints at hand, and those of the reference implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from translate.commands.terminal import console
from translate.errors import UserError


def models(runs: Annotated[Path, typer.Option("--runs", help="Folder of training runs.")] = Path("runs")) -> None:
    """List the checkpoints at hand: built-in, downloaded, and from your own runs."""
    from translate.checkpoints.zoo import available

    entries = available(runs)
    if not entries:
        console.print("There are no checkpoints yet. Train one, or get one: translate pull model horse2zebra")
        return
    table = Table(
        "Name", "Directions", "Size", "Where from", "Data", "Licence of the data", "Limits", box=None, pad_edge=False
    )
    for entry in entries:
        config = entry.config
        directions = "\n".join(" → ".join(config.ends(direction)) for direction in config.generators)
        size = sum(file.stat().st_size for file in entry.folder.glob("*.safetensors")) / 1e6
        about = config.provenance
        table.add_row(
            entry.name, directions, f"{size:.1f} MB", entry.origin, about.dataset, about.license, config.limits
        )
    console.print(table)


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
