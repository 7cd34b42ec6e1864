"""The worst and the best examples of an evaluation on one sheet."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

from translate.evaluation.measure import Measured
from translate.evaluation.page import to_picture
from translate.evaluation.result import HEADINGS, written

SIDE = 192
GAP = 8
CAPTION = 22
PAPER, INK = (250, 250, 252), (60, 60, 68)


def contact_sheet(measured: Measured, count: int = 6) -> Image.Image:
    """A picture with the `count` best images in its left half and the `count` worst, worst first, in its right one.

    A row shows the source, the translation, and where there are pairs what it should have been, each in a square of
    SIDE pixels; the caption has the image's rank, name and number.
    """
    best, worst = examples(measured, count)
    across = 3 if measured.targets else 2
    half = across * (SIDE + GAP)
    rows = max(len(best), len(worst))
    sheet = Image.new("RGB", (2 * half + 2 * GAP, CAPTION + GAP + rows * (SIDE + CAPTION + GAP)), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    label = name_of(measured.ranked_by)
    for column, (heading, chosen) in enumerate((("Best", best), ("Worst", worst))):
        left = GAP + column * (half + GAP)
        draw.text((left, 6), f"{heading} by {label}: {measured.source} → {measured.target}", INK, font)
        for row, at in enumerate(chosen):
            top = CAPTION + GAP + row * (SIDE + CAPTION + GAP)
            pictures = [measured.sources[at], measured.made[at], *(measured.targets[at : at + 1])]
            for place, pixels in enumerate(pictures):
                drawn = to_picture(pixels)
                drawn.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
                offset = ((SIDE - drawn.width) // 2, (SIDE - drawn.height) // 2)
                sheet.paste(drawn, (left + place * (SIDE + GAP) + offset[0], top + offset[1]))
            draw.text((left, top + SIDE + 3), caption(measured, at), INK, font)
    return sheet


def examples(measured: Measured, count: int) -> tuple[list[int], list[int]]:
    """Numbers of the best images, best first, and of the worst, worst first; none is in both."""
    order = measured.order()
    best = order[: min(count, (len(order) + 1) // 2)]
    return best, order[len(best) :][::-1][:count]


def caption(measured: Measured, at: int) -> str:
    """A picture's name with the number that it is ranked by."""
    return f"{measured.rows[at]['name']}   {number(measured, at)}"


def number(measured: Measured, at: int) -> str:
    """The number that a picture is ranked by, as it is written; empty where pictures could not be ranked."""
    return written(measured.ranked_by, measured.rows[at].get(measured.ranked_by))


def name_of(column: str) -> str:
    """What a column of the table of images is called in words."""
    words = {
        "target_probability": "probability of the target",
        "nearest": "distance to the nearest real image",
        "": "name",
    }
    return words.get(column) or HEADINGS[column][0]
