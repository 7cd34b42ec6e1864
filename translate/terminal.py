"""What everything prints with: consoles and columns that show text as it is.

Names of files, titles of checkpoints and messages come from outside, and `photos [old]`, `a [/b].jpg` or `:horse:` mean
nothing more than their letters. Styles are given as `rich.text.Text`.
"""

from __future__ import annotations

import codecs
import io
import sys

from rich.console import Console
from rich.progress import TextColumn


def plain_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """A console on standard output, or standard error, that takes no text for markup, emoji or something to colour."""
    return Console(stderr=stderr, quiet=quiet, markup=False, emoji=False, highlight=False)


def text_column(template: str) -> TextColumn:
    """A column of a progress bar, such as `{task.description}`, whose text is no markup."""
    return TextColumn(template, markup=False)


_LIKE = {"→": "->", "←": "<-", "↔": "<->", "≈": "~", "−": "-", "×": "x", "◂": "<", "✗": "x", "…": "...", "σ": "s"}
"""What stands for characters of ours that an old encoding such as cp1252 or ASCII has not."""


def accept_all_characters() -> None:
    """Let standard output and standard error take every character, whatever the terminal's encoding.

    A character that the encoding lacks is written as something like it or as «?»: work is never lost because a line on
    it cannot be printed.
    """
    codecs.register_error("translate-like", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="translate-like")


def valid_text(name: str) -> str:
    """A file's name as text that every file can hold: bytes that are not UTF-8 become «�»."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_LIKE.get(letter, "?") for letter in error.object[error.start : error.end]), error.end
