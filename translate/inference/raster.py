"""Images as pixels: reading them from files as networks need them, and writing results to files.

- Orientation (EXIF) is applied. Colours are converted to sRGB by the embedded profile, because that is what networks
  know; the result is sRGB and carries none.
- Alpha is kept. What the network sees is the image over white.
- Results are as deep as the images that a checkpoint was trained on, or, where it does not say, as what is translated:
  16 bits a channel in the formats that have them (PNG, TIFF and NPY), floating-point numbers in TIFF and NPY.
- Nothing else of the file goes over to the result: no EXIF, XMP or comments, so no location either.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from PIL import Image, ImageOps

from translate.data.colour import fit_channels, levels_to_srgb
from translate.data.formats import Pixels, read_colour_16
from translate.data.images import bits_of, orientation_of, read_array
from translate.errors import UserError

WRITABLE = frozenset({".apng", ".bmp", ".gif", ".jpeg", ".jpg", ".npy", ".png", ".tif", ".tiff", ".webp"})
"""Suffixes that results are written with; anything else becomes PNG."""
ON_REQUEST = frozenset({".avif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpx", ".ppm", ".qoi", ".tga"})
"""Further suffixes that an output may be given: with 8 bits a channel."""
DEEP = frozenset({".npy", ".png", ".tif", ".tiff"})
"""Suffixes of the formats that can hold 16 bits a channel."""
FLOAT = frozenset({".npy", ".tif", ".tiff"})
"""Suffixes of the formats that can hold floating-point numbers."""
OPAQUE = frozenset({".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".ppm"})
"""Suffixes of the formats that cannot hold transparency."""
_OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 95, "subsampling": 0},  # colours at full resolution
    "WEBP": {"quality": 95},
    "AVIF": {"quality": 90, "subsampling": "4:4:4"},
    "TIFF": {"compression": "tiff_lzw"},
    "PNG": {"compress_level": 1},  # files 5 % larger than at the default level of 6, in half the time
}


@dataclass(frozen=True)
class Raster:
    """An image's pixels: colour (H, W, C) as a network reads or makes it, and alpha (H, W, 1); uint8 or uint16."""

    colour: Pixels
    alpha: Pixels | None = None


@dataclass(frozen=True)
class Depth:
    """How deep results are: 8 or 16 bits a channel, or floating-point numbers in a range."""

    bits: Literal[8, 16, "float"]
    range: tuple[float, float] = (0.0, 1.0)


def read_raster(source: str | Path | BinaryIO | Image.Image, channels: int) -> Raster:
    """Read an image with as many channels of colour as a network wants.

    Args:
        source: a path, an open binary file, or a PIL image.
        channels: 1 is grey, 3 is RGB; images with more are read as they are, and alpha is one of theirs.
    Raises:
        UserError: as `translate.data.images.read_array`; it names the file.
    """
    array = read_array(source, channels, alpha=True, srgb=True)
    if array.shape[2] == channels:
        return Raster(array)
    return Raster(fit_channels(array, channels, str(source)), array[:, :, channels:])


def read_page(image: Image.Image, index: int, channels: int, file: BinaryIO) -> Raster:
    """Read one of several pictures of a file, whole as it is seen.

    Args:
        image: the opened file, sought to the picture.
        index: which picture it is, counted from 0.
        channels: as `read_raster` takes them.
        file: what `image` was opened from.
    Raises:
        UserError: as `read_raster`.
        OSError, SyntaxError, ValueError: the picture is damaged.
    """
    if image.format == "TIFF" and image.mode in ("RGB", "RGBA", "LA") and bits_of(image) == 16:
        profile = image.info.get("icc_profile")
        levels = read_colour_16(file, orientation_of(image), index)
        levels = None if levels is None else levels_to_srgb(levels, profile)
        if levels is not None:
            return _split(levels, channels, str(image.filename))  # type: ignore[attr-defined]
    image.load()
    # A copy, because an animation's next frame is drawn over this one.
    upright = ImageOps.exif_transpose(image)
    upright.filename = image.filename  # type: ignore[attr-defined]
    return read_raster(upright, channels)


def _split(array: Pixels, channels: int, name: str) -> Raster:
    """Colour, and alpha where the pixels have one more channel than the colour they are of."""
    present = array.shape[2]
    wanted = channels + (present in (2, 4) and channels in (1, 3))
    array = fit_channels(array, wanted, name)
    return Raster(fit_channels(array, channels, name), array[:, :, channels:] if wanted > channels else None)


def bits_for(raster: Raster, suffix: str, depth: Depth | None = None) -> int:
    """Bits a channel that a result is computed with, 8 or 16; floating-point numbers are made of 16.

    Args:
        raster: the source.
        suffix: of the result; what its format cannot hold is 8.
        depth: of the results; None: as deep as the source.
    """
    if suffix.lower() not in DEEP:
        return 8
    if depth is not None:
        return 8 if depth.bits == 8 else 16
    return 16 if raster.colour.dtype == np.uint16 else 8


def to_picture(raster: Raster) -> Image.Image:
    """Convert an image to a PIL image with 8 bits a channel: L, LA, RGB or RGBA.

    Raises:
        UserError: it has more channels.
    """
    pixels = _deepen(_joined(raster), 8)
    if pixels.shape[2] > 4:
        raise UserError(f"No picture has {pixels.shape[2]} channels; write the result as .npy.")
    return Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)


def encode(raster: Raster, suffix: str, depth: Depth | None = None) -> bytes:
    """Encode an image in the format that a suffix out of WRITABLE or ON_REQUEST names.

    JPEG, BMP and PPM show transparency as white.

    With a depth of floating-point numbers TIFF and NPY hold the levels of its range, without alpha.

    Raises:
        UserError: the format cannot hold it.
    """
    suffix, file = suffix.lower(), io.BytesIO()
    if depth is not None and depth.bits == "float" and suffix in FLOAT:
        return _floats(raster.colour, suffix, depth)
    if suffix == ".npy":
        np.save(file, _joined(raster))
        return file.getvalue()
    deep = raster.colour.dtype == np.uint16 and suffix in DEEP
    pixels = _joined(raster)
    if deep and pixels.shape[2] in (2, 3, 4):
        import cv2  # Pillow has no 16-bit colour

        pixels = fit_channels(pixels, 4 if pixels.shape[2] == 2 else pixels.shape[2], "the result")
        return cv2.imencode(suffix, pixels[:, :, [2, 1, 0, 3][: pixels.shape[2]]])[1].tobytes()
    image = Image.fromarray(pixels[:, :, 0]) if deep and pixels.shape[2] == 1 else to_picture(raster)
    if suffix in OPAQUE and image.mode in ("LA", "RGBA"):
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA")).convert(image.mode.removesuffix("A"))
    kind = Image.registered_extensions().get(suffix)
    if kind is None:
        raise UserError(f"The Pillow that is installed here cannot write {suffix}; try .png.")
    if kind in ("AVIF", "QOI"):  # they have no grey
        image = image.convert("RGBA" if image.mode in ("LA", "RGBA") else "RGB")
    try:
        image.save(file, kind, **_OPTIONS.get(kind, {}))
    except (OSError, ValueError) as error:  # sides over 16383 (WebP) or 65500 (JPEG) pixels
        raise UserError(f"{kind} cannot hold {image.width}×{image.height} pixels ({error}).") from error
    return file.getvalue()


def write_raster(raster: Raster, path: Path, depth: Depth | None = None) -> None:
    """Write an image in the format that the path's suffix names: whole, or not at all.

    Raises:
        UserError: the format cannot hold it.
        OSError: the file cannot be written.
    """
    data = encode(raster, path.suffix, depth)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def _floats(colour: Pixels, suffix: str, depth: Depth) -> bytes:
    """A file of float32 levels."""
    low, high = depth.range
    levels = colour.astype(np.float32) * np.float32((high - low) / np.iinfo(colour.dtype).max) + np.float32(low)
    file = io.BytesIO()
    if suffix == ".npy":
        np.save(file, levels)
        return file.getvalue()
    if levels.shape[2] == 1:
        Image.fromarray(levels[:, :, 0]).save(file, "TIFF", compression="tiff_lzw")
        return file.getvalue()
    if levels.shape[2] == 3:
        import cv2  # Pillow has no colour of floating-point numbers

        return cv2.imencode(suffix, levels[:, :, ::-1])[1].tobytes()
    raise UserError(f"No TIFF of {levels.shape[2]} channels is written; write the result as .npy.")


def _joined(raster: Raster) -> Pixels:
    """Put colour and alpha into one array, where the colour is grey or RGB."""
    if raster.alpha is None or raster.colour.shape[2] not in (1, 3):
        return raster.colour
    return np.concatenate([raster.colour, _deepen(raster.alpha, raster.colour.dtype.itemsize * 8)], axis=2)


def _deepen(pixels: Pixels, bits: int) -> Pixels:
    """Convert pixels to 8 or 16 bits a channel."""
    if pixels.dtype.itemsize * 8 == bits:
        return pixels
    if bits == 16:
        return pixels.astype(np.uint16) * np.uint16(257)
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
