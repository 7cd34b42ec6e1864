"""What the tabs and the API share: the checkpoints at hand, and a photo translated by one of them. Knows no Gradio.

PyTorch is imported when checkpoints are first asked for, not when the page is made: that would double the wait for it.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, TypeAlias

from PIL import Image

from translate.errors import UserError

if TYPE_CHECKING:
    from translate.checkpoints.settings import CheckpointConfig
    from translate.checkpoints.zoo import Entry
    from translate.inference.translator import Translator
    from translate.settings import Direction

MAX_MEGAPIXELS = 50
"""Largest photo that the studio takes: what the newest phones make."""

TRANSLATORS_KEPT = 3
"""Checkpoints whose weights stay in memory; the one not used for longest makes room."""

Work: TypeAlias = "tuple[Callable[[], Image.Image], Future[Image.Image]]"

log = logging.getLogger(__name__)
_opening = threading.Lock()


@dataclass(frozen=True)
class Translation:
    """A translated photo on disk: views for the page, and the picture itself to keep."""

    photo: Path
    name: str
    before: Path
    after: Path
    back: Path | None  # the round trip's end, where it was asked for
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
    """The checkpoint, loaded; a few stay in memory. Raises UserError where its files are damaged."""
    with _opening:
        return _translator(entry.folder, (entry.folder / "config.json").stat().st_mtime_ns)


def translate(image: Image.Image, entry: Entry, direction: str) -> Image.Image:
    """Translate an image when it is its turn: one network works at a time, for whichever tab."""
    answer: Future[Image.Image] = Future()
    with _opening:  # so that the first two who come make one thread
        network = _network()
    network.put((lambda: translator(entry)(image, direction), answer))
    return answer.result()


def translate_photo(
    photo: Path,
    name: str,
    entry: Entry,
    direction: str,
    folder: Path,
    longest: int | None = None,
    round_trip: bool = False,
) -> Translation:
    """Translate a photo.

    Args:
        photo: the uploaded file.
        name: what its owner calls it, e.g. photo.jpg; the result is called photo-zebra.png.
        entry: the checkpoint.
        direction: a2b or b2a.
        folder: where the results go; it is made.
        longest: pixels that the longer side is scaled down to before; None leaves the photo as it is.
        round_trip: translate the result back too, which needs both directions.
    Raises:
        UserError: no image, too large an image, a damaged checkpoint, or a direction it lacks. Calls the photo `name`.
    """
    start = time.perf_counter()
    before = read_photo(photo, name, longest)
    after = translate(before, entry, direction)
    seconds = time.perf_counter() - start
    folder.mkdir(parents=True)
    made = Translation(
        photo=photo,
        name=name,
        before=folder / "before.jpg",
        after=folder / "after.jpg",
        back=folder / "back.jpg" if round_trip else None,
        picture=folder / result_name(name, entry.config.ends(direction)[1]),
        width=after.width,
        height=after.height,
        seconds=seconds,
    )
    for image, path in ((before, made.before), (after, made.after)):
        save_view(image, path)
    if made.back is not None:
        save_view(translate(after, entry, "b2a" if direction == "a2b" else "a2b"), made.back)
    after.save(made.picture, compress_level=1)  # twelve megapixels take half a second so, and four at Pillow's level 6
    return made


def read_photo(photo: Path, name: str, longest: int | None = None) -> Image.Image:
    """A photo from a stranger, upright and at most `longest` pixels long.

    Raises:
        UserError: no image, a damaged one, or one of more than MAX_MEGAPIXELS. Calls the photo `name`.
    """
    from translate.data.images import open_image
    from translate.inference.raster import read_raster, to_picture

    try:
        _check_size(photo, name)
        image = open_image(photo)
    except UserError as error:
        raise UserError(str(error).replace(str(photo), name)) from error
    if longest is not None and max(image.size) > longest:
        scale = longest / max(image.size)
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = to_picture(read_raster(image, 3)).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    image.filename = name  # type: ignore[attr-defined]  # so that later errors call it that
    return image


def check_picture(path: Path, name: str) -> None:
    """See whether a file is a picture of a size that the studio takes, from its head alone; raises UserError if not."""
    from translate.data.images import image_size

    try:
        _check_size(path, name)
        image_size(path)
    except UserError as error:
        raise UserError(str(error).replace(str(path), name)) from error


def export(made: Translation, strength: float, suffix: str) -> Path:
    """The file to download: a blend of photo and translation, without another run of the network.

    Args:
        made: the translation.
        strength: from 0, the photo as it was, to 1, all of the translation.
        suffix: .png or .jpg; a JPEG shows transparency as white.
    Returns:
        a file of `made.picture`'s name with this suffix.
    Raises:
        UserError: another suffix.
    """
    if suffix not in (".png", ".jpg"):
        raise UserError("Pictures can be downloaded as PNG or as JPEG.")
    strength = min(max(strength, 0.0), 1.0)
    if strength >= 1 and suffix == made.picture.suffix:
        return made.picture
    path = made.picture.parent / f"{round(strength * 100)}" / (made.picture.stem + suffix)
    path.parent.mkdir(exist_ok=True)
    with Image.open(made.picture) as after:
        image = after if strength >= 1 else _blend(read_photo(made.photo, made.name), after, strength)
        if suffix == ".png":
            image.save(path, compress_level=1)
        else:
            as_seen(image).save(path, quality=95, subsampling=0)
    return path


def _blend(before: Image.Image, after: Image.Image, strength: float) -> Image.Image:
    faded = Image.blend(as_seen(before).resize(after.size), after.convert("RGB"), strength)
    if after.mode == "RGBA":
        faded.putalpha(after.getchannel("A"))
    return faded


def result_name(name: str, target: str, suffix: str = ".png") -> str:
    """Name of the translated photo: photo.jpg towards zebra is photo-zebra.png."""
    stem, end = (re.sub(r"[^\w.-]+", "-", part).strip("-.") for part in (Path(name).stem, target))
    return f"{(stem or 'picture')[:100]}-{(end or 'translated')[:40]}{suffix}"


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


@lru_cache(maxsize=1)
def _network() -> SimpleQueue[Work]:
    """What the one thread that networks work in is asked for, in turn: memory holds one picture's features.

    In any of Gradio's forty threads, each would keep a team of OpenMP's, a cache of oneDNN's and a heap of its own. The
    thread is no executor's, which Python would wait for when the studio is closed.
    """
    waiting: SimpleQueue[Work] = SimpleQueue()

    def serve() -> None:
        while True:
            work, answer = waiting.get()
            try:
                answer.set_result(work())
            except BaseException as error:
                answer.set_exception(error)
            del work, answer  # or the last picture would stay until the next one comes

    threading.Thread(target=serve, name="network", daemon=True).start()
    return waiting


@lru_cache(maxsize=TRANSLATORS_KEPT)
def _translator(folder: Path, saved: int) -> Translator:
    from translate.inference.translator import load

    del saved  # part of the key: a checkpoint that was saved anew is loaded anew
    return load(folder)


def save_view(image: Image.Image, path: Path, longest: int | None = None) -> None:
    """Write what the page shows of an image: a JPEG in colour over white, scaled down where it is longer than asked."""
    view = as_seen(image)
    if longest is not None:
        view.thumbnail((longest, longest), reducing_gap=2.0)
    view.save(path, quality=93, subsampling=0)


def as_seen(image: Image.Image) -> Image.Image:
    """Any image as RGB over white."""
    from translate.inference.raster import Raster, read_raster, to_picture

    return to_picture(Raster(read_raster(image, 3).colour))
