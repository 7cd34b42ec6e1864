"""translate settings: every setting of a training with its default and meaning."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from translate.commands.terminal import console

if TYPE_CHECKING:
    from pydantic import BaseModel


def settings(
    model: Annotated[str, typer.Argument(help="Show the settings and defaults of this model.")] = "",
) -> None:
    """List every setting of a training run with its default and meaning."""
    from translate.config import TrainConfig
    from translate.models import DEFAULT_MODEL, model_class, model_names
    from translate.networks import DISCRIMINATORS, GENERATORS

    chosen = model_class(model or DEFAULT_MODEL).Config()
    table = Table("Setting", "Default", "Meaning", box=None, pad_edge=False)
    rows = list(_rows("", TrainConfig(model=chosen)))
    for row in rows:
        table.add_row(*row)
    shown = {row[0] for row in rows}
    for registry, tag, place in ((GENERATORS, "architecture", "generator"), (DISCRIMINATORS, "kind", "discriminator")):
        for name in registry.names():
            for flag, default, meaning in _rows(f"model.{place}.", registry[name].Config()):
                if flag not in shown:
                    table.add_row(flag, default, f"{place}.{tag} {name}: {meaning}")
    console.print(table, markup=False)
    others = " | ".join(name for name in model_names() if name != chosen.name)
    console.print(f"The defaults are those of {chosen.name}. Other models: translate settings {others}", markup=False)


def _rows(prefix: str, values: BaseModel) -> Iterator[tuple[str, str, str]]:
    """(flag, default, meaning) of every setting, those of nested sections included."""
    from pydantic import BaseModel

    for name, info in type(values).model_fields.items():
        value: Any = getattr(values, name)
        if isinstance(value, BaseModel):
            yield from _rows(f"{prefix}{name}.", value)
        elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
            yield from _rows(f"{prefix}{name.removesuffix('s')}.", value[0])  # the spelling for the first of them
        else:
            yield f"--{prefix}{name}", str(value), info.description or ""
