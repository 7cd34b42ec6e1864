"""Translating at the size that a checkpoint works at, and bringing the change back to the full picture.

A generator learned objects of a certain size in pixels. A photograph of twelve megapixels shows them twenty times
larger: the whole picture takes minutes and the result is wrong, because nothing in it looks like what was learned. So
the picture is reduced to the working size, translated there, and the difference that the translation made is enlarged
and added to the full picture, which keeps its own details. Guiding the enlarged change by the full picture (He & Sun
2015, fast guided filter, https://arxiv.org/abs/1505.00996) was tried and lost: stripes have no edges in the picture
that could guide them, and it wiped them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from translate.data.formats import Pixels
from translate.data.transforms.sizes import resize
from translate.errors import UserError

FloatPixels: TypeAlias = npt.NDArray[np.float32]
Size: TypeAlias = Literal["auto", "full"] | int
"""The size that a picture is translated at. `auto`: the checkpoint's working size for pictures that are clearly larger;
`full`: as it is; a number: so many pixels on the longer side."""
TOLERANCE = 1.25
"""A picture that is at most so many times larger than the working size is translated as it is."""
SMALLEST, LARGEST = 32, 16384
BAND = 2**20
"""Pixels of the full picture that are finished at a time, which bounds the memory."""


def parse_size(text: str) -> Size:
    """`auto`, `full` or a number of pixels. Raises UserError for anything else."""
    if text in ("auto", "full"):
        return "auto" if text == "auto" else "full"
    if text.isdigit() and SMALLEST <= int(text) <= LARGEST:
        return int(text)
    raise UserError(f"--size is auto, full, or {SMALLEST} to {LARGEST} pixels of the longer side, not {text}.")


def reduced_shape(height: int, width: int, longest: int) -> tuple[int, int]:
    """Height and width with `longest` pixels on the longer side, each at least 1."""
    scale = longest / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def reduce(image: Pixels, longest: int) -> Pixels:
    """Scale an image (H, W, C) to `longest` pixels on its longer side, by the filter that training uses."""
    height, width = reduced_shape(image.shape[0], image.shape[1], longest)
    return resize(np.ascontiguousarray(image), (width, height))


def add_change(full: Pixels, small: Pixels, translated: Pixels, bits: int) -> Pixels:
    """The full picture with the enlarged change of the reduced one.

    Args:
        full: (H, W, C) uint8 or uint16.
        small: the reduced picture, (h, w, C), of the same type.
        translated: what the generator made of it, (h, w, C) uint16.
        bits: depth of the result, 8 or 16.
    Returns:
        (H, W, C) uint8 or uint16.
    """
    change = _share(translated) - _share(small)
    made = np.empty(full.shape, np.uint8 if bits == 8 else np.uint16)
    for rows, enlarged in _enlarged(change, full.shape[0], full.shape[1]):
        made[rows] = _pixels(_share(full[rows]) + enlarged, bits)
    return made


def enlarge(translated: Pixels, height: int, width: int, bits: int) -> Pixels:
    """A translation (h, w, C) uint16 at full size, for generators that draw anew and keep nothing of the input."""
    made = np.empty((height, width, translated.shape[2]), np.uint8 if bits == 8 else np.uint16)
    for rows, enlarged in _enlarged(_share(translated), height, width):
        made[rows] = _pixels(enlarged, bits)
    return made


def _enlarged(values: FloatPixels, height: int, width: int) -> Iterator[tuple[slice, FloatPixels]]:
    """Enlarge (h, w, C) to height × width by bicubic interpolation: (rows, values) of one band after the other."""
    planes = [Image.fromarray(np.ascontiguousarray(values[:, :, channel])) for channel in range(values.shape[2])]
    scale, band = values.shape[0] / height, max(1, BAND // width)
    for top in range(0, height, band):
        bottom = min(height, top + band)
        box = (0, top * scale, values.shape[1], bottom * scale)  # Pillow looks beyond the box, so bands have no seams
        size = (width, bottom - top)
        parts = [np.asarray(plane.resize(size, Image.Resampling.BICUBIC, box=box)) for plane in planes]
        yield slice(top, bottom), np.stack(parts, axis=2)


def _share(pixels: Pixels) -> FloatPixels:
    """Pixels as a share of the largest value of their type, 0 to 1."""
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


def _pixels(share: FloatPixels, bits: int) -> Pixels:
    scaled: FloatPixels = np.rint(share.clip(0, 1) * (2**bits - 1))
    return scaled.astype(np.uint8) if bits == 8 else scaled.astype(np.uint16)
