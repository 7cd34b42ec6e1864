"""Translation of one image from an open file to bytes: for standard input and output, sockets and memory."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import BinaryIO

from translate.inference.animation.containers import first_of, holds_several
from translate.inference.animation.reading import count_pictures
from translate.inference.animation.translation import translate_pictures
from translate.inference.raster import Raster, bits_for, encode, read_raster
from translate.inference.translator import Translator


def translate_pipe(
    translator: Translator,
    source: Path | BinaryIO,
    suffix: str = ".png",
    direction: str | None = None,
    tile: int | None = None,
) -> bytes:
    """Translate one image, or all pictures of an animation or of a TIFF where the format of the result holds several.

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
    if not isinstance(source, Path):
        source = io.BytesIO(source.read())
    channels = translator.config.generators[translator.direction(direction)].in_channels
    count, kind = count_pictures(source, channels)
    if count > 1 and holds_several(suffix, kind):
        file = io.BytesIO()
        translate_pictures(translator, source, file, suffix, direction, tile)
        return file.getvalue()
    if count > 1:
        name = source if isinstance(source, Path) else Path("standard input")
        logging.getLogger(__name__).warning(first_of(name, count, suffix))
    raster = read_raster(source, channels)
    depth = translator.depth(direction)
    made = translator.translate_batch(raster.colour[None], direction, bits_for(raster, suffix, depth), tile)[0]
    return encode(Raster(made, raster.alpha), suffix, depth)
