"""Translation of all pictures of a file into one file: animations keep durations and repetitions, pages stay pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from translate.inference.animation.containers import CONTAINERS
from translate.inference.animation.reading import UNTIMED, Frame, Pictures, open_pictures
from translate.inference.raster import Raster, bits_for
from translate.inference.translator import Translator

BATCH_PIXELS = 2**19
"""Most pixels of the pictures that go through the network together."""


def translate_pictures(
    translator: Translator,
    source: Path | BinaryIO,
    target: BinaryIO,
    suffix: str,
    direction: str | None = None,
    tile: int | None = None,
) -> int:
    """Translate every picture of a file.

    Few pictures are in memory at a time, however many there are.

    Args:
        translator: the checkpoint.
        source: a path, or an open file that can be sought.
        target: an open file that can be written and sought.
        suffix: names the format, out of `containers.CONTAINERS`.
        direction: a2b or b2a.
        tile: as the Translator takes it.
    Returns:
        how many pictures there are.
    Raises:
        UserError: a picture is damaged, or the format cannot hold the result.
    """
    channels = translator.config.generators[translator.direction(direction)].in_channels
    with open_pictures(source, channels) as pictures:
        container = CONTAINERS[suffix.lower()](target, pictures.plays)
        pages = suffix.lower() in (".tif", ".tiff")  # animations have 8 bits
        for batch in _batches(pictures):
            colours = np.stack([frame.raster.colour for frame in batch])
            bits = bits_for(batch[0].raster, suffix if pages else "", translator.depth(direction))
            made = translator.translate_batch(colours, direction, bits, tile)
            for colour, frame in zip(made, batch, strict=True):
                duration = frame.duration if pictures.format != "TIFF" else UNTIMED
                container.add(Frame(Raster(colour, frame.raster.alpha), duration))
        container.close()
        return pictures.count


def write_pictures(
    translator: Translator, source: Path, target: Path, direction: str | None = None, tile: int | None = None
) -> None:
    """Like `translate_pictures`, to a file of this name: whole, or not at all.

    Raises:
        UserError: as there.
        OSError: the file cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.name}.part")
    try:
        with draft.open("w+b") as file:
            translate_pictures(translator, source, file, target.suffix, direction, tile)
        draft.replace(target)
    finally:
        with suppress(OSError):
            draft.unlink()


def _batches(pictures: Pictures) -> Iterator[list[Frame]]:
    """Successive pictures of one size and depth."""
    batch: list[Frame] = []
    for frame in pictures.frames():
        colour = frame.raster.colour
        if batch:
            first = batch[0].raster.colour
            full = (len(batch) + 1) * colour[:, :, 0].size > BATCH_PIXELS
            if full or (first.shape, first.dtype) != (colour.shape, colour.dtype):
                yield batch
                batch = []
        batch.append(frame)
    yield batch
