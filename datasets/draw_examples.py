"""Draw the example drawings of facades and edges2shoes: our own work, under this project's licence (MIT).

    python datasets/draw_examples.py

The colours come from the `drawing` section of each train.yaml.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import yaml
from PIL import Image, ImageDraw

HERE = Path(__file__).parent
SIZE = 256
Box = tuple[int, int, int, int]  # left, top, right, bottom
Point = tuple[float, float]


def sheet(task: str) -> tuple[Image.Image, dict[str, str]]:
    """An empty sheet for a task, and the names of its colours."""
    drawing = yaml.safe_load((HERE / task / "train.yaml").read_text(encoding="utf-8"))["drawing"]
    return Image.new("RGB", (SIZE, SIZE), drawing["background"]), drawing["palette"]


def save(image: Image.Image, task: str, name: str) -> None:
    folder = HERE / task / "examples"
    folder.mkdir(exist_ok=True)
    image.quantize(16, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        folder / f"{name}.png", optimize=True
    )


# -------------------------------------------------------------------------------------------------------------- façades


def town_house() -> Image.Image:
    """Three floors of windows over a door, under a cornice."""
    image, colours = sheet("facades")
    draw = ImageDraw.Draw(image)

    def put(name: str, *boxes: Box) -> None:
        for box in boxes:
            draw.rectangle(box, fill=colours[name])

    put("façade", (20, 22, 235, 247))
    put("cornice", (14, 22, 241, 34))
    put("molding", (20, 108, 235, 114), (20, 176, 235, 182))
    for top in (48, 124, 190):
        for left in (38, 86, 142, 190):
            if (top, left) != (190, 86):
                put("window", (left, top, left + 27, top + 40))
                put("molding", (left - 3, top - 6, left + 30, top - 2))
                put("sill", (left - 3, top + 41, left + 30, top + 45))
    put("blind", (38, 48, 64, 60), (142, 124, 168, 134))
    put("balcony", (82, 150, 172, 170))
    put("door", (84, 192, 114, 247))
    put("deco", (120, 92, 136, 104))
    return image


def corner_shop() -> Image.Image:
    """A shop with pillars on the ground floor and two floors of high windows above it."""
    image, colours = sheet("facades")
    draw = ImageDraw.Draw(image)

    def put(name: str, *boxes: Box) -> None:
        for box in boxes:
            draw.rectangle(box, fill=colours[name])

    put("façade", (8, 12, 247, 250))
    put("cornice", (2, 12, 253, 24))
    put("molding", (8, 92, 247, 100), (8, 168, 247, 178))
    for left in (26, 82, 138, 194):
        for top in (34, 110):
            put("window", (left, top, left + 34, top + 48))
            put("deco", (left, top - 5, left + 34, top - 2))
            put("balcony", (left - 3, top + 38, left + 37, top + 50))
    put("shop", (20, 188, 108, 246), (148, 188, 236, 246))
    put("door", (114, 188, 142, 250))
    put("pillar", (8, 180, 16, 250), (109, 180, 113, 250), (143, 180, 147, 250), (239, 180, 247, 250))
    return image


# ---------------------------------------------------------------------------------------------------------------- shoes


def curve(points: list[Point], closed: bool = False) -> list[Point]:
    """A smooth line through points: a Catmull-Rom spline (Catmull and Rom 1974)."""
    array = np.array([points[-1], *points, *points[:2]] if closed else [points[0], *points, points[-1]], dtype=float)
    line: list[Point] = []
    for before, start, end, after in zip(array, array[1:], array[2:], array[3:], strict=False):
        for step in np.linspace(0, 1, 24, endpoint=False):
            powers = np.array([1, step, step**2, step**3])
            weights = 0.5 * powers @ np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])
            x, y = weights @ np.stack([before, start, end, after])
            line.append((float(x), float(y)))
    return [*line, points[0] if closed else points[-1]]


def strokes(*lines: list[Point]) -> Image.Image:
    image, colours = sheet("edges2shoes")
    draw = ImageDraw.Draw(image)
    for line in lines:
        draw.line(line, fill=colours["line"], width=1)
    return image


def sneaker() -> Image.Image:
    """A low shoe with laces, its toe to the right."""
    outline = [(22, 176), (18, 140), (24, 98), (40, 88), (62, 104), (88, 96), (112, 84), (134, 92), (160, 122)]
    outline += [(196, 144), (228, 158), (240, 180), (236, 198), (190, 204), (110, 206), (40, 204), (22, 196)]
    laces = [
        curve([(x, y), (x + 10, y - 7), (x + 24, y - 5)]) for x, y in ((104, 114), (116, 125), (129, 136), (143, 147))
    ]
    return strokes(
        curve(outline, closed=True),
        curve([(22, 182), (60, 186), (130, 188), (200, 186), (240, 180)]),
        curve([(62, 104), (72, 120), (92, 124), (104, 112), (112, 86)]),
        curve([(100, 118), (128, 146), (160, 162), (176, 140)]),
        curve([(26, 130), (52, 138), (64, 184)]),
        curve([(186, 186), (188, 166), (206, 150)]),
        *laces,
    )


def pump() -> Image.Image:
    """A shoe with a high heel, its toe to the right."""
    outline = [(34, 66), (46, 62), (72, 96), (112, 138), (150, 150), (176, 142), (206, 150), (232, 176), (236, 194)]
    outline += [(216, 202), (172, 202), (136, 196), (104, 172), (74, 150), (62, 170), (56, 216), (46, 216)]
    outline += [(42, 160), (30, 110), (28, 80)]
    return strokes(
        curve(outline, closed=True),
        curve([(46, 62), (60, 102), (104, 146), (150, 162), (178, 156), (176, 142)]),
        curve([(30, 110), (50, 130), (74, 150)]),
        curve([(138, 190), (180, 196), (236, 192)]),
    )


if __name__ == "__main__":
    save(town_house(), "facades", "town-house")
    save(corner_shop(), "facades", "corner-shop")
    save(sneaker(), "edges2shoes", "sneaker")
    save(pump(), "edges2shoes", "pump")
