"""The API tab: `/translate` and `/checkpoints` for other programs, and what to write to use them."""

# Annotations are not postponed here: Gradio reads the return type of `checkpoints` to describe it.

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from translate.errors import UserError
from translate.studio import library
from translate.studio.events import TRANSLATING, new_folder, uploaded

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

PYTHON = f"""from gradio_client import Client, handle_file

client = Client("{ADDRESS}")
for checkpoint in client.predict(api_name="/checkpoints"):
    print(checkpoint["name"], checkpoint["directions"])

path = client.predict(handle_file("horse.jpg"), "horse2zebra", "a2b", api_name="/translate")
print(path)  # the translated image, a PNG file"""

CURL = f"""STUDIO={ADDRESS}/gradio_api
FILE=$(curl -s -F files=@horse.jpg $STUDIO/upload | tr -d '[]"')
IMAGE='{{"path": "'$FILE'", "meta": {{"_type": "gradio.FileData"}}}}'
EVENT=$(curl -s $STUDIO/call/translate -H "Content-Type: application/json" \\
  -d '{{"data": ['"$IMAGE"', "horse2zebra", "a2b"]}}' | cut -d '"' -f 4)
URL=$(curl -sN $STUDIO/call/translate/$EVENT | grep -o 'http[^"]*png' | head -n 1)
curl -s -o zebra.png "$URL\""""

DOCUMENTATION = f"""<article class="docs"><h2>From other programs</h2>
<p>A script can have its pictures translated too. <code>/checkpoints</code> tells the names of the checkpoints and
their directions.</p>
<h3>Python</h3><p>With Gradio's client (<code>pip install gradio_client</code>):</p>
<pre tabindex="0"><code>{escape(PYTHON)}</code></pre>
<h3>curl</h3><p>Upload, ask, wait, download:</p>
<pre tabindex="0"><code>{escape(CURL)}</code></pre>
<h3>What they take and give</h3>
<dl><dt><code>/translate</code> image, checkpoint, direction</dt><dd>{escape(TRANSLATE)}</dd>
<dt><code>/checkpoints</code></dt><dd>{escape(CHECKPOINTS)}</dd></dl>
<p>Mistakes come back as one sentence. A studio with <code>--auth</code> wants the name and the password:
<code>Client(…, auth=("name", "password"))</code>.</p></article>"""

OWN_ADDRESS = f"""const own = location.origin + location.pathname.replace(/[/]$/, '');
for (const code of element.querySelectorAll('code')) code.textContent = code.textContent.replace('{ADDRESS}', own);"""


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab, and add the endpoints to the page."""
    gr.HTML(DOCUMENTATION, js_on_load=OWN_ADDRESS, apply_default_css=False)
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
