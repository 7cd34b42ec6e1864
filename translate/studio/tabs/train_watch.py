"""The lower half of the Train tab: the training that goes on, or the last one, with its curves, samples and buttons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import gradio as gr

from translate.errors import UserError
from translate.studio import visitors
from translate.studio.assets import script
from translate.studio.cards import run_progress, sample_sheet
from translate.studio.events import QUIET, warn

if TYPE_CHECKING:
    from translate.runs.listing import Run
    from translate.runs.processes import Wish

SECONDS_BETWEEN_LOOKS = 2.0

starting = Lock()
"""Held by whoever starts a training: of two who press Start at once only one may find that nothing is running."""


@dataclass(frozen=True)
class Watch:
    """What the upper half of the tab needs of this one."""

    view: list[Any]
    """The components that `show` changes, both halves of the tab among them."""
    show: Callable[[str, str], dict[Any, Any]]
    """Given a run's name and a visitor's token: the updates that put the run in the place of the upper half."""


def build(page: gr.Blocks, runs: Path, setup: gr.Column, visitor: gr.components.Component) -> Watch:
    """Lay out this half and wire it up. `setup` is the upper half, `visitor` holds the token of who is at the page."""
    private: bool = page.private
    watched = gr.State("")
    sent = gr.State({})  # what the page shows already, so that only what is new is sent
    with gr.Column(visible=False, elem_id="train-watch") as watch:
        progress = gr.HTML(apply_default_css=False)
        with gr.Row(elem_id="steering"):
            pause_button = gr.Button("Pause", size="md", elem_id="pause")
            resume_button = gr.Button("Resume", size="md", variant="primary", elem_id="resume")
            stop_button = gr.Button("Stop and keep", size="md", elem_id="stop")
            again_button = gr.Button("Train something else", size="md", elem_id="again")
        with gr.Row(elem_id="live"):
            samples = gr.HTML(apply_default_css=False, min_width=300)
            charts = gr.HTML(apply_default_css=False, js_on_load=script("chart_hover"), min_width=300)
    timer = gr.Timer(SECONDS_BETWEEN_LOOKS, active=False)

    parts = {"progress": progress, "charts": charts, "samples": samples}
    view = [setup, watch, *parts.values(), pause_button, resume_button, stop_button, again_button, timer, watched, sent]

    def show(run: Run, before: dict[str, int]) -> dict[Any, Any]:
        """The view of a run, of which only what changed is sent."""
        words = {
            "progress": run_progress.progress(run),
            "charts": run_progress.live_curves(run),
            "samples": sample_sheet.sheet(run),
        }
        now = {name: hash((run.name, text)) for name, text in words.items()}
        return {
            setup: gr.update(visible=False),
            watch: gr.update(visible=True),
            **{part: words[name] if before.get(name) != now[name] else gr.skip() for name, part in parts.items()},
            pause_button: gr.update(visible=run.state == "running"),
            stop_button: gr.update(visible=run.state == "running"),
            resume_button: gr.update(visible=run.state in ("paused", "stopped", "failed")),
            again_button: gr.update(visible=not run.alive),
            timer: gr.update(active=run.alive),
            watched: run.name,
            sent: now,
        }

    def visible(name: str, token: str) -> Run:
        return visitors.visible_run(runs, name, token, private)

    def come_back(token: str) -> dict[Any, Any]:
        """On every load of the page: the training that goes on, or else the newest one if it is still news."""
        token = token or visitors.new_visitor()
        seen = visitors.visible_runs(runs, token, private)
        run = next((run for run in seen if run.alive), seen[0] if seen and is_news(seen[0]) else None)
        return {visitor: token, watched: ""} if run is None else {visitor: token, **show(run, {})}

    def tick(name: str, token: str, before: dict[str, int]) -> dict[Any, Any]:
        try:
            return show(visible(name, token), before)
        except UserError:  # deleted by somebody meanwhile
            return {setup: gr.update(visible=True), watch: gr.update(visible=False), timer: gr.update(active=False)}

    def steer(name: str, token: str, before: dict[str, int], wish: Wish) -> dict[Any, Any]:
        from translate.runs import processes

        try:
            processes.stop(visible(name, token).folder, wish)
        except Exception as error:
            warn(error)
        return tick(name, token, before)

    def pause(name: str, token: str, before: dict[str, int]) -> dict[Any, Any]:
        return steer(name, token, before, "pause")

    def stop(name: str, token: str, before: dict[str, int]) -> dict[Any, Any]:
        return steer(name, token, before, "stop")

    def go_on(name: str, token: str, before: dict[str, int]) -> dict[Any, Any]:
        from translate.runs import processes

        try:
            with starting:
                refuse_a_second(runs, private)
                processes.resume(visible(name, token).folder)
        except Exception as error:
            warn(error)
        return tick(name, token, before)

    def again() -> dict[Any, Any]:
        return {
            setup: gr.update(visible=True),
            watch: gr.update(visible=False),
            timer: gr.update(active=False),
            watched: "",
            sent: {},
        }

    page.load(come_back, visitor, [visitor, *view], queue=False, **QUIET)
    page.load(None, js=script("come_back"))
    steering = [watched, visitor, sent]
    # In the queue: Gradio shows warnings of queued events only.
    pause_button.click(pause, steering, view, **QUIET)
    stop_button.click(stop, steering, view, **QUIET)
    resume_button.click(go_on, steering, view, **QUIET)
    again_button.click(again, None, view, queue=False, **QUIET)
    timer.tick(tick, steering, view, queue=False, **QUIET)
    return Watch(view, lambda name, token: show(visible(name, token), {}))


def refuse_a_second(runs: Path, private: bool) -> None:
    """Raises UserError where a training is running; its name is for those who may see it."""
    from translate.runs.listing import running_one

    busy = running_one(runs)
    if busy is not None:
        name = f" ({busy.name})" if private else ""
        raise UserError(f"Another training is running{name}; two at once would both crawl. Try again when it is done.")


def is_news(run: Run) -> bool:
    """Whether somebody who comes back wants to see this run first: it is paused, or it ended within a day."""
    from translate.runs.processes import read_note

    if read_note(run.folder) is None:  # it was trained before runs wrote a note
        return False
    return run.state == "paused" or datetime.now() - run.changed < timedelta(days=1)
