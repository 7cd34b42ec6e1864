"""translate train: train a model, or go on with a run."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from translate.commands.terminal import console
from translate.errors import TrainingStopped, UserError
from translate.setting_text import Typed


def train(
    context: typer.Context,
    config: Annotated[
        str,
        typer.Argument(help="A model's or data set's name, a YAML file or a run's folder."),
    ],
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's newest state, exactly.")] = False,
    seeds: Annotated[
        int, typer.Option(min=1, help="Repeat the run with this many seeds, in RUN/seed-0 and so on, and compare.")
    ] = 1,
) -> None:
    """Train a model. Any setting can follow: --data.root FOLDER --run.epochs 20 (all: `translate settings`)."""
    from translate.catalogue import data_folder, dataset_names, preset
    from translate.config import RUN_FILE, TrainConfig, run_folder
    from translate.models import model_names
    from translate.training.seeds import train_seeds
    from translate.training.trainer import train as run_training

    overrides = parse_overrides(context.args)
    path = Path(config)
    is_run = (path / RUN_FILE).is_file()
    if config in model_names() and not (resume and is_run):
        settings = TrainConfig.build({"model": {"name": config}}, overrides)
    elif is_run or path.suffix or path.name != config or (path.is_dir() and config not in dataset_names()):
        settings = TrainConfig.load(path, overrides)
        run = run_folder(path)
        if resume and run is not None and not _same_folder(settings.run.dir, run):
            raise UserError(f"--resume goes on with {run}, and --run.dir names another folder; leave out one of them.")
    else:
        settings = TrainConfig.load(preset(config), overrides)
        if settings.data.root == data_folder(config) and not settings.data.root.exists():
            raise UserError(
                f"The data set {config} is not here yet. Get it with: translate pull dataset {config} — "
                "or name the folder it is in: --data.root FOLDER."
            )
    if not _same_folder(settings.run.dir, path):
        settings.run.dir = Path(os.path.expandvars(settings.run.dir))  # $WANDB_RUN_ID in a sweep
    try:
        if seeds == 1:
            run_training(settings, resume=resume, own_process=True)
        else:
            _show_seeds(train_seeds(settings, seeds, resume, own_process=True))
    except TrainingStopped as stopped:
        raise typer.Exit(stopped.code) from stopped


def _show_seeds(path: Path) -> None:
    """Print the table of a summary over seeds."""
    from translate.training.seeds import table

    heads, rows = table(json.loads(path.read_text(encoding="utf-8"))["summary"])
    shown = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
    console.print(f"Summary: {path}", soft_wrap=True)


def _same_folder(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def parse_overrides(words: Sequence[str]) -> dict[str, Any]:
    """`["--data.crop_size", "128", "--data.strict"]` as `{"data.crop_size": "128", "data.strict": "true"}`.

    The values are text, which each setting reads by its own type. Raises UserError for a word that is not a setting.
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
        overrides[name] = Typed(value)
    return overrides
