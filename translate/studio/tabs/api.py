"""The API tab: `/translate` and `/checkpoints` for other programs, and what to write to use them."""

# Annotations are not postponed here: Gradio reads the return type of `checkpoints` to describe it.

from pathlib import Path
from typing import Any

import gradio as gr

from translate.errors import UserError
from translate.pages.fragments import fragments
from translate.studio.assets import script
from translate.studio.events import TRANSLATING, new_folder, uploaded
from translate.studio.translating import library, photos

TITLE = "API"

TRANSLATE = (
    "Translate an image; a PNG file of the same size comes back. checkpoint is a name from /checkpoints; direction is "
    "a2b or b2a, and may be left out for the first one that the checkpoint has."
)
CHECKPOINTS = (
    "List the checkpoints that /translate can use: for each its name, title, summary, origin (built-in, downloaded or "
    "run), and its directions with the names of what they read and make."
)

ADDRESS = "http://127.0.0.1:7860"
"""In the examples; the page puts its own in this one's place."""

_render = fragments(Path(__file__).with_name("templates") / "api.html")


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab, and add the endpoints to the page."""
    documentation = _render("documentation", ADDRESS, TRANSLATE, CHECKPOINTS)
    gr.HTML(documentation, js_on_load=script("own_address"), apply_default_css=False)
    with gr.Column(visible=False):
        image = gr.Image(type="filepath", label="image")
        name = gr.Textbox(label="checkpoint")
        direction = gr.Textbox("", label="direction")
        result = gr.Image(type="filepath", format="png", label="translated image (PNG)")
        button = gr.Button()

    def translate(image: dict[str, Any] | None, checkpoint: str, direction: str = "") -> str:
        try:
            if image is None:
                raise UserError("An image is needed.")
            entry = library.checkpoint(checkpoint, runs)
            if direction and direction not in entry.config.generators:
                raise UserError(
                    f"{checkpoint} has no direction {direction}; it has {', '.join(entry.config.generators)}."
                )
            way = library.fitting_direction(entry.config, direction)
            made = photos.translate_photo(*uploaded(image), entry, way, new_folder(result))
            return str(made.picture)
        except Exception as error:
            raise gr.Error(library.sentence(error), print_exception=False) from error

    def checkpoints() -> list[dict[str, Any]]:
        try:
            return [
                {
                    "name": name,
                    "title": entry.config.title or entry.name,
                    "summary": entry.config.summary,
                    "origin": entry.origin,
                    "directions": [
                        dict(zip(("direction", "from", "to"), (each, *entry.config.ends(each)), strict=True))
                        for each in entry.config.generators
                    ],
                }
                for name, entry in library.checkpoints(runs).items()
            ]
        except Exception as error:
            raise gr.Error(library.sentence(error), print_exception=False) from error

    button.click(
        translate,
        [image, name, direction],
        result,
        api_name="translate",
        api_description=TRANSLATE,
        preprocess=False,
        **TRANSLATING,
    )
    gr.api(checkpoints, api_name="checkpoints", api_description=CHECKPOINTS)
