"""The Video tab: a film in, the translated film out; one sees how far it is, and can stop it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr

from translate.errors import UserError
from translate.studio.cards import messages
from translate.studio.cards.words import in_words
from translate.studio.events import LONG, QUIET, Stopped, in_background, new_folder, offer_ways, stop, uploaded
from translate.studio.translating import library, photos

TITLE = "Video"
MAX_MEGAPIXELS = 9
"""Largest frame that the studio takes: 4K."""


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab and wire it up, inside `page`. `runs` is the folder of one's own training runs."""
    work = gr.State("")  # name of the work that goes on
    with gr.Row(elem_classes="bench"):
        with gr.Column(scale=2, min_width=300):
            way = gr.Dropdown([], label="What to make", filterable=False)
            film = gr.File(file_types=["video"], label="Video", height=200, elem_id="film")
            steady = gr.Checkbox(
                value=True, label="Steady", info="Keeps colours from flickering where nothing moves.", container=False
            )
            with gr.Row():
                start = gr.Button("Translate video", variant="primary")
                cancel = gr.Button("Stop", visible=False)
        with gr.Column(scale=3, min_width=300):
            status = gr.HTML(messages.video_hint(), apply_default_css=False)
            player = gr.Video(
                show_label=False,
                interactive=False,
                visible=False,
                buttons=[],
                elem_id="player",
                autoplay=True,
                loop=True,
            )
            keep = gr.DownloadButton("Download", variant="primary", visible=False)

    def run(upload: dict[str, Any] | None, choice: str | None, calm: bool) -> Iterator[dict[Any, Any]]:
        from translate.inference.video.translation import translate_video

        name = uuid4().hex
        yield {
            work: name,
            start: gr.update(interactive=False),
            cancel: gr.update(visible=True),
            player: gr.update(value=None, visible=False),
            keep: gr.update(value=None, visible=False),
            status: messages.progress("Opening the film …", 0, None),
        }
        try:
            if not upload:
                raise UserError("Add a video first.")
            source, called = uploaded(upload)
            _check_frames(source, called)
            entry, direction = library.way(choice, runs)
            target = new_folder(player) / photos.result_name(called, entry.config.ends(direction)[1], ".mp4")
            begun = time.perf_counter()
            translator = library.translator(entry)
            going = in_background(
                name, lambda told: translate_video(translator, source, target, direction, bool(calm), told)
            )
            with closing(going):
                try:
                    outcome = yield from _told(going, begun, status)
                except UserError as error:
                    raise UserError(
                        str(error).replace(str(source), called).replace(str(target), target.name)
                    ) from error
            words = f"{outcome.frames} frames in {in_words(time.perf_counter() - begun)}."
            notes = " ".join(outcome.notes).replace(str(source), called).replace(str(target), target.name)
            yield {
                status: messages.note(f"{words} {notes}".strip()),
                player: gr.update(value=str(target), visible=True),
                keep: gr.update(value=str(target), visible=True),
            }
        except Stopped:
            yield {status: messages.note("Stopped. Nothing of it was kept.")}
        except Exception as error:
            yield {status: messages.problem(library.sentence(error))}
        yield {start: gr.update(interactive=True), cancel: gr.update(visible=False)}

    def end(name: str) -> str:
        stop(name)
        return messages.progress("Stopping …", 0, None)

    page.load(lambda: offer_ways(runs), None, way, queue=False, **QUIET)
    start.click(
        run,
        [film, way, steady],
        [work, start, cancel, player, keep, status],
        preprocess=False,
        show_progress="full",
        show_progress_on=status,
        api_visibility="private",
        **LONG,
    )
    cancel.click(end, work, status, queue=False, **QUIET)


def _told(going: Any, begun: float, status: gr.HTML) -> Any:
    """The bar while the work goes on; gives what it returns."""
    while True:
        try:
            done, total = next(going)
        except StopIteration as finished:
            return finished.value
        words = f"{done} of {total} frames" if total else f"{done} frames"
        if total and done:
            words += f" · {in_words((time.perf_counter() - begun) / done * (total - done))} left"
        yield {status: messages.progress(words, done, total)}


def _check_frames(film: Path, name: str) -> None:
    """Refuse frames that are too large before any is decoded; films that cannot be read are `translate_video`'s."""
    try:
        import av
    except ImportError:
        return
    try:
        with av.open(str(film)) as opened:
            pixels = max((stream.width * stream.height for stream in opened.streams.video), default=0)
    except av.error.FFmpegError:
        return
    if pixels > MAX_MEGAPIXELS * 1e6:
        raise UserError(
            f"The frames of {name} have {pixels / 1e6:.0f} megapixels, and the studio takes up to {MAX_MEGAPIXELS}; "
            "`translate run` takes any size."
        )
