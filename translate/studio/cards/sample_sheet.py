"""Sheets of samples in the page: what a training makes of the same pictures, step after step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from translate.pages.fragments import Markup, fragments

if TYPE_CHECKING:
    from translate.config import TrainConfig
    from translate.runs.listing import Run
from translate.studio.cards.dataset_report import jpeg

SHEET_PIXELS = (1000, 1600)
"""Largest width and height of a sheet of samples in the page."""

GAP = 4
"""Pixels between two pictures of a sheet of samples, as `translate/training/observers/samples.py` leaves them."""

_render = fragments(Path(__file__).with_name("templates") / "runs.html")


def ends(config: TrainConfig) -> tuple[str, str]:
    """What a training reads and what it makes."""
    names = config.data.domain_A, config.data.domain_B
    return names if config.data.direction == "a2b" else names[::-1]


def sheet(run: Run, number: int = -1) -> Markup:
    """A sheet of samples, by default the newest one; what will be there where there is none yet."""
    if not run.sheets:
        every = run.config.run.sample_every
        words = f"The first ones come at step {every:,}." if run.alive else "This training has made none."
        return _render("no_samples", words)
    step, path = run.sheets[number]
    from translate.models import model_class

    model = model_class(run.config.model.name)
    columns, directions = model.sheet_columns, len(model.directions(run.config.model))
    pictures = _sheet(path, path.stat().st_mtime_ns, len(columns), directions)
    first, second = ends(run.config)
    heads = [[first, second, *columns[2:]], [second, first, *columns[2:]]]
    if directions == 1:
        heads = [heads[0]] * 2
    elif len(pictures) == 1:
        heads = [list(columns)]
    return _render("sheet", step, list(zip(pictures, heads, strict=False)))


@lru_cache(maxsize=64)
def _sheet(path: Path, saved: int, columns: int, directions: int) -> list[str]:
    """A sheet as one picture, or as two to be shown beside one another: half of its rows each.

    Where a model learns two directions, their rows take turns, so each half is one direction.
    """
    del saved  # part of the key
    try:
        with Image.open(path) as image:
            sheet = image.convert("RGB")
    except OSError:
        return ["data:,"]
    side = (sheet.width + GAP) // columns  # of a square picture and the gap beside it; all columns are equally wide
    rows, rest = divmod(sheet.height + GAP, side)
    halves = [sheet]
    if not rest and rows > 1 and directions <= 2:
        strips = [sheet.crop((0, row * side, sheet.width, (row + 1) * side)) for row in range(rows)]
        middle = (rows + 1) // 2
        split = (strips[:middle], strips[middle:]) if directions == 1 else (strips[::2], strips[1::2])
        halves = [_stacked(half, side) for half in split]
    for half in halves:
        half.thumbnail(SHEET_PIXELS)
    return [jpeg(half, 88) for half in halves]


def _stacked(strips: Sequence[Image.Image], side: int) -> Image.Image:
    stack = Image.new("RGB", (strips[0].width, side * len(strips) - GAP), "white")
    for row, strip in enumerate(strips):
        stack.paste(strip, (0, row * side))
    return stack
