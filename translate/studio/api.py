"""The studio's API: `/translate` and `/checkpoints`, for gradio_client and curl; the page documents them."""

# Annotations are not postponed here: Gradio reads the return type of `checkpoints` to describe it.

from pathlib import Path
from typing import Any

import gradio as gr

from translate.errors import UserError
from translate.studio import library
from translate.studio.events import TRANSLATING, new_folder, uploaded

TRANSLATE = (
    "Translate an image; a PNG file of the same size comes back. checkpoint is a name from /checkpoints; direction is "
    "a2b or b2a, and may be left out for the first one that the checkpoint has."
)
CHECKPOINTS = (
    "List the checkpoints that /translate can use: for each its name, title, summary, origin (built-in, downloaded or "
    "run), and its directions with the names of what they read and make."
)


def build(runs: Path) -> None:
    """Add the endpoints to the page that is being made."""
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
            made = library.translate_photo(*uploaded(image), entry, way, new_folder(result))
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
