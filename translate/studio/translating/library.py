"""The checkpoints at hand, by name, ready to translate; and errors as sentences.

PyTorch is imported when checkpoints are first asked for, not when the page is made: that would double the wait for it.
"""

from __future__ import annotations

import logging
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from translate.errors import UserError

if TYPE_CHECKING:
    from translate.checkpoints.settings import CheckpointConfig
    from translate.checkpoints.zoo import Entry
    from translate.inference.translator import Translator
    from translate.settings import Direction

TRANSLATORS_KEPT = 3
"""Checkpoints whose weights stay in memory; the one not used for longest makes room."""

log = logging.getLogger(__name__)
_opening = threading.Lock()


def checkpoints(runs: Path) -> dict[str, Entry]:
    """The checkpoints at hand, built-in, downloaded and own, by name."""
    from translate.checkpoints import zoo

    return {entry.name: entry for entry in zoo.available(runs)}


def checkpoint(name: str, runs: Path) -> Entry:
    """One of `checkpoints`. Only names work, no paths: the asker may be a stranger.

    Raises:
        UserError: there is none of this name.
    """
    found = checkpoints(runs)
    if name not in found:
        there = f"there are {', '.join(found)}" if found else "there are none yet"
        raise UserError(f"There is no checkpoint called {name or '(nothing)'} here; {there}.")
    return found[name]


def fitting_direction(config: CheckpointConfig, wish: str | None) -> Direction:
    """The direction wished for where the checkpoint has it, else its first one."""
    return next((direction for direction in config.generators if direction == wish), next(iter(config.generators)))


def ways(runs: Path) -> list[tuple[str, str]]:
    """Every direction of every checkpoint: words for people (Horse ↔ Zebra: horse → zebra), and a name for `way`."""
    return [
        (f"{entry.config.title or name}: {' → '.join(entry.config.ends(direction))}", f"{direction}/{name}")
        for name, entry in checkpoints(runs).items()
        for direction in entry.config.generators
    ]


def way(name: str | None, runs: Path) -> tuple[Entry, Direction]:
    """The checkpoint and the direction that a name out of `ways` means. Raises UserError as `checkpoint` does."""
    direction, _, checkpoint_name = (name or "").partition("/")
    entry = checkpoint(checkpoint_name, runs)
    return entry, fitting_direction(entry.config, direction)


def translator(entry: Entry) -> Translator:
    """The checkpoint, loaded; a few stay in memory. Each network waits for its turn: see `network`.

    Raises:
        UserError: the files of the checkpoint are damaged.
    """
    with _opening:
        return _translator(entry.folder, (entry.folder / "config.json").stat().st_mtime_ns)


def translate(image: Image.Image, entry: Entry, direction: str) -> Image.Image:
    """Translate an image when it is its turn. Raises UserError as `translator` does."""
    return translator(entry)(image, direction)


def sentence(error: Exception) -> str:
    """What to tell the person at the page. Errors that are not theirs are logged, and told in general words."""
    if isinstance(error, UserError):
        return str(error)
    log.error("a request to the studio failed", exc_info=error)
    if isinstance(error, MemoryError) or "memory" in str(error).lower():
        return "This picture needs more memory than this computer has free; try a smaller one."
    return "Something went wrong here; it is not your fault. Try again, or another picture. The details are in the log."


@lru_cache(maxsize=TRANSLATORS_KEPT)
def _translator(folder: Path, saved: int) -> Translator:
    from translate.studio.translating.network import QueuedTranslator

    del saved  # part of the key: a checkpoint that was saved anew is loaded anew
    return QueuedTranslator(folder)
