"""translate push: a checkpoint on the Hugging Face Hub."""

from __future__ import annotations

from typing import Annotated

import typer

from translate.commands.terminal import console


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
