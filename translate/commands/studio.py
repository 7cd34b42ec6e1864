"""translate studio: the web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def studio(
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port to listen on.")] = None,
    auth: Annotated[str | None, typer.Option(help="NAME:PASSWORD that visitors must give.")] = None,
    share: Annotated[bool, typer.Option("--share", help="Open a public link through Gradio's servers.")] = False,
    runs: Annotated[Path, typer.Option("--runs", help="Folder of training runs.")] = Path("runs"),
) -> None:
    """Open the studio in the browser."""
    from translate.studio import launch

    launch(host=host, port=port, auth=auth, share=share, runs=runs)
