"""In the Translate tab one chooses what to make and adds a picture, which is translated at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from translate.errors import UserError
from translate.studio.assets import script
from translate.studio.cards import gallery, messages
from translate.studio.cards.words import in_words
from translate.studio.events import QUIET, TRANSLATING, delete_later, new_folder, uploaded, warn
from translate.studio.translating import library, photos

if TYPE_CHECKING:
    from translate.checkpoints.zoo import Entry

TITLE = "Translate"
SIZES = [("As the photo", 0), ("2048 pixels", 2048), ("1024 pixels", 1024), ("512 pixels", 512)]
FORMATS = [("PNG", ".png"), ("JPEG", ".jpg")]


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab and wire it up, inside `page`. `runs` is the folder of one's own training runs."""
    chosen = gr.State("")
    shown = gr.State(None)  # what the result on the page was made from
    welcome = gr.HTML(visible=False)
    with gr.Column(elem_id="workshop", visible=True) as workshop:
        choice = gr.HTML(
            gallery.waiting(),
            js_on_load="\n".join(map(script, ("choose_checkpoint", "paste_picture", "preview_missing"))),
            apply_default_css=False,
        )
        about = gr.HTML(visible=False, apply_default_css=False)
        with gr.Row(elem_id="bench"):
            with gr.Column(scale=2, min_width=300):
                direction = gr.Radio([], show_label=False, container=False, visible=False, elem_id="direction")
                photo = gr.Image(
                    type="filepath",
                    sources=["upload", "clipboard", "webcam"],
                    show_label=False,
                    height=460,
                    buttons=[],
                    elem_id="photo",
                    placeholder="# Add a picture\nDrop it, paste it, or click to choose one",
                    webcam_options=gr.WebcamOptions(mirror=False),
                )
                examples = gr.HTML(js_on_load=script("try_example"), visible=False, apply_default_css=False)
            with gr.Column(scale=3, min_width=300):
                hint = gr.HTML(apply_default_css=False)
                result = gr.ImageSlider(
                    show_label=False,
                    interactive=False,
                    visible=False,
                    buttons=["fullscreen"],
                    max_height=460,
                    elem_id="result",
                )
                with gr.Row(elem_id="outcome", visible=False) as outcome:
                    note = gr.HTML(apply_default_css=False)
                    keep = gr.DownloadButton("Download", variant="primary", size="md", elem_id="keep")
                with gr.Column(visible=False) as returned:
                    words_back = gr.HTML(apply_default_css=False)
                    back = gr.ImageSlider(
                        show_label=False, interactive=False, buttons=["fullscreen"], max_height=460, elem_id="back"
                    )
                with gr.Accordion("More", open=False, elem_id="more"):
                    with gr.Row():
                        strength = gr.Slider(
                            0,
                            100,
                            100,
                            step=1,
                            label="Strength in %",
                            info="Less lets the photo show through.",
                            buttons=[],
                            scale=3,
                            min_width=240,
                        )
                        size = gr.Dropdown(
                            SIZES,
                            value=0,
                            label="Size",
                            info="Of the longer side.",
                            filterable=False,
                            scale=2,
                            min_width=200,
                        )
                    with gr.Row():
                        round_trip = gr.Checkbox(
                            label="There and back",
                            info="Translates the result back too: what returns is what was kept.",
                            visible=False,
                            scale=3,
                            min_width=240,
                        )
                        file_format = gr.Radio(FORMATS, value=".png", label="Download as", scale=2, min_width=200)

    def offer(entry: Entry) -> dict[Any, Any]:
        """Update the parts of the page that depend on the checkpoint."""
        config = entry.config
        words, pictures = gallery.about(config), gallery.examples(entry.folder, config.examples)
        directions = [(" → ".join(config.ends(each)), each) for each in config.generators]
        return {
            about: gr.update(value=words, visible=bool(words)),
            direction: gr.update(choices=directions, value=directions[0][1], visible=len(directions) > 1),
            examples: gr.update(value=pictures, visible=bool(pictures)),
            round_trip: gr.update(value=False, visible=len(directions) > 1),
        }

    def refresh() -> dict[Any, Any]:
        """List the checkpoints anew whenever the page is loaded, as runs may have made some meanwhile."""
        found = library.checkpoints(runs)
        if not found:
            return {welcome: gr.update(value=messages.welcome(), visible=True), workshop: gr.update(visible=False)}
        name, entry = next(iter(found.items()))
        return {
            welcome: gr.update(visible=False),
            workshop: gr.update(visible=True),
            choice: gallery.gallery(found, name),
            chosen: name,
            hint: messages.hint(*entry.config.ends(library.fitting_direction(entry.config, None))),
            **offer(entry),
        }

    def choose(event: gr.EventData) -> dict[Any, Any]:
        try:
            return {chosen: event.name, **offer(library.checkpoint(event.name, runs))}
        except Exception as error:
            warn(error)
            return {chosen: gr.skip()}

    def show(
        upload: dict[str, Any] | None,
        name: str,
        wish: str | None,
        longest: int,
        both_ways: bool,
        percent: float,
        suffix: str,
        now: dict[str, Any] | None,
    ) -> dict[Any, Any]:
        """Translate the photo, or say in its place why not."""
        try:
            entry = library.checkpoint(name, runs)
            way = library.fitting_direction(entry.config, wish)
            source, target = entry.config.ends(way)
            if upload is None:
                return cleared(messages.hint(source, target))
            both_ways = both_ways and len(entry.config.generators) > 1
            wanted = (upload["path"], entry.folder, way, longest, both_ways)
            if now is not None and now["from"] == wanted:  # Gradio tells of a photo that replaces another one twice
                return {shown: gr.skip()}
            made = photos.translate_photo(
                *uploaded(upload), entry, way, new_folder(result), longest or None, round_trip=both_ways
            )
            file = photos.export(made, percent / 100, suffix)
        except Exception as error:
            return cleared(messages.problem(library.sentence(error)))
        delete_later(result, made.picture, file)
        return {
            hint: gr.update(visible=False),
            result: gr.update(value=(str(made.before), str(made.after)), visible=True),
            outcome: gr.update(visible=True),
            note: messages.note(f"Done in {in_words(made.seconds)} · {made.width} × {made.height} pixels"),
            keep: gr.update(value=str(file)),
            returned: gr.update(visible=both_ways),
            words_back: messages.there_and_back(source, target),
            back: (str(made.before), str(made.back)) if made.back else None,
            shown: {"from": wanted, "made": made},
        }

    def cleared(instead: str) -> dict[Any, Any]:
        return {
            hint: gr.update(value=instead, visible=True),
            result: gr.update(value=None, visible=False),
            outcome: gr.update(visible=False),
            note: "",
            keep: gr.update(value=None),
            returned: gr.update(visible=False),
            words_back: "",
            back: None,
            shown: None,
        }

    def export(percent: float, suffix: str, now: dict[str, Any] | None) -> Any:
        """Write another file to download from the translation that is there."""
        if now is None:
            return gr.skip()
        try:
            file = photos.export(now["made"], percent / 100, suffix)
        except Exception as error:
            warn(error)
            return gr.skip()
        delete_later(keep, file)
        return str(file)

    def put_in(name: str, event: gr.EventData) -> Any:
        """Put an example in the place of the photo: a copy of it, as checkpoint folders are not served."""
        try:
            entry = library.checkpoint(name, runs)
            path = gallery.example(entry.folder, entry.config.examples[int(event.number)])
            if path is None:
                raise UserError("This example is no longer there; load the page again.")
            return gr.processing_utils.save_file_to_cache(path, photo.GRADIO_CACHE)
        except Exception as error:
            warn(error)
            return gr.skip()

    offered = [about, direction, examples, round_trip]
    page.load(refresh, None, [welcome, workshop, choice, chosen, hint, *offered], queue=False, **QUIET)
    choice.select(choose, None, [chosen, *offered], **QUIET)  # in the queue, or `chosen` would not tell of its change
    examples.select(put_in, chosen, photo, queue=False, **QUIET)
    # One listener for all of them, so that of many quick changes only the last one has to be translated.
    # preprocess=False: Gradio would open the upload itself, and fail in its own words.
    gr.on(
        [photo.change, chosen.change, direction.input, size.input, round_trip.input],
        show,
        [photo, chosen, direction, size, round_trip, strength, file_format, shown],
        [hint, result, outcome, note, keep, returned, words_back, back, shown],
        preprocess=False,
        trigger_mode="always_last",
        show_progress="full",
        show_progress_on=[hint, result],
        api_visibility="private",
        **TRANSLATING,
    ).success(None, js=script("show_result"))
    strength.change(None, strength, js=script("fade_result"))
    gr.on(
        [strength.change, file_format.input],
        export,
        [strength, file_format, shown],
        keep,
        trigger_mode="always_last",
        concurrency_limit=2,
        **QUIET,
    )
