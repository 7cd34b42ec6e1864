"""Image files to pixels.

`open_image` and `to_array` deal in PIL images, for callers who have or want one (the studio, the Translator). Pillow
holds colour with 8 bits a channel and knows no images of five channels, so the loaders use `read_array`, from the file
to the pixels: 16-bit colour keeps its 16 bits, and `.npy` and multi-channel TIFF files are read as they are.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from translate.data import formats
from translate.data.colour import fit_channels, levels_to_srgb, to_srgb
from translate.data.formats import Pixels
from translate.data.listing import NUMPY, is_heif
from translate.errors import UserError

_ORIENTATION = 0x0112  # EXIF tag
_GREY_16 = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
_GREY = _GREY_16 | {"L"}


class UnreadableImage(UserError):
    """An image that cannot be decoded: `source` names the file, `reason` says why."""

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)  # both arguments, so that it survives pickling between processes
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"Cannot read {self.source}: {self.reason}."


# -------------------------------------------------------------------------------------------------------------- reading


def open_image(source: str | Path | BinaryIO | Image.Image) -> Image.Image:
    """Decode an image in the mode it is stored in, with its EXIF orientation applied.

    Colour of 16 bits a channel comes back with 8 (Pillow has no such mode); `read_array` keeps it.

    Args:
        source: a path, an open binary file, or a PIL image.
    Raises:
        UnreadableImage: missing, empty, cut short, too large (`PIL.Image.MAX_IMAGE_PIXELS`), or not an image.
    """
    name = _name(source)
    if isinstance(source, Image.Image):
        return _upright(_load(source, name), name)
    with _binary(source, name) as file:
        return _upright(_load(_identify(file, name), name), name)


def read_array(
    source: str | Path | BinaryIO | Image.Image, channels: int | None, *, alpha: bool = False, srgb: bool = False
) -> Pixels:
    """Read an image as (H, W, channels) pixels: uint8, or uint16 where the source has more than 8 bits a channel.

    Beyond what `to_array` does with a PIL image: 16-bit RGB(A) PNG and TIFF keep their 16 bits; TIFF files with
    `channels` samples a pixel or `channels` grey pages, and `.npy` arrays, are read as they are.

    Args:
        source: a path, an open binary file, or a PIL image.
        channels: how many are wanted; None for as many as the source has.
        alpha: where 1 or 3 channels are wanted and the image has transparency, its alpha is given as one more.
        srgb: colours are converted by the embedded ICC profile (see `colour`). Training leaves them, as the reference
            implementation does.
    Raises:
        UnreadableImage: see `open_image`.
        UserError: the image does not have, and cannot be converted to, this many channels.
    """
    name = _name(source)

    def wanted(transparent: bool) -> int | None:
        return channels + (alpha and transparent and channels in (1, 3)) if channels else None

    def fitted(array: Pixels) -> Pixels:
        return fit_channels(array, wanted(array.shape[2] in (2, 4)), name)

    def pixels_of(image: Image.Image) -> Pixels:
        image = _upright(_load(image, name), name)
        profile = image.info.get("icc_profile") if srgb and image.mode in _GREY_16 else None
        array = to_array(to_srgb(image) if srgb else image, wanted(image.has_transparency_data))
        converted = levels_to_srgb(array.astype(np.uint16), profile) if profile else None
        return array if converted is None else converted

    if isinstance(source, Image.Image):
        return pixels_of(source)
    with _binary(source, name) as file:
        if _is_npy(file, name):
            return fitted(_read_npy(file, name))
        try:
            image = _identify(file, name)
        except UnreadableImage as refusal:
            return fitted(_read_tiff(file, refusal))
        pages = getattr(image, "n_frames", 1) if image.format == "TIFF" and image.mode in _GREY else 1
        if pages > 1 and pages == channels:
            try:
                return formats.read_pages(image)
            except ValueError as error:
                raise UnreadableImage(name, str(error)) from error
            except (OSError, EOFError, SyntaxError) as error:
                raise UnreadableImage(name, "the file is cut short") from error
        if image.mode in ("RGB", "RGBA", "LA") and bits_of(image) == 16:
            colour = formats.read_colour_16(file, orientation_of(image))
            if colour is not None and srgb:
                colour = levels_to_srgb(colour, image.info.get("icc_profile"))
            if colour is not None:
                return fitted(colour)
        return pixels_of(image)


def image_size(path: Path) -> tuple[int, int]:
    """Width and height after EXIF orientation, from the file's header alone where that is possible.

    Raises:
        UnreadableImage: see `open_image`; a file that is merely cut short is not noticed.
    """
    name = str(path)
    with _binary(path, name) as file:
        if _is_npy(file, name):
            height, width = _read_npy(file, name).shape[:2]
            return width, height
        try:
            image = _identify(file, name)
        except UnreadableImage as refusal:
            height, width = _read_tiff(file, refusal).shape[:2]
            return width, height
        width, height = image.size
        return (height, width) if orientation_of(image) >= 5 else (width, height)


def to_array(image: Image.Image, channels: int | None) -> Pixels:
    """Pixels of a PIL image as (H, W, channels): uint8, or uint16 for the modes with more than 8 bits.

    `channels` None is as many as the image has: 1 or 3, and one more where it has transparency.

    One channel is grey (ITU-R BT.601), two are grey and alpha, three are RGB, four are RGBA. Where alpha is not asked
    for, the image is laid over white. CMYK goes through its embedded ICC profile if there is one, otherwise Pillow's
    formula. 16-bit grey keeps its values; mode I is read as 16-bit grey; mode F as levels from 0 to 1, or to 255, or to
    65535, whichever is the first to hold all of the image.

    Raises:
        UserError: more than four channels, or values that fit in none of these ranges.
    """
    name = _name(image)
    if channels is None:
        grey = image.mode in _GREY or image.mode in ("1", "I", "F", "LA", "La")
        channels = (1 if grey else 3) + image.has_transparency_data
    if channels > 4:
        raise UserError(f"{name} has {len(image.getbands())} channels (mode {image.mode}), but {channels} are needed.")
    if image.mode in _GREY_16 or image.mode in ("I", "F"):
        return fit_channels(_grey_16(image, name), channels, name)
    if image.mode == "CMYK":
        image = to_srgb(image)
    if channels in (1, 3) and image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    target = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels]
    try:
        if image.mode not in ("L", "RGB", "RGBA", target):
            image = image.convert("RGBA" if channels in (2, 4) else "RGB")  # YCbCr too reaches grey through RGB
        if image.mode != target:
            image = image.convert(target)
    except ValueError as error:
        raise UnreadableImage(name, f"images of mode {image.mode} are not supported") from error
    array = np.asarray(image)
    return array.reshape(array.shape[0], array.shape[1], channels)


# -------------------------------------------------------------------------------------------------------------- details


def _name(source: object) -> str:
    if isinstance(source, (str, Path)):
        return str(source)
    name = getattr(source, "name", None) or getattr(source, "filename", None)
    return str(name) if isinstance(name, (str, Path)) and str(name) else "the image"


def _binary(source: str | Path | BinaryIO, name: str) -> BinaryIO:
    """The source as a seekable binary file; an open file is copied to memory, so that closing this leaves it open."""
    try:
        file = Path(source).open("rb") if isinstance(source, (str, Path)) else io.BytesIO(source.read())  # noqa: SIM115
    except OSError as error:
        raise UnreadableImage(name, (error.strerror or str(error)).lower()) from error
    if not file.read(1):
        file.close()
        raise UnreadableImage(name, "the file is empty")
    file.seek(0)
    return file


def _identify(file: BinaryIO, name: str) -> Image.Image:
    """Open an image without decoding it, as what its content is, whatever its name says."""
    if is_heif(file.read(12)):
        try:
            enable_heif()
        except ImportError as error:
            raise UnreadableImage(
                name, "it is a HEIC; install what reads it with: pip install 'translate-images[heic]'"
            ) from error
    file.seek(0)
    try:
        return Image.open(file)
    except Image.DecompressionBombError as error:
        raise UnreadableImage(name, "it has more pixels than PIL.Image.MAX_IMAGE_PIXELS allows") from error
    except UnidentifiedImageError as error:
        raise UnreadableImage(name, "it is not an image in a known format, whatever its name says") from error
    except Exception as error:  # Pillow's parsers raise whatever a broken header leads them to
        raise UnreadableImage(name, f"it is damaged ({error})") from error


def enable_heif() -> None:
    """Have Pillow open HEIC images too. Raises ImportError where pillow-heif is not installed."""
    import pillow_heif  # an extra, and a tenth of a second that most folders can do without

    pillow_heif.register_heif_opener()


def _load(image: Image.Image, name: str) -> Image.Image:
    try:
        image.load()
    except Image.DecompressionBombError as error:
        raise UnreadableImage(name, "it has more pixels than PIL.Image.MAX_IMAGE_PIXELS allows") from error
    except MemoryError:
        raise
    except Exception as error:  # decoders raise OSError, SyntaxError, EOFError, struct.error, zlib.error …
        truncated = "truncated" in str(error).lower() or isinstance(error, EOFError)
        raise UnreadableImage(name, "the file is cut short" if truncated else f"it is damaged ({error})") from error
    return image


def orientation_of(image: Image.Image) -> int:
    """EXIF's number of an image's orientation, 1 to 8."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF data must not cost the image
        return 1


def _upright(image: Image.Image, name: str) -> Image.Image:
    if orientation_of(image) != 1:
        image = ImageOps.exif_transpose(image)
    image.filename = name  # type: ignore[attr-defined]  # so that later errors can name it
    return image


def bits_of(image: Image.Image) -> int:
    """Bits a channel in the file, 8 or 16, as Pillow's raw mode (`RGB;16B`) tells before the decoding."""
    tile = getattr(image, "tile", None)
    arguments = tile[0][3] if tile else ""
    raw = arguments if isinstance(arguments, str) else str(arguments[0]) if arguments else ""
    return 16 if ";16" in raw else 8


def _is_npy(file: BinaryIO, name: str) -> bool:
    """Whether a file is a NumPy array by its content, or should be one by its name."""
    head = file.read(len(NUMPY))
    file.seek(0)
    return head == NUMPY or name.lower().endswith(".npy")


def _read_npy(file: BinaryIO, name: str) -> Pixels:
    try:
        return formats.read_npy(file)
    except ValueError as error:
        raise UnreadableImage(name, str(error)) from error


def _read_tiff(file: BinaryIO, refusal: UnreadableImage) -> Pixels:
    """What Pillow refused may be a TIFF of many channels; if not, the refusal stands."""
    file.seek(0)
    if file.read(2) not in (b"II", b"MM"):
        raise refusal
    file.seek(0)
    try:
        return formats.read_samples(file.read())
    except ValueError as error:
        raise UnreadableImage(refusal.source, str(error)) from refusal


def _grey_16(image: Image.Image, name: str) -> npt.NDArray[np.uint16]:
    values = np.asarray(image)
    if image.mode in _GREY_16:
        return values.astype(np.uint16)[:, :, None]
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 65535):  # also NaN
        raise UnreadableImage(name, f"its levels run from {low} to {high}; 0 to 1, to 255 or to 65535 are understood")
    scale = 1.0 if image.mode == "I" or high > 255 else 257.0 if high > 1 else 65535.0
    return np.rint(values.astype(np.float64) * scale).astype(np.uint16)[:, :, None]
