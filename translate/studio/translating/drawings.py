"""Drawings as checkpoints read them: which ones do, and from the page's sheet to a translation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageColor

from translate.errors import UserError
from translate.studio.translating import data_uris, library, photos

if TYPE_CHECKING:
    from translate.checkpoints.settings import CheckpointConfig, DrawingConfig
    from translate.checkpoints.zoo import Entry

LARGEST_SIDE = 512
"""Pixels of a sheet; networks that read drawings were trained on 256."""
REFUSAL = "The drawing did not arrive whole; draw on, or load the page again."


@dataclass(frozen=True)
class Drawing:
    """A drawing and its translation, on disk."""

    sheet: Path
    picture: Path


def readers(runs: Path) -> dict[str, Entry]:
    """The checkpoints at hand that read drawings, by name."""
    return {
        name: entry
        for name, entry in library.checkpoints(runs).items()
        if entry.config.drawing is not None and "a2b" in entry.config.generators
    }


def sheet_size(config: CheckpointConfig) -> int:
    """Pixels of the sheet's sides: as the checkpoint was trained."""
    return min(config.image_size, LARGEST_SIDE)


def translate_drawing(message: str, entry: Entry, folder: Path) -> Drawing:
    """Translate a drawing.

    Args:
        message: the drawing as the page sends it, `data:image/png;base64,…`.
        entry: a checkpoint out of `readers`.
        folder: where drawing.png and the result go; it is made.
    Raises:
        UserError: the checkpoint reads no drawings, or the message is none.
    """
    if entry.config.drawing is None:
        raise UserError(f"{entry.name} does not read drawings; choose another.")
    drawing = snap(data_uris.decode(message, "png", LARGEST_SIDE, REFUSAL), entry.config.drawing)
    made = library.translate(drawing, entry, "a2b")
    folder.mkdir(parents=True)
    result = Drawing(folder / "drawing.png", folder / photos.result_name("drawing", entry.config.ends("a2b")[1]))
    drawing.save(result.sheet)
    made.save(result.picture, compress_level=1)
    return result


def snap(image: Image.Image, config: DrawingConfig) -> Image.Image:
    """The drawing in the palette's colours alone: each pixel gets the nearest one, as smoothed strokes make others.

    Args:
        image: of any mode and size; what is transparent is background.
        config: the palette.
    """
    sheet = Image.new("RGBA", image.size, config.background)
    pixels = np.asarray(Image.alpha_composite(sheet, image.convert("RGBA")).convert("RGB"), dtype=np.int32)
    hexes = dict.fromkeys([config.background, *config.palette.values()])
    colours = np.array([ImageColor.getrgb(colour) for colour in hexes], dtype=np.int32)
    distances = np.stack([((pixels - colour) ** 2).sum(axis=2) for colour in colours])
    return Image.fromarray(colours[distances.argmin(axis=0)].astype(np.uint8))
