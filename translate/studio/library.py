"""What the tabs and the API share: the checkpoints at hand, and a photo translated by one of them. Knows no Gradio.

PyTorch is imported when checkpoints are first asked for, not when the page is made: that would double the wait for it.
"""

from __future__ import annotations

import logging
import re
import time
import warnings
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from translate.errors import UserError

if TYPE_CHECKING:
    from translate.checkpoints.zoo import Entry
    from translate.config import CheckpointConfig, Direction
    from translate.inference.translator import Translator

MAX_MEGAPIXELS = 50
"""Largest photo that the studio takes: what the newest phones make."""

TRANSLATORS_KEPT = 3
"""Checkpoints whose weights stay in memory; the one not used for longest makes room."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Translation:
    """A translated photo on disk: two views for the page, and the picture itself to keep."""

    before: Path
    after: Path
    picture: Path
    width: int
    height: int
    seconds: float


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


def translate_photo(photo: Path, name: str, entry: Entry, direction: str, folder: Path) -> Translation:
    """Translate a photo at its full size.

    Args:
        photo: the uploaded file.
        name: what its owner calls it, e.g. horse.jpg; the result is called horse_zebra.png.
        entry: the checkpoint.
        direction: a2b or b2a.
        folder: where the results go; it is made.
    Raises:
        UserError: no image, too large an image, a damaged checkpoint, or a direction it lacks. Calls the photo `name`.
    """
    start = time.perf_counter()
    try:
        _check_size(photo, name)
        from translate.data.images import open_image

        before = open_image(photo)
        before.filename = name  # type: ignore[attr-defined]  # so that later errors call it that
        after = _translator(entry.folder, (entry.folder / "config.json").stat().st_mtime_ns)(before, direction)
    except UserError as error:
        raise UserError(str(error).replace(str(photo), name)) from error
    seconds = time.perf_counter() - start
    folder.mkdir(parents=True)
    made = Translation(
        before=folder / "before.jpg",
        after=folder / "after.jpg",
        picture=folder / result_name(name, entry.config.ends(direction)[1]),
        width=after.width,
        height=after.height,
        seconds=seconds,
    )
    for image, path in ((before, made.before), (after, made.after)):
        _as_seen(image).save(path, quality=93, subsampling=0)
    after.save(made.picture, compress_level=1)  # twelve megapixels take half a second so, and four at Pillow's level 6
    return made


def result_name(name: str, target: str) -> str:
    """Name of the translated photo: horse.jpg towards zebra is horse_zebra.png."""
    stem, suffix = (re.sub(r"[^\w.-]+", "-", part).strip("-.") for part in (Path(name).stem, target))
    return f"{(stem or 'picture')[:100]}_{(suffix or 'translated')[:40]}.png"


def in_words(seconds: float) -> str:
    """How long something took: «less than a second», «3 seconds», «2 minutes and 5 seconds»."""
    if seconds < 1:
        return "less than a second"
    minutes, rest = divmod(round(seconds), 60)
    counted = ((minutes, "minute"), (rest, "second"))
    parts = [f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in counted if count]
    return " and ".join(parts)


def sentence(error: Exception) -> str:
    """What to tell the person at the page. Errors that are not theirs are logged, and told in general words."""
    if isinstance(error, UserError):
        return str(error)
    log.error("a request to the studio failed", exc_info=error)
    if isinstance(error, MemoryError) or "memory" in str(error).lower():
        return "This picture needs more memory than this computer has free; try a smaller one."
    return "Something went wrong here; it is not your fault. Try again, or another picture. The details are in the log."


def _check_size(photo: Path, name: str) -> None:
    """Refuse images that are too large before anything decodes them; the unreadable are `open_image`'s to refuse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(photo) as image:
                pixels = image.width * image.height
    except Image.DecompressionBombError:
        raise UserError(
            f"{name} has far too many pixels: the studio takes up to {MAX_MEGAPIXELS} megapixels; make it smaller."
        ) from None
    except Exception:  # Pillow's parsers raise whatever a broken header leads them to
        return
    if pixels > MAX_MEGAPIXELS * 1e6:
        raise UserError(
            f"{name} has {pixels / 1e6:.0f} megapixels, and the studio takes up to {MAX_MEGAPIXELS}; make it smaller."
        )


@lru_cache(maxsize=TRANSLATORS_KEPT)
def _translator(folder: Path, saved: int) -> Translator:
    from translate.inference.translator import load

    del saved  # part of the key: a checkpoint that was saved anew is loaded anew
    return load(folder)


def _as_seen(image: Image.Image) -> Image.Image:
    """Any image as RGB over white, for a view of it in the page."""
    from translate.data.images import to_array

    pixels = to_array(image, 3)
    return Image.fromarray(pixels if pixels.dtype == "uint8" else (pixels >> 8).astype("uint8"))
