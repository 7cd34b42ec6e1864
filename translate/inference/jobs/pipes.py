"""Translation of one image from an open file to bytes: for standard input and output, sockets and memory."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from translate.inference.raster import Raster, bits_for, encode, read_raster
from translate.inference.translator import Translator


def translate_pipe(
    translator: Translator,
    source: Path | BinaryIO,
    suffix: str = ".png",
    direction: str | None = None,
    tile: int | None = None,
) -> bytes:
    """Translate one image.

    Args:
        translator: the checkpoint.
        source: a path, or a file opened for reading bytes, which is read to its end.
        suffix: names the format of the result, out of `raster.WRITABLE`.
        direction: a2b or b2a.
        tile: as the Translator takes it.
    Returns:
        the bytes of the result's file.
    Raises:
        UserError: the source is no image, or the format cannot hold the result.
    """
    raster = read_raster(source, translator.config.generators[translator.direction(direction)].in_channels)
    made = translator.translate_batch(raster.colour[None], direction, bits_for(raster, suffix), tile)[0]
    return encode(Raster(made, raster.alpha), suffix)
