"""The Batch tab: many pictures or an archive of them in, a gallery and an archive out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr
from PIL import Image

from translate.errors import UserError
from translate.studio.cards import messages
from translate.studio.cards.words import in_words
from translate.studio.events import LONG, QUIET, Stopped, in_background, new_folder, offer_ways, stop, uploaded
from translate.studio.translating import batches, library, photos

TITLE = "Batch"
SHOWN = 60
"""Pictures in the gallery; the archive has all."""


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab and wire it up, inside `page`. `runs` is the folder of one's own training runs."""
    work = gr.State("")  # name of the work that goes on
    with gr.Row(elem_classes="bench"):
        with gr.Column(scale=2, min_width=300):
            way = gr.Dropdown([], label="What to make", filterable=False)
            files = gr.File(file_count="multiple", label="Pictures, or a zip of them", height=260, elem_id="files")
            with gr.Row():
                start = gr.Button("Translate all", variant="primary")
                cancel = gr.Button("Stop", visible=False)
        with gr.Column(scale=3, min_width=300):
            status = gr.HTML(messages.batch_hint(), apply_default_css=False)
            problems = gr.HTML(apply_default_css=False)
            keep = gr.DownloadButton("Download all", variant="primary", visible=False)
            gallery = gr.Gallery(
                show_label=False,
                interactive=False,
                columns=4,
                height="auto",
                object_fit="cover",
                visible=False,
                buttons=["fullscreen"],
            )

    def run(uploads: list[dict[str, Any]] | None, choice: str | None) -> Iterator[dict[Any, Any]]:
        name, source, out = uuid4().hex, new_folder(files), new_folder(gallery)
        yield {
            work: name,
            start: gr.update(interactive=False),
            cancel: gr.update(visible=True),
            gallery: gr.update(value=None, visible=False),
            keep: gr.update(value=None, visible=False),
            problems: "",
            status: messages.progress("Looking through the files …", 0, None),
        }
        try:
            if not uploads:
                raise UserError("Add pictures first, or a zip of them.")
            entry, direction = library.way(choice, runs)
            batch = batches.gather([uploaded(upload) for upload in uploads], source)
            begun, views = time.perf_counter(), _Views(out)
            going = in_background(name, lambda told: batches.translate_batch(batch, entry, direction, out, told))
            stopped = False
            with closing(going):
                try:
                    for done, total in going:
                        yield {
                            status: messages.progress(_so_far(done, len(batch.pictures), begun), done, total),
                            gallery: gr.update(value=views.newest(), visible=bool(views.made)),
                        }
                except Stopped:
                    stopped = True
            finished = len(batches.results(out))
            if finished:
                target = photos.result_name("pictures", entry.config.ends(direction)[1], ".zip")
                archive = batches.pack(out, new_folder(keep) / target)
                yield {
                    gallery: gr.update(value=views.newest(), visible=True),
                    keep: gr.update(value=str(archive), visible=True),
                }
            seconds = time.perf_counter() - begun
            yield {
                status: messages.note(_at_the_end(finished, len(batch.pictures), seconds, stopped)),
                problems: messages.left_out(batch.problems),
            }
        except Exception as error:
            yield {status: messages.problem(library.sentence(error))}
        finally:
            for folder in (source, out):
                shutil.rmtree(folder, ignore_errors=True)
        yield {start: gr.update(interactive=True), cancel: gr.update(visible=False)}

    def end(name: str) -> dict[Any, Any]:
        stop(name)
        return {status: messages.progress("Stopping …", 0, None)}

    page.load(lambda: offer_ways(runs), None, way, queue=False, **QUIET)
    start.click(
        run,
        [files, way],
        [work, start, cancel, gallery, keep, problems, status],
        preprocess=False,
        show_progress="full",
        show_progress_on=status,
        api_visibility="private",
        **LONG,
    )
    cancel.click(end, work, status, queue=False, **QUIET)


class _Views:
    """Small copies of the finished pictures for the gallery, made once each."""

    def __init__(self, out: Path) -> None:
        self.out, self.folder = out, out.with_name(f"{out.name}-views")
        self.made: dict[Path, tuple[str, str]] = {}

    def newest(self) -> list[tuple[str, str]]:
        self.folder.mkdir(exist_ok=True)
        for path in batches.results(self.out):
            if path not in self.made and len(self.made) < SHOWN:
                view = self.folder / f"{len(self.made)}.jpg"
                with Image.open(path) as picture:
                    photos.save_view(picture, view, longest=640)
                self.made[path] = (str(view), path.relative_to(self.out).as_posix())
        return [self.made[path] for path in sorted(self.made)]


def _so_far(done: int, total: int, begun: float) -> str:
    words = f"{done} of {total} pictures"
    if not done:
        return words
    return f"{words} · {in_words((time.perf_counter() - begun) / done * (total - done))} left"


def _at_the_end(done: int, total: int, seconds: float, stopped: bool) -> str:
    pictures = f"{done} picture{'' if done == 1 else 's'}"
    if stopped:
        return f"Stopped after {done} of {total} pictures; the download has those."
    return f"{pictures} in {in_words(seconds)}."
