"""translate settings: every setting of a training with its default and meaning."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from translate.commands.terminal import console


def settings(
    model: Annotated[str, typer.Argument(help="Show the settings and defaults of this model.")] = "",
) -> None:
    """List every setting of a training run with its default and meaning."""
    from translate.config import setting_rows
    from translate.models import DEFAULT_MODEL, model_names

    table = Table("Setting", "Default", "Meaning", box=None, pad_edge=False)
    for row in setting_rows(model):
        table.add_row(f"--{row.name}", row.default, row.meaning)
    console.print(table)
    shown = model or DEFAULT_MODEL
    others = " | ".join(name for name in model_names() if name != shown)
    console.print(f"The defaults are those of {shown}. Other models: translate settings {others}")
