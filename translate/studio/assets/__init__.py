"""The scripts and style sheets of the page: files beside this one, and what reads them."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from translate.pages import charts

FOLDER = Path(__file__).parent

STYLES = [
    *(FOLDER / f"{name}.css" for name in ("page", "draw", "live_video_batch", "api", "train", "runs")),
    charts.STYLE,
]
"""What the theme's variables do not reach, in the order of the page."""


@lru_cache
def script(name: str) -> str:
    """A script by its name without the ending: the body of a function for Gradio's `js_on_load`, which sees
    `element`, `props`, `trigger` and `watch`; or a function for the `js` of an event."""
    return (FOLDER / f"{name}.js").read_text(encoding="utf-8")
