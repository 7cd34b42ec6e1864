"""Images as pixels: reading them from files as networks need them, and writing results to files.

- Orientation (EXIF) is applied. Colours are converted to sRGB by the embedded profile, because that is what networks
  know; the result is sRGB and carries none.
- Alpha is kept. What the network sees is the image over white.
- 16 bits a channel stay 16 in the formats that have them: PNG, TIFF and NPY.
- Nothing else of the file goes over to the result: no EXIF, XMP or comments, so no location either.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from translate.data.formats import Pixels
from translate.data.images import fit_channels, read_array
from translate.errors import UserError

WRITABLE = frozenset({".bmp", ".jpeg", ".jpg", ".npy", ".png", ".tif", ".tiff", ".webp"})
"""Suffixes that results are written with; anything else becomes PNG."""
ON_REQUEST = frozenset({".avif", ".gif", ".j2k", ".jfif", ".jp2", ".jpe", ".jpx", ".ppm", ".qoi", ".tga"})
"""Further suffixes that an output may be given: with 8 bits a channel."""
DEEP = frozenset({".npy", ".png", ".tif", ".tiff"})
"""Suffixes of the formats that can hold 16 bits a channel."""
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


def bits_for(raster: Raster, suffix: str) -> int:
    """Bits a channel of the result: 16 where the source has them and the format of the suffix holds them, else 8."""
    return 16 if raster.colour.dtype == np.uint16 and suffix.lower() in DEEP else 8


def to_picture(raster: Raster) -> Image.Image:
    """Convert an image to a PIL image with 8 bits a channel: L, LA, RGB or RGBA.

    Raises:
        UserError: it has more channels.
    """
    pixels = _deepen(_joined(raster), 8)
    if pixels.shape[2] > 4:
        raise UserError(f"No picture has {pixels.shape[2]} channels; write the result as .npy.")
    return Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels)


def encode(raster: Raster, suffix: str) -> bytes:
    """Encode an image in the format that a suffix out of WRITABLE or ON_REQUEST names.

    JPEG, BMP and PPM show transparency as white.

    Raises:
        UserError: the format cannot hold it.
    """
    suffix, file = suffix.lower(), io.BytesIO()
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


def write_raster(raster: Raster, path: Path) -> None:
    """Write an image in the format that the path's suffix names: whole, or not at all.

    Raises:
        UserError: the format cannot hold it.
        OSError: the file cannot be written.
    """
    data = encode(raster, path.suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.part")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


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
