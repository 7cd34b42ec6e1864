"""What the tabs' and the API's event handlers share."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr

from translate.studio import library

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""For the page's own small events: no part of the API, no spinner."""

TRANSLATING: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "translate"}
"""For every event that runs a network: one at a time, the others wait in the queue."""


def uploaded(upload: dict[str, Any]) -> tuple[Path, str]:
    """Path of an upload as Gradio hands it over unread (`preprocess=False`), and the name that its owner gave it."""
    path = Path(upload["path"])
    return path, Path(upload.get("orig_name") or path).name


def new_folder(component: gr.components.Component) -> Path:
    """A folder for results in Gradio's cache: served under a name that nobody can guess, and deleted after a while."""
    return Path(component.GRADIO_CACHE) / uuid4().hex


def warn(error: Exception) -> None:
    """Show an error as a sentence in a corner of the page, which takes HTML."""
    gr.Warning(escape(library.sentence(error), quote=False), title="")
