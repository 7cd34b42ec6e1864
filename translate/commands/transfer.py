"""translate datasets | pull | push: data sets and checkpoints from and to other machines."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from translate.commands.terminal import Download, console

pull = typer.Typer(help="Download public data sets and checkpoints.", no_args_is_help=True)


def datasets() -> None:
    """List the public data sets that have a card and a preset, and where those that were pulled are."""
    from translate.catalogue import data_folder, dataset_cards
    from translate.downloads.home import home

    table = Table("Name", "A → B", "Model", "Images", "Licence", "Here", box=None, pad_edge=False)
    pulled = []
    for card in dataset_cards():
        domains = (card.domain_A, card.domain_B) if card.direction == "a2b" else (card.domain_B, card.domain_A)
        counts = list(card.splits.values())
        images = "?" if None in counts else str(sum(count or 0 for count in counts))
        folder = data_folder(card.name)
        here = folder.is_dir()
        pulled += [f"{card.name} is in {folder}"] if here else []
        table.add_row(card.name, " → ".join(domains), card.model, images, card.license, "yes" if here else "")
    console.print(table)
    for line in [*pulled, f"Downloads are kept in {home()}; the environment variable TRANSLATE_HOME names another."]:
        console.print(line, soft_wrap=True)


@pull.command("dataset")
def pull_dataset(
    name: Annotated[str, typer.Argument(help="Name of a data set, e.g. facades.")],
    into: Annotated[Path | None, typer.Option(help="Folder for it; where downloads are kept, if not given.")] = None,
) -> None:
    """Download a public data set."""
    from translate.catalogue import dataset_card
    from translate.catalogue import pull_dataset as download

    shown = Download(name)
    with shown.bar:
        folder = download(name, into=into, progress=shown)
    root = f" --data.root {shlex.quote(str(folder.absolute()))}" if into else ""
    console.print(f"{name} is in {folder}. {dataset_card(name).license_note}")
    console.print(f"Train on it: translate train {name}{root}", soft_wrap=True)


@pull.command("model")
def pull_model(
    model: Annotated[
        str, typer.Argument(help="A published model, e.g. horse2zebra, or OWNER/NAME[@REVISION] on the Hub.")
    ],
    name: Annotated[str | None, typer.Option(help="What a model of the Hub is called here.")] = None,
) -> None:
    """Download a published checkpoint of the reference implementation, or one from the Hugging Face Hub."""
    if "/" in model:
        from translate.checkpoints.hub import pull_checkpoint

        folder = pull_checkpoint(model, name=name)
    else:
        from translate.catalogue import pull_model as download

        shown = Download(model)
        with shown.bar:
            folder = download(model, progress=shown)
    from translate.checkpoints.zoo import available

    called = next(entry.name for entry in available() if entry.folder == folder)  # a built-in one may have its name
    console.print(f"{model} is in {folder}; use it with: translate run {called} IMAGE -o OUT", soft_wrap=True)


def push(
    checkpoint: Annotated[str, typer.Argument(help="Name or folder of a checkpoint.")],
    repository: Annotated[str, typer.Argument(help="Repository on the Hub: OWNER/NAME.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
) -> None:
    """Put a checkpoint on the Hugging Face Hub, with its model card; log in first with: hf auth login."""
    from translate.checkpoints.hub import push_checkpoint
    from translate.checkpoints.zoo import resolve

    page = push_checkpoint(resolve(checkpoint), repository, private=private)
    console.print(f"{checkpoint} is on {page}", soft_wrap=True)
    console.print(f"Others get it with: translate pull model {repository}", soft_wrap=True)
