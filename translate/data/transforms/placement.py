"""Where to crop so that the object shows: squares whose share of object lies between limits.

Horses fill 19 % of their pictures and zebras 31 %; a discriminator that sees more stripe in one domain than in the
other asks for stripes where no horse is. Crops at a scale of its own for each domain, with like shares of object, take
that cue away.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

import numpy as np

from translate.data.masks import Mask, object_pixels, object_share
from translate.data.settings import DataConfig
from translate.errors import UserError

TRIES = 10
"""Squares that are tried for a crop; where none has a share between the limits, the nearest is taken."""
MARGIN = 0.25
"""The pixel that a square is placed around lies between this share of its side and the same share from its end."""
SIDES = (0.6, 1.5)
"""Default limits of the squares' sides, as multiples of crop_size."""

Square = tuple[int, int, int]
"""Top, left and side, in pixels."""


def crop_sides(config: DataConfig, domain: str) -> tuple[int, int]:
    """Least and greatest side of the squares in images of a domain, "A" or "B" as they lie on disk."""
    given = config.object_crop.scale_A if domain == "A" else config.object_crop.scale_B
    return given or (round(SIDES[0] * config.crop_size), round(SIDES[1] * config.crop_size))


def pair_sides(config: DataConfig) -> tuple[int, int]:
    """The same for pairs, whose images share one square. Raises UserError where the domains' scales differ."""
    given = {scale for scale in (config.object_crop.scale_A, config.object_crop.scale_B) if scale}
    if len(given) > 1:
        raise UserError(
            "The two of a pair are cropped alike, but data.object_crop.scale_A and scale_B differ; give one of them."
        )
    return given.pop() if given else crop_sides(config, "A")


def place_crop(mask: Mask, share: tuple[float, float], sides: tuple[int, int], draw: random.Random) -> Square | None:
    """A square that shows the object, or None where the mask is empty.

    Each try draws a side, a pixel of the object, and where in the square that pixel comes to lie.

    Args:
        mask: (H, W).
        share: limits of the object's share of the square. Where no try meets them, the nearest one counts.
        sides: limits of the square's side in pixels; no side is longer than the mask's shorter one.
        draw: where the random numbers come from.
    """
    shown = object_pixels(mask)
    pixels = np.flatnonzero(shown)
    if not len(pixels):
        return None
    height, width = mask.shape
    longest = min(height, width)
    best, distance = None, np.inf
    for _ in range(TRIES):
        side = draw.randint(min(sides[0], longest), min(sides[1], longest))
        y, x = divmod(int(pixels[draw.randrange(len(pixels))]), width)
        top = min(max(0, y - round(side * draw.uniform(MARGIN, 1 - MARGIN))), height - side)
        left = min(max(0, x - round(side * draw.uniform(MARGIN, 1 - MARGIN))), width - side)
        found = np.count_nonzero(shown[top : top + side, left : left + side]) / side**2
        beyond = max(share[0] - found, found - share[1], 0.0)
        if beyond < distance:
            best, distance = (top, left, side), beyond
        if not beyond:
            break
    return best


def shares_in_crops(
    masks: Iterable[Mask], share: tuple[float, float], sides: tuple[int, int], seed: int = 0, crops: int = 4
) -> list[float]:
    """The object's share in each of several crops of each mask that is not empty; see `place_crop`."""
    draw, shares = random.Random(seed), []
    for mask in masks:
        for _ in range(crops):
            square = place_crop(mask, share, sides, draw)
            if square is not None:
                top, left, side = square
                shares.append(object_share(mask[top : top + side, left : left + side]))
    return shares
