"""Large images for generators that do not describe their layers: overlapping tiles, blended where they overlap.

Each tile is translated by itself. Where a generator normalises by the image's own statistics, tiles differ in colour
and contrast from the whole image and from each other; blending hides the seams and not the difference.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from translate.data.tensors import to_pixels, to_tensor
from translate.networks.generator import Generator

OVERLAP = 4
"""Neighbouring tiles overlap by about a quarter of their side or more: their side divided by this."""


def translate_blended(
    generator: Generator,
    image: npt.NDArray[Any],
    *,
    tile: int,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    bits: int | None = None,
    out: npt.NDArray[Any] | None = None,
    progress: Callable[[float], None] | None = None,
) -> npt.NDArray[Any]:
    """Translate an image in overlapping tiles; where there is more than one, a warning says what that means.

    Args:
        generator: a network in evaluation mode.
        image: (H, W, C) uint8 or uint16, sides multiples of `generator.multiple`.
        tile: pixels of a tile's side, rounded down to a multiple of `generator.multiple`, and at least that.
        device: where tiles are computed.
        dtype: of the arithmetic (autocast).
        bits: 8 or 16, depth of the result; the input's where it is not given.
        out: array (H, W, C') to write to; a new one where it is not given.
        progress: called with the share that is done, from 0 to 1. An exception from it ends the translation.
    Returns:
        (H, W, C') uint8 or uint16.
    """
    (height, width), unit = image.shape[:2], generator.multiple
    tile = max(tile // unit, 1) * unit
    rows, columns = place_tiles(height, tile, unit), place_tiles(width, tile, unit)
    if len(rows) * len(columns) > 1:
        warnings.warn(
            f"{type(generator).__name__} does not describe its layers, so large images are translated in overlapping "
            "tiles that are blended: parts may differ in colour from a translation of the whole image.",
            stacklevel=3,
        )
    bits = bits or image.dtype.itemsize * 8
    if out is None:
        out = np.empty((height, width, generator.out_channels), f"uint{bits}")
    # Rows of the result that tiles have been added to and that are not complete yet, from the row `top` on.
    band = torch.zeros(generator.out_channels, 0, width)
    for number, (top, row_weights) in enumerate(rows):
        grown = torch.zeros(generator.out_channels, len(row_weights), width)
        grown[:, : band.shape[1]] = band
        for place, (left, column_weights) in enumerate(columns):
            bottom, right = top + len(row_weights), left + len(column_weights)
            batch = to_tensor(image[top:bottom, left:right])[None].to(device, memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                made = generator(batch)[0].float().cpu()
            grown[:, :, left:right] += made * row_weights[:, None] * column_weights
            if progress is not None:
                progress((number * len(columns) + place + 1) / (len(rows) * len(columns)))
        complete = rows[number + 1][0] - top if number + 1 < len(rows) else len(row_weights)
        out[top : top + complete] = to_pixels(grown[:, :complete], bits)
        band = grown[:, complete:]
    return out


def place_tiles(side: int, tile: int, unit: int) -> list[tuple[int, Tensor]]:
    """Spread tiles evenly over one side of an image.

    Args:
        side: pixels, a multiple of `unit`.
        tile: pixels of a tile, a multiple of `unit`.
        unit: tiles begin at its multiples.
    Returns:
        for each tile its first pixel and the weights of its pixels, which rise and fall linearly where tiles overlap.
        The weights of all tiles add up to 1 at every pixel.
    """
    if side <= tile:
        return [(0, torch.ones(side))]
    count = -(-(side - tile) // max(tile - tile // OVERLAP, unit)) + 1
    starts = [place * (side - tile) // (count - 1) // unit * unit for place in range(count)]
    weights = [torch.ones(tile) for _ in starts]
    for place, (before, after) in enumerate(pairwise(starts)):
        shared = before + tile - after
        if shared > 0:
            ramp = (torch.arange(shared) + 0.5) / shared
            weights[place][tile - shared :] *= 1 - ramp
            weights[place + 1][:shared] *= ramp
    total = torch.zeros(side)
    for start, weight in zip(starts, weights, strict=True):
        total[start : start + tile] += weight
    return [(start, weight / total[start : start + tile]) for start, weight in zip(starts, weights, strict=True)]
