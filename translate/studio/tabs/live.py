"""The Live tab: the camera's picture, translated as fast as this computer can.

The page sends a frame, and the next one when its translation is there: whatever the camera showed in between is left
out, so the picture never lags behind. Frames travel in the messages themselves; no file of them is ever written.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import gradio as gr
from PIL import Image

from translate.pages.fragments import fragments
from translate.studio.assets import script
from translate.studio.events import QUIET
from translate.studio.translating import data_uris, library, photos

if TYPE_CHECKING:
    from translate.checkpoints.zoo import Entry
    from translate.settings import Direction

TITLE = "Live"
LONGEST = 256
"""Pixels of a frame's longer side."""
REFUSAL = "A frame of the camera did not arrive whole; start the camera again."

_render = fragments(Path(__file__).with_name("templates") / "live.html")


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab and wire it up, inside `page`. `runs` is the folder of one's own training runs."""
    with gr.Column(elem_classes="bench"):
        way = gr.Dropdown([], label="What to make", info="The quickest ones first.", filterable=False)
        camera = gr.HTML(
            html_template=_render("stage", LONGEST), js_on_load=script("live"), apply_default_css=False, answer={}
        )

    def offer() -> Any:
        choices = sorted(library.ways(runs), key=lambda choice: _weight(*library.way(choice[1], runs)))
        return gr.update(choices=choices, value=choices[0][1] if choices else None)

    def see(frame: str | None, choice: str | None) -> Any:
        try:
            seen = data_uris.decode(frame or "", "jpeg", LONGEST, REFUSAL)
            picture = photos.as_seen(library.translate(seen, *library.way(choice, runs)))
        except Exception as error:
            return gr.update(answer={"problem": library.sentence(error), "number": uuid4().hex})
        return gr.update(answer={"picture": _encode(picture), "number": uuid4().hex})  # to differ from the last one

    page.load(offer, None, way, queue=False, **QUIET)
    camera.input(see, [camera, way], camera, trigger_mode="always_last", concurrency_limit=2, preprocess=False, **QUIET)


def _encode(picture: Image.Image) -> str:
    jpeg = io.BytesIO()
    picture.save(jpeg, "JPEG", quality=88, subsampling=0)
    return data_uris.encode(jpeg.getvalue(), "jpeg")


def _weight(entry: Entry, direction: Direction) -> int:
    """Bytes of the weights: fewer are quicker."""
    from translate.checkpoints.folder import weights_file

    return weights_file(entry.folder, direction).stat().st_size
