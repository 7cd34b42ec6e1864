"""The options of `translate studio` and `python app.py`, once. Free of Gradio, so that the command line stays quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from translate.errors import UserError


def studio(
    # Hosts of Gradio apps say through these two variables where an app has to listen.
    host: Annotated[
        str, typer.Option(envvar="GRADIO_SERVER_NAME", help="Address to listen on; 0.0.0.0 lets others in.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(envvar="GRADIO_SERVER_PORT", min=1, max=65535, help="Port; 7860 or the next free one.")
    ] = None,
    auth: Annotated[
        str | None, typer.Option(envvar="TRANSLATE_AUTH", metavar="NAME:PASSWORD", help="What visitors have to give.")
    ] = None,
    share: Annotated[bool, typer.Option("--share", help="Get a public link, through Gradio's servers.")] = False,
    runs: Annotated[Path, typer.Option(help="Folder of your training runs.")] = Path("runs"),
) -> None:
    """Open the studio: translate pictures in the browser."""
    from translate.studio import launch

    launch(host, port, credentials(auth), share, runs)


def credentials(text: str | None) -> tuple[str, str] | None:
    """`name:password` as a pair; the password may hold colons. Raises UserError where one of the two is missing."""
    if text is None:
        return None
    name, _, password = text.partition(":")
    if not name or not password:
        raise UserError("--auth needs a name and a password with a colon between them, e.g. --auth ada:secret.")
    return name, password
