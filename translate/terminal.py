"""What everything prints with: consoles and columns that show text as it is.

Names of files, titles of checkpoints and messages come from outside, and `photos [old]`, `a [/b].jpg` or `:horse:` mean
nothing more than their letters. Styles are given as `rich.text.Text`.
"""

from __future__ import annotations

from rich.console import Console
from rich.progress import TextColumn


def plain_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console on standard output, or standard error, that takes no text for markup, emoji or something to colour."""
    return Console(stderr=stderr, quiet=quiet, markup=False, emoji=False, highlight=False)


def text_column(template: str) -> TextColumn:
    """A column of a progress bar, such as `{task.description}`, whose text is no markup."""
    return TextColumn(template, markup=False)
