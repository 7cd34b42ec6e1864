"""translate train, and its settings."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from rich.table import Table

from translate.commands.terminal import console
from translate.errors import UserError


def train(
    context: typer.Context,
    config: Annotated[str, typer.Argument(help="pix2pix, cyclegan, a data set's name, a YAML file or a run's folder.")],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's newest state, exactly.")] = False,
) -> None:
    """Train a model. Any setting can follow: --data.root FOLDER --run.epochs 20 (all: `translate settings`)."""
    from translate.catalogue import preset
    from translate.config import TrainConfig
    from translate.training.signals import Stopped
    from translate.training.trainer import train as run_training

    overrides = parse_overrides(context.args)
    path = Path(config)
    if config in ("pix2pix", "cyclegan"):
        settings = TrainConfig.build({"model": {"name": config}}, overrides)
    elif path.is_dir():
        settings = TrainConfig.load(path / "config.yaml", overrides)
    elif path.suffix:
        settings = TrainConfig.load(path, overrides)
    else:
        settings = TrainConfig.load(preset(config), overrides)
    settings.run.dir = Path(os.path.expandvars(settings.run.dir))  # $WANDB_RUN_ID in a sweep
    try:
        run_training(settings, resume=resume, own_process=True)
    except Stopped as stopped:
        raise typer.Exit(stopped.code) from stopped


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """`["--data.crop_size", "128", "--data.strict"]` as `{"data.crop_size": 128, "data.strict": True}`.

    Raises UserError for a word that is not a setting.
    """
    overrides: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--"):
            raise UserError(f"{word}: settings are given as --section.name value.")
        if not equals:
            is_flag = not rest or rest[0].startswith("--")
            value = "true" if is_flag else rest.pop(0)
        try:
            overrides[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            overrides[name] = value
    return overrides


def settings() -> None:
    """List every setting of a training run with its default and meaning."""
    from pydantic import BaseModel
    from pydantic_core import PydanticUndefined

    from translate.config import CycleGANConfig, Pix2PixConfig, TrainConfig

    table = Table("Setting", "Default", "Meaning", box=None, pad_edge=False)

    def add(prefix: str, section: type[BaseModel], values: BaseModel, only: str = "") -> None:
        for name, info in section.model_fields.items():
            value = getattr(values, name)
            if isinstance(value, BaseModel):
                add(f"{prefix}{name}.", type(value), value)
            elif info.default is not PydanticUndefined or info.default_factory:
                table.add_row(f"--{prefix}{name}", str(value), f"{only}{info.description or ''}")

    defaults = TrainConfig()
    for name, info in TrainConfig.model_fields.items():
        if name == "model":
            table.add_row("--model.name", "cyclegan", "pix2pix or cyclegan; the defaults below are cyclegan's")
            add("model.", CycleGANConfig, CycleGANConfig())
            table.add_row("--model.lambda_L1", str(Pix2PixConfig().lambda_L1), "pix2pix: weight of the L1 distance")
        elif isinstance(getattr(defaults, name), BaseModel):
            add(f"{name}.", type(getattr(defaults, name)), getattr(defaults, name))
        else:
            table.add_row(f"--{name}", str(info.default), info.description or "")
    console.print(table)
