"""Reads a stranger's photo, has a checkpoint translate it, and writes what the page shows and offers to download."""

from __future__ import annotations

import re
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from translate.errors import UserError
from translate.studio.translating import library

if TYPE_CHECKING:
    from translate.checkpoints.zoo import Entry
    from translate.inference.working_size import Size

MAX_MEGAPIXELS = 50
"""Largest photo that the studio takes: what the newest phones make."""


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
    translated_at: int  # pixels of the longer side that the network saw; 0 where it saw the photo as it is
    height: int
    seconds: float


def translate_photo(
    photo: Path,
    name: str,
    entry: Entry,
    direction: str,
    folder: Path,
    size: Size = "auto",
    round_trip: bool = False,
) -> Translation:
    """Translate a photo.

    Args:
        photo: the uploaded file.
        name: what its owner calls it, e.g. photo.jpg; the result is called photo-zebra.png.
        entry: the checkpoint.
        direction: a2b or b2a.
        folder: where the results go; it is made.
        size: what the photo is translated at; the result is as large as the photo (see `inference.working_size`).
        round_trip: translate the result back too, which needs both directions.
    Raises:
        UserError: no image, too large an image, a damaged checkpoint, or a direction it lacks. Calls the photo `name`.
    """
    start = time.perf_counter()
    before = read_photo(photo, name)
    translator = library.translator(entry).at_size(size)
    after = translator(before, direction)
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
        translated_at=translator.translated_at(before.height, before.width),
        height=after.height,
        seconds=seconds,
    )
    for image, path in ((before, made.before), (after, made.after)):
        save_view(image, path)
    if made.back is not None:
        save_view(translator(after, "b2a" if direction == "a2b" else "a2b"), made.back)
    after.save(made.picture, compress_level=1)  # twelve megapixels take half a second so, and four at Pillow's level 6
    return made


def read_photo(photo: Path, name: str) -> Image.Image:
    """Read a photo from a stranger.

    Raises:
        UserError: no image, a damaged one, or one of more than MAX_MEGAPIXELS. Calls the photo `name`.
    """
    from translate.data.images import open_image

    try:
        _check_size(photo, name)
        image = open_image(photo)
    except UserError as error:
        raise UserError(str(error).replace(str(photo), name)) from error
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
    """Write the file to download: a blend of photo and translation, without another run of the network.

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


def result_name(name: str, target: str, suffix: str = ".png") -> str:
    """Return a name for the translated photo: photo.jpg towards zebra is photo-zebra.png."""
    stem, end = (re.sub(r"[^\w.-]+", "-", part).strip("-.") for part in (Path(name).stem, target))
    return f"{(stem or 'picture')[:100]}-{(end or 'translated')[:40]}{suffix}"


def save_view(image: Image.Image, path: Path, longest: int | None = None) -> None:
    """Write what the page shows of an image: a JPEG in colour over white, scaled down where it is longer than asked."""
    view = as_seen(image)
    if longest is not None:
        view.thumbnail((longest, longest), reducing_gap=2.0)
    view.save(path, quality=93, subsampling=0)


def as_seen(image: Image.Image) -> Image.Image:
    """Return any image as RGB over white."""
    from translate.inference.raster import Raster, read_raster, to_picture

    return to_picture(Raster(read_raster(image, 3).colour))


def _blend(before: Image.Image, after: Image.Image, strength: float) -> Image.Image:
    faded = Image.blend(as_seen(before).resize(after.size), after.convert("RGB"), strength)
    if after.mode == "RGBA":
        faded.putalpha(after.getchannel("A"))
    return faded


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
