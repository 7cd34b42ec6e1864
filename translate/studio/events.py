"""What the tabs' and the API's event handlers share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import gradio as gr

from translate.studio.translating import library

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""For the page's own small events: no part of the API, no spinner."""

TRANSLATING: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "translate"}
"""For every event that translates a picture: one at a time, the others wait in the queue."""

LONG: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "long"}
"""For work of minutes: one at a time beside the short events. Their networks take turns (`translating.network`)."""

LOOK = 0.4
"""Seconds between two looks at how far a long piece of work is."""

Outcome = TypeVar("Outcome")
Progress = Callable[[int, int | None], None]
"""Called with what is done and how much there is, where that is known."""

_stopping: dict[str, threading.Event] = {}


class Stopped(Exception):
    """Somebody asked for the end of the work."""


def in_background(name: str, work: Callable[[Progress], Outcome]) -> Generator[tuple[int, int | None], None, Outcome]:
    """Do long work in a thread, and tell how far it is every now and then.

    Args:
        name: a fresh `uuid4().hex`, for `stop`.
        work: is given the function to report its progress to; an exception from it has to end the work.
    Yields:
        what is done, and how much there is. Closing the generator, as Gradio does when the page is left, ends the work.
    Returns:
        what `work` returns.
    Raises:
        Stopped: `stop` was called.
    """
    asked = _stopping[name] = threading.Event()
    now: tuple[int, int | None] = (0, None)

    def progress(done: int, total: int | None) -> None:
        nonlocal now
        now = (done, total)
        if asked.is_set():
            raise Stopped

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, progress)
        try:
            while True:
                try:
                    return future.result(LOOK)
                except TimeoutError:
                    yield now
        finally:
            asked.set()
            del _stopping[name]


def stop(name: str) -> None:
    """End the work of this name, if it is still going on."""
    if name in _stopping:
        _stopping[name].set()


def uploaded(upload: dict[str, Any]) -> tuple[Path, str]:
    """Path of an upload as Gradio hands it over unread (`preprocess=False`), and the name that its owner gave it."""
    path = Path(upload["path"])
    return path, Path(upload.get("orig_name") or path).name


def new_folder(component: gr.components.Component) -> Path:
    """A folder for results in Gradio's cache: served under a name that nobody can guess, and deleted after a while."""
    return Path(component.GRADIO_CACHE) / uuid4().hex


def delete_later(component: gr.components.Component, *paths: Path) -> None:
    """Count files among the component's, which Gradio deletes after an hour; those it serves are counted anyway."""
    component.temp_files.update(map(str, paths))


def offer_ways(runs: Path) -> Any:
    """For a list of what to make: every direction of every checkpoint, the first one chosen."""
    choices = library.ways(runs)
    return gr.update(choices=choices, value=choices[0][1] if choices else None)


def warn(error: Exception) -> None:
    """Show an error as a sentence in a corner of the page, which takes HTML."""
    gr.Warning(escape(library.sentence(error), quote=False), title="")
