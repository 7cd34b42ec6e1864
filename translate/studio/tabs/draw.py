"""The Draw tab: a sheet with the colours that a checkpoint knows, which is translated while one draws.

The sheet is our own (templates/draw.html, assets/sketchpad.js) because networks that read drawings want exactly these
colours and hard edges, as their training data has. Gradio's ImageEditor smooths every stroke, and its colours have
neither names nor a way to be chosen from outside.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import gradio as gr

from translate.errors import UserError
from translate.pages.fragments import fragments
from translate.studio.assets import script
from translate.studio.cards import gallery, messages
from translate.studio.events import QUIET, delete_later, new_folder, warn
from translate.studio.translating import data_uris, drawings, library

if TYPE_CHECKING:
    from translate.checkpoints.zoo import Entry

TITLE = "Draw"

_render = fragments(Path(__file__).with_name("templates") / "draw.html")


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab and wire it up, inside `page`. `runs` is the folder of one's own training runs."""
    nothing = gr.HTML(visible=False)
    with gr.Column() as workshop:
        chosen = gr.Radio([], show_label=False, container=False, visible=False, elem_classes="switch")
        with gr.Row(elem_classes="bench"):
            with gr.Column(min_width=300):
                pad = gr.HTML(
                    html_template=_render("sketchpad"),
                    js_on_load=script("sketchpad"),
                    apply_default_css=False,
                    sheet={},
                )
                examples = gr.HTML(js_on_load=script("try_example"), visible=False, apply_default_css=False)
            with gr.Column(min_width=300):
                result = gr.Image(
                    show_label=False,
                    interactive=False,
                    buttons=["fullscreen"],
                    elem_id="drawn",
                    alt_text="What your drawing becomes",
                )
                problem = gr.HTML(visible=False, apply_default_css=False)
                with gr.Row(elem_classes="outcome", visible=False) as outcome:
                    keep_drawing = gr.DownloadButton("Download drawing", size="md")
                    keep = gr.DownloadButton("Download result", variant="primary", size="md")

    def sheet(entry: Entry, example: Path | None) -> dict[str, Any]:
        """What the sketchpad needs to know of a checkpoint, with a drawing to start from."""
        drawing = entry.config.drawing
        assert drawing is not None
        return {
            "size": drawings.sheet_size(entry.config),
            "background": drawing.background,
            "palette": list(drawing.palette.items()),
            "picture": None if example is None else _as_uri(example),
            "number": uuid4().hex,  # the page only hears of a sheet that differs from the last one it was sent
        }

    def offer(name: str | None = None) -> dict[Any, Any]:
        """The checkpoints that read drawings, and an empty or begun sheet for one of them."""
        try:
            found = drawings.readers(runs)
            if not found:
                return {
                    nothing: gr.update(value=messages.no_drawing(), visible=True),
                    workshop: gr.update(visible=False),
                }
            name = name if name in found else next(iter(found))
            entry = found[name]
            pictures = gallery.examples(entry.folder, entry.config.examples)
            first = next(filter(None, (gallery.example(entry.folder, each) for each in entry.config.examples)), None)
            return {
                chosen: gr.update(
                    choices=[(each.config.title or key, key) for key, each in found.items()],
                    value=name,
                    visible=len(found) > 1,
                ),
                pad: gr.update(sheet=sheet(entry, first)),
                examples: gr.update(value=pictures, visible=bool(pictures)),
            }
        except Exception as error:
            warn(error)
            return {nothing: gr.skip()}

    def put_in(name: str, event: gr.EventData) -> Any:
        try:
            entry = library.checkpoint(name, runs)
            example = gallery.example(entry.folder, entry.config.examples[int(event.number)])
            if example is None:
                raise UserError("This example is no longer there; load the page again.")
            return gr.update(sheet=sheet(entry, example))
        except Exception as error:
            warn(error)
            return gr.skip()

    def redraw(drawing: str | None, name: str | None) -> dict[Any, Any]:
        try:
            made = drawings.translate_drawing(drawing or "", library.checkpoint(name or "", runs), new_folder(result))
        except Exception as error:
            return {problem: gr.update(value=messages.problem(library.sentence(error)), visible=True)}
        delete_later(result, made.sheet, made.picture)
        return {
            problem: gr.update(visible=False),
            outcome: gr.update(visible=True),
            result: str(made.picture),
            keep_drawing: gr.update(value=str(made.sheet)),
            keep: gr.update(value=str(made.picture)),
        }

    offered = [nothing, workshop, chosen, pad, examples]
    pad.load(offer, None, offered, queue=False, **QUIET)  # when the tab is first opened
    chosen.input(offer, chosen, offered, queue=False, **QUIET)
    examples.select(put_in, chosen, pad, queue=False, **QUIET)
    # Of the states that a drawing goes through while the network works on one, only the last has to be translated.
    pad.input(
        redraw,
        [pad, chosen],
        [problem, outcome, result, keep_drawing, keep],
        trigger_mode="always_last",
        concurrency_limit=2,
        **QUIET,
    )


def _as_uri(picture: Path) -> str:
    kind = picture.suffix.lower().removeprefix(".").replace("jpg", "jpeg")
    return data_uris.encode(picture.read_bytes(), kind)
