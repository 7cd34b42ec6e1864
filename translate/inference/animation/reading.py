"""Reading files of several pictures, one picture at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image, TiffImagePlugin

from translate.data.images import UnreadableImage
from translate.errors import UserError
from translate.inference.raster import Raster, read_page

_SHORTEST = 10
"""Milliseconds: what is shown for no longer than this, browsers show for UNTIMED."""
UNTIMED = 100
"""Milliseconds that a picture without a duration of its own is shown, as browsers do."""
_ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
_SUBFILE = 254  # TIFF tag
_NOT_A_PAGE = 0b101  # bits of that tag: a smaller copy of another page, a mask


@dataclass(frozen=True)
class Frame:
    """A picture of several, whole as it is seen, and how long it is shown in milliseconds (0 where nothing is said)."""

    raster: Raster
    duration: float


@dataclass(frozen=True)
class Pictures:
    """An open file of one or several pictures."""

    file: BinaryIO
    image: Image.Image
    name: str
    channels: int
    indices: list[int]
    """Of Pillow's frames, those that are pictures of their own."""

    @property
    def format(self) -> str:
        """Pillow's name of the format."""
        return self.image.format or ""

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return len(self.indices)

    @property
    def plays(self) -> int:
        """How often an animation is played; 0 is without end."""
        if self.format == "GIF":  # it counts repetitions, and says nothing where there is none
            loop = self.image.info.get("loop")
            return 1 if loop is None else 0 if loop == 0 else int(loop) + 1
        return int(self.image.info.get("loop", 0))

    def frames(self) -> Iterator[Frame]:
        """Decode the pictures in their order. What a frame of an animation leaves of the one before is in it.

        Raises:
            UserError: one of them is damaged; it names the file and the picture.
        """
        for number, index in enumerate(self.indices, 1):
            try:
                self.image.seek(index)
                raster = read_page(self.image, index, self.channels, self.file)
            except UserError:
                raise
            except (OSError, EOFError, SyntaxError, ValueError) as error:
                raise UnreadableImage(self.name, f"picture {number} of {self.count} is damaged ({error})") from error
            yield Frame(raster, float(self.image.info.get("duration", 0) or 0))


@contextmanager
def open_pictures(source: Path | BinaryIO, channels: int) -> Iterator[Pictures]:
    """Open a file of one or several pictures.

    Args:
        source: a path, or an open file that can be sought.
        channels: how many a network reads; a TIFF of so many grey pages is one picture of so many channels.
    Raises:
        UserError: it is no image.
    """
    with ExitStack() as closing:
        if isinstance(source, Path):
            file: BinaryIO = closing.enter_context(source.open("rb"))
            name = str(source)
        else:
            file, name = source, str(getattr(source, "name", "the image"))
        try:
            image = Image.open(file)
        except Exception as error:  # Pillow's parsers raise whatever a broken header leads them to
            raise UnreadableImage(name, "it is not an image in a known format, whatever its name says") from error
        image.filename = name  # so that errors name it
        yield Pictures(file, image, name, channels, _indices(image, channels))


def count_pictures(source: Path | BinaryIO, channels: int) -> tuple[int, str]:
    """How many pictures there are in a file, and Pillow's name of its format; (1, "") where Pillow cannot tell."""
    position = None if isinstance(source, Path) else source.tell()
    try:
        with open_pictures(source, channels) as pictures:
            return pictures.count, pictures.format
    except Exception:  # what is wrong with it is said where it is decoded
        return 1, ""
    finally:
        if not isinstance(source, Path) and position is not None:
            source.seek(position)


def shown_for(duration: float) -> float:
    """Milliseconds that a frame is shown in a film: its duration, or UNTIMED where it is too short to be meant."""
    return duration if duration > _SHORTEST else UNTIMED


def _indices(image: Image.Image, channels: int) -> list[int]:
    """Which of Pillow's frames are pictures of their own; views and thumbnails of other formats (MPO) are not."""
    count = getattr(image, "n_frames", 1)
    if count == 1:
        return [0]
    if image.format in _ANIMATED:
        first = 1 if image.info.get("default_image") else 0  # of an APNG, for viewers that know no animations
        return list(range(first, count))
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return [0]
    if image.mode in ("L", "I;16", "I;16B", "I;16L", "I;16N") and count == channels:
        return [0]
    pages = []
    for index in range(count):
        image.seek(index)
        if not int(image.tag_v2.get(_SUBFILE, 0)) & _NOT_A_PAGE:
            pages.append(index)
    image.seek(0)
    return pages or [0]
