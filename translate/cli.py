"""The command line: `translate train | run | inspect | models | datasets | import | export | pull | …`."""

from __future__ import annotations

import logging
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, track
from rich.table import Table

from translate._version import __version__
from translate.errors import UserError

Item = TypeVar("Item")
app = typer.Typer(
    help="Image-to-image translation with pix2pix and CycleGAN.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
pull = typer.Typer(help="Download public data sets and checkpoints.", no_args_is_help=True)
app.add_typer(pull, name="pull")
console = Console()
DOTTED = {"allow_extra_args": True, "ignore_unknown_options": True}

Runs = Annotated[Path, typer.Option("--runs", help="Folder of training runs.")]


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line on `words`, or on the process's own; a user's mistake is a sentence and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app(words)
    except UserError as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(2)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False) -> None:
    """Print the version where it is asked for."""
    if show:
        console.print(__version__, highlight=False)
        raise typer.Exit


# ---------------------------------------------------------------------------------------------------------------- train


@app.command(context_settings=DOTTED)
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
    try:
        run_training(settings, resume=resume)
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


@app.command()
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


@app.command()
def inspect(
    folder: Annotated[Path, typer.Argument(help="A folder of images to train on.")],
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Report on a folder before training: counts, sizes, unreadable files, duplicates, leaks, mismatched pairs."""
    from translate.data.report import inspect_folder, render

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Looking at the images", total=None)
        report = inspect_folder(folder, progress=lambda done, total: bar.update(task, completed=done, total=total))
    if json:
        console.print_json(data=report.as_dict())
    else:
        console.print(render(report))


# ------------------------------------------------------------------------------------------------------------ translate


@app.command()
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


@app.command()
def models(runs: Runs = Path("runs")) -> None:
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


@app.command()
def studio(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    auth: Annotated[str | None, typer.Option(help="NAME:PASSWORD that visitors must give.")] = None,
    share: Annotated[bool, typer.Option("--share", help="Open a public link through Gradio's servers.")] = False,
    runs: Runs = Path("runs"),
) -> None:
    """Open the studio in the browser."""
    from translate.studio import launch

    launch(host=host, port=port, auth=auth, share=share, runs=runs)


class Benchmark(StrEnum):
    """What can be measured beside the reference implementation."""

    training = "training"


@app.command(context_settings=DOTTED)
def bench(context: typer.Context, what: Annotated[Benchmark, typer.Argument(help="What to measure.")]) -> None:
    """Measure beside the reference: translate bench training --reference PATH (a checkout; see benchmarks/)."""
    folder = Path(__file__).parent.parent / "benchmarks"
    if not folder.is_dir():
        raise UserError("The benchmarks are part of the checkout of this project; an installed package has none.")
    raise typer.Exit(subprocess.run([sys.executable, folder / f"{what.value}.py", *context.args]).returncode)


# ---------------------------------------------------------------------------------------------------------- checkpoints


class Format(StrEnum):
    """What a checkpoint can be exported as."""

    reference = "reference"


@app.command("import")
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


@app.command()
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


class Download:
    """A progress bar for one download: call it with the bytes done and in all (none where the server does not say)."""

    def __init__(self, name: str) -> None:
        columns = (TextColumn(name), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=Console(stderr=True))
        self.task = self.bar.add_task(name, total=None)

    def __call__(self, done: int, total: int | None) -> None:
        self.bar.update(self.task, completed=done, total=total)


@app.command()
def datasets() -> None:
    """List the public data sets that have a card and a preset."""
    from translate.catalogue import dataset_cards

    table = Table("Name", "A → B", "Model", "Images", "Licence", box=None, pad_edge=False)
    for card in dataset_cards():
        domains = (card.domain_A, card.domain_B) if card.direction == "a2b" else (card.domain_B, card.domain_A)
        counts = list(card.splits.values())
        images = "?" if None in counts else str(sum(count or 0 for count in counts))
        table.add_row(card.name, " → ".join(domains), card.model, images, card.license)
    console.print(table)


@pull.command("dataset")
def pull_dataset(
    name: Annotated[str, typer.Argument(help="Name of a data set, e.g. facades.")],
    into: Annotated[Path | None, typer.Option(help="Folder for it; datasets/NAME/data where not given.")] = None,
) -> None:
    """Download a public data set."""
    from translate.catalogue import dataset_card, preset
    from translate.catalogue import pull_dataset as download

    shown = Download(name)
    with shown.bar:
        folder = download(name, into=into, progress=shown)
    root = f" --data.root {folder}" if into else ""
    console.print(f"{name} is in {folder}. {dataset_card(name).license_note}", highlight=False)
    console.print(f"Train on it: translate train {preset(name)}{root}", highlight=False, soft_wrap=True)


@pull.command("model")
def pull_model(name: Annotated[str, typer.Argument(help="Name of a published model, e.g. horse2zebra.")]) -> None:
    """Download a published checkpoint of the reference implementation."""
    from translate.catalogue import pull_model as download

    shown = Download(name)
    with shown.bar:
        folder = download(name, progress=shown)
    console.print(f"{name} is in {folder}; use it with: translate run {name} IMAGE -o OUT")
