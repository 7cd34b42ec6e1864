"""One HTML file that needs nothing else: its style, its pictures and its curves are inside, and it has no script.

Every text is escaped where it is put in: names of files, settings and notes are other people's.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from translate.data.formats import Pixels
from translate.pages import charts
from translate.pages.fragments import Markup, fragments

STYLES = (Path(__file__).with_name("report.css"), charts.STYLE)

_render = fragments(Path(__file__).with_name("templates") / "report.html")


def page(title: str, lead: str, sections: Iterable[tuple[str, str]], footer: str = "") -> str:
    """A whole document.

    Args:
        title: plain text.
        lead: plain text under the title.
        sections: (heading, HTML); an empty heading has none, a section without HTML is left out.
        footer: plain text at the end.
    """
    style = Markup("\n").join(Markup(path.read_text(encoding="utf-8")) for path in reversed(STYLES))
    return str(_render("page", title, lead, sections, footer, style)) + "\n"


def figures(entries: Sequence[tuple[str, str]]) -> Markup:
    """Big numbers side by side: (the number, what it is)."""
    return _render("figures", entries) if entries else Markup()


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[int] = ()) -> Markup:
    """A table of plain texts, without a head where `heads` is empty; the columns in `numbers` are set flush right."""
    return _render("table", heads, rows, set(numbers))


def facts(entries: Mapping[str, Any]) -> Markup:
    """A table of names and values; empty ones are left out."""
    rows = [[name, str(value)] for name, value in entries.items() if value not in ("", None, [], {})]
    return table([], rows) if rows else Markup()


def folded(summary: str, html: Markup) -> Markup:
    """Something to be opened by a click."""
    return _render("folded", summary, html) if html else Markup()


def code(text: str) -> Markup:
    """Text in a fixed pitch, lines kept."""
    return _render("code", text)


def notes(texts: Sequence[str]) -> Markup:
    """Remarks that should be seen."""
    return _render("notes", texts)


def direction(
    drawn: Sequence[Markup],
    ranked_by: str,
    best: Sequence[tuple[Markup, str, str]],
    worst: Sequence[tuple[Markup, str, str]],
    images: int,
    listed: Markup,
) -> Markup:
    """One direction of an evaluation.

    Args:
        drawn: its charts.
        ranked_by: the metric that images are ranked by, in words.
        best: for each of the best images its pictures, its name and its value.
        worst: the same for the worst ones; none where all images are among the best.
        images: how many images there are.
        listed: the table of all images.
    """
    return _render("direction", drawn, ranked_by, best, worst, images, listed)


def figure_row(drawn: Sequence[Markup]) -> Markup:
    """Charts side by side; nothing where there are none."""
    return _render("figure_row", drawn) if drawn else Markup()


def samples(sheets: Sequence[tuple[int, Markup]]) -> Markup:
    """Sheets of samples one below the other, each with the step it was made after."""
    return _render("samples", sheets)


def picture(image: Pixels | Image.Image, alt: str, side: int = 224) -> Markup:
    """An <img> with the picture inside as WebP, scaled to at most `side` pixels, of whatever depth and channels."""
    drawn = to_picture(image) if isinstance(image, np.ndarray) else image.convert("RGB")
    drawn.thumbnail((side, side), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    drawn.save(data, "WEBP", quality=80, method=4)
    source = f"data:image/webp;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"
    return _render("picture", source, alt, *drawn.size)


def to_picture(image: Pixels) -> Image.Image:
    """(H, W, C) of uint8 or uint16 as an RGB picture to look at; of other than three channels the first in grey."""
    eight = image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)
    return Image.fromarray(np.array(eight) if eight.shape[2] == 3 else np.repeat(eight[:, :, :1], 3, axis=2))
