"""Sheets of samples in the page: what a training makes of the same pictures, step after step."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from PIL import Image

from translate.config import Pix2PixConfig, TrainConfig
from translate.pages.fragments import Markup, fragments
from translate.studio.cards.dataset_report import jpeg
from translate.training.runs import Run

SHEET_PIXELS = (1000, 1600)
"""Largest width and height of a sheet of samples in the page."""

GAP = 4
"""Pixels between two pictures of a sheet, as `translate.training.samples` leaves them; that module needs PyTorch."""

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
    first, second = ends(run.config)
    paired = isinstance(run.config.model, Pix2PixConfig)
    pictures = _sheet(path, path.stat().st_mtime_ns, paired)
    heads = [[first, f"made: {second}", f"real: {second}"]] * 2
    if not paired:
        heads = [[first, second, "and back"], [second, first, "and back"]]
        heads = heads if len(pictures) == 2 else [["original", "translated", "and back"]]
    return _render("sheet", step, list(zip(pictures, heads, strict=False)))


@lru_cache(maxsize=64)
def _sheet(path: Path, saved: int, paired: bool) -> list[str]:
    """A sheet as one picture, or as two to be shown beside one another: half of its rows each.

    The rows of a CycleGAN's sheet take turns, so each of its halves is one direction.
    """
    del saved  # part of the key
    try:
        with Image.open(path) as image:
            sheet = image.convert("RGB")
    except OSError:
        return ["data:,"]
    side = (sheet.width - 2 * GAP) // 3 + GAP  # of a square picture; the three columns are equally wide
    rows, rest = divmod(sheet.height + GAP, side)
    halves = [sheet]
    if not rest and rows > 1:
        strips = [sheet.crop((0, row * side, sheet.width, (row + 1) * side)) for row in range(rows)]
        middle = (rows + 1) // 2
        split = (strips[:middle], strips[middle:]) if paired else (strips[::2], strips[1::2])
        halves = [_stacked(half, side) for half in split]
    for half in halves:
        half.thumbnail(SHEET_PIXELS)
    return [jpeg(half, 88) for half in halves]


def _stacked(strips: Sequence[Image.Image], side: int) -> Image.Image:
    stack = Image.new("RGB", (strips[0].width, side * len(strips) - GAP), "white")
    for row, strip in enumerate(strips):
        stack.paste(strip, (0, row * side))
    return stack
