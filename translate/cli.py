"""The command line: `translate train | run | inspect | models | datasets | import | export | pull | …`."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer
from rich.text import Text

from translate._version import __version__
from translate.commands.bench import bench
from translate.commands.checkpoints import export, import_checkpoint, models
from translate.commands.data import inspect, mask
from translate.commands.distil import distil
from translate.commands.evaluate import classifier, evaluate
from translate.commands.run import run
from translate.commands.runs import compare, report, runs
from translate.commands.settings import settings
from translate.commands.studio import studio
from translate.commands.terminal import console
from translate.commands.train import train
from translate.commands.transfer import datasets, pull, push
from translate.downloads.archives import describe_os_error
from translate.errors import UserError
from translate.terminal import accept_all_characters, plain_console

DOTTED = {"allow_extra_args": True, "ignore_unknown_options": True}
"""For commands that take any setting of a training run as a flag, or hand their flags on."""

app = typer.Typer(
    help="Image-to-image translation: train on your own pictures, translate, and open the studio.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
)
app.command(context_settings=DOTTED)(train)
app.command(context_settings=DOTTED)(distil)
app.command()(settings)
app.command()(inspect)
app.command()(mask)
app.command()(run)
app.command()(evaluate)
app.command()(classifier)
app.command()(report)
app.command()(runs)
app.command()(compare)
app.command()(models)
app.command()(studio)
app.command("import")(import_checkpoint)
app.command()(export)
app.command()(datasets)
app.add_typer(pull, name="pull")
app.command()(push)
app.command(context_settings=DOTTED)(bench)


def main(words: Sequence[str] | None = None) -> None:
    """Run the command line on `words`, or on the process's own.

    A user's mistake, and what the system refuses (a full disk, a folder that is read-only), is a sentence and exit code
    2. What the terminal's encoding lacks is printed as something like it.
    """
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    accept_all_characters()
    try:
        app(words)
    except UserError as error:
        _fail(str(error))
    except UnicodeError as error:
        if not (isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed"):
            raise
        _fail(
            f"A name is not UTF-8: {error.object[max(0, error.start - 40) : error.end + 40]!a}. Rename that file or "
            "folder, for example with convmv, and try again."
        )
    except OSError as error:
        _fail(describe_os_error(error))


def _fail(sentence: str) -> NoReturn:
    plain_console(stderr=True).print(Text.assemble(("Error:", "bold red"), f" {sentence}"), soft_wrap=True)
    sys.exit(2)


@app.callback(invoke_without_command=True)
def version(show: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False) -> None:
    """Print the version where it is asked for."""
    if show:
        console.print(__version__)
        raise typer.Exit
