"""Animations as films: the frames of a GIF, WebP, APNG or AVIF for a writer of films, without FFmpeg's decoders.

FFmpeg does not read every animated WebP, and lays transparent pixels over black; here they are over white, as in
pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from translate.data.formats import Pixels
from translate.errors import UserError
from translate.inference.animation.reading import UNTIMED, Pictures, shown_for
from translate.inference.video.film import BATCH_PIXELS, BT709, Batch, differ
from translate.inference.video.temporal_smoothing import StillParts

if TYPE_CHECKING:
    from av.stream import Stream


class PictureReader:
    """Gives the frames of an animation in batches, as `film.Reader` does those of a film."""

    def __init__(self, pictures: Pictures, still: StillParts | None = None) -> None:
        self.pictures, self.still = pictures, still
        self.name = pictures.name
        self.notes: list[str] = []
        self.others: list[Stream] = []
        self.varies = True
        self.aspect: Fraction | None = None
        self.rate = Fraction(1000, UNTIMED)
        self.unit = Fraction(1, 1000)
        self.width = self.height = self.rotation = self.damaged = 0
        self.colorspace = self.primaries = self.transfer = BT709
        self.end = 0

    @property
    def total(self) -> int | None:
        """How many frames there are."""
        return self.pictures.count

    @property
    def seconds(self) -> float:
        """Length in seconds of what was read so far."""
        return float(self.end * self.unit)

    def batches(self) -> Iterator[Batch]:
        """Decode the animation in batches of one scene each and of as many frames as BATCH_PIXELS allows."""
        batch = Batch(new_scene=True)
        before: Pixels | None = None
        elapsed = 0.0
        for frame in self.pictures.frames():
            pixels, shown = _eight_bits(frame.raster.colour), shown_for(frame.duration)
            if before is None:
                self.height, self.width = pixels.shape[:2]
                self.rate = Fraction(1000, max(round(shown), 1))
            elif pixels.shape != before.shape:
                raise UserError(f"The pictures in {self.name} differ in size, so they are no film; write NAME.tif.")
            cut = before is not None and differ(before, pixels)
            if batch.pixels and (cut or (len(batch.pixels) + 1) * pixels[:, :, 0].size > BATCH_PIXELS):
                yield batch
                batch = Batch()
            batch.new_scene |= cut
            elapsed += shown
            batch.times.append((self.end, round(elapsed) - self.end))
            self.end = round(elapsed)
            before = pixels
            if self.still is not None:
                if cut:
                    self.still.begin_scene()
                pixels = self.still(pixels)
            batch.pixels.append(pixels)
        yield batch


def _eight_bits(pixels: Pixels) -> Pixels:
    """Pixels as films have them: uint8."""
    return pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
