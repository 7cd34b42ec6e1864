"""The Runs tab: all trainings with their curves and samples, compared, exported and deleted."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from translate.errors import UserError
from translate.studio import visitors
from translate.studio.assets import script
from translate.studio.cards import messages, run_comparison, sample_sheet
from translate.studio.events import QUIET, new_folder, warn
from translate.studio.translating import library

if TYPE_CHECKING:
    from translate.runs.listing import Run

TITLE = "Runs"

SECONDS_BETWEEN_LOOKS = 5.0
MOST_COMPARED = 8
"""Runs that are compared at once: there are no more colours that one can tell apart."""


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab and wire it up, inside `page`. `page.private` says whether visitors see all runs or their own."""
    private: bool = page.private
    visitor = gr.State("") if private else gr.BrowserState("", storage_key="translate-visitor", secret="translate")
    chosen = gr.State([])
    listing = gr.HTML(messages.no_runs(), js_on_load=script("tick_runs"), apply_default_css=False, elem_id="run-list")
    with gr.Column(visible=False, elem_id="run-detail") as detail:
        about = gr.HTML(apply_default_css=False)
        with gr.Row(elem_id="run-buttons"):
            resume_button = gr.Button("Resume", size="md", elem_id="run-resume")
            export_button = gr.Button("Export", size="md", elem_id="run-export")
            reference_button = gr.Button("Export .pth", size="md", elem_id="run-reference")
            delete_button = gr.Button("Delete …", size="md", elem_id="run-delete")
        with gr.Column(visible=False, elem_id="sure") as sure:
            question = gr.HTML(apply_default_css=False)
            with gr.Row():
                keep_button = gr.Button("Keep it", size="md", elem_id="keep-run")
                really_button = gr.Button("Delete it", size="md", variant="stop", elem_id="really-delete")
        number = gr.Slider(
            0, 1, 0, step=1, label="Samples, from the first to the newest", buttons=[], elem_id="sheet-slider"
        )
        sheet = gr.HTML(apply_default_css=False, elem_id="run-sheet")
    file = gr.DownloadButton("The exported file", visible="hidden", elem_id="export-file")
    with gr.Column(visible=False, elem_id="run-comparison") as comparing:
        smooth = gr.Checkbox(True, label="Smooth the curves", elem_id="smooth")
        charts = gr.HTML(js_on_load=script("chart_hover"), apply_default_css=False)
        table = gr.HTML(apply_default_css=False)
    timer = gr.Timer(SECONDS_BETWEEN_LOOKS, active=False)

    def picked(names: list[str], token: str) -> list[Run]:
        """The chosen runs that are still there, in the order they were ticked in."""
        seen = {run.name: run for run in visitors.visible_runs(runs, token, private)}
        return [seen[name] for name in names[:MOST_COMPARED] if name in seen]

    def one(names: list[str], token: str) -> Run:
        if len(names) != 1:
            raise UserError("Tick one training first.")
        return visitors.visible_run(runs, names[0], token, private)

    def view(names: list[str], token: str, smoothly: bool) -> dict[Any, Any]:
        """Everything that depends on which runs are ticked."""
        seen = picked(names, token)
        single = seen[0] if len(seen) == 1 else None
        updates: dict[Any, Any] = {
            chosen: [run.name for run in seen],
            detail: gr.update(visible=single is not None),
            sure: gr.update(visible=False),
            comparing: gr.update(visible=bool(seen)),
            charts: run_comparison.comparison(seen, smoothly) if seen else "",
            table: run_comparison.difference_table(seen),
        }
        if single is not None:
            last = max(0, len(single.sheets) - 1)
            has_checkpoint = single.checkpoint is not None
            updates |= {
                about: run_comparison.about(single),
                number: gr.update(maximum=max(1, last), value=last, visible=last > 0),
                sheet: sample_sheet.sheet(single),
                resume_button: gr.update(visible=single.state in ("paused", "stopped", "failed")),
                export_button: gr.update(visible=has_checkpoint),
                reference_button: gr.update(visible=has_checkpoint),
            }
        return updates

    def relist(names: list[str], token: str) -> dict[Any, Any]:
        """The list as it is now. The rest of the page stays, unless a chosen run has gone."""
        seen = visitors.visible_runs(runs, token, private)
        there = [run.name for run in seen]
        updates = {
            listing: run_comparison.listing(seen, names),
            timer: gr.update(active=any(run.alive for run in seen)),
        }
        return updates if all(name in there for name in names) else updates | view(names, token, True)

    def tick_box(event: gr.EventData, before: list[str], token: str, smoothly: bool) -> dict[Any, Any]:
        ticked = [name for name in event.names if isinstance(name, str)]
        if len(ticked) > MOST_COMPARED:
            gr.Warning(f"Up to {MOST_COMPARED} trainings are compared at once.", title="")
        ordered = [name for name in before if name in ticked] + [name for name in ticked if name not in before]
        return view(ordered, token, smoothly)

    def redraw(names: list[str], token: str, smoothly: bool) -> Any:
        return run_comparison.comparison(picked(names, token), smoothly)

    def turn_to(names: list[str], token: str, page_number: int) -> Any:
        try:
            run = one(names, token)
            return sample_sheet.sheet(run, min(int(page_number), len(run.sheets) - 1))
        except Exception as error:
            warn(error)
            return gr.skip()

    def go_on(names: list[str], token: str) -> dict[Any, Any]:
        from translate.runs import processes
        from translate.runs.listing import running_one

        try:
            run = one(names, token)
            if running_one(runs) is not None:
                raise UserError("Another training is running; two at once would both crawl. Try again when it is done.")
            processes.resume(run.folder)
            gr.Info("It goes on; watch it in Train after loading the page again.", title="")
        except Exception as error:
            warn(error)
        return relist(names, token) | view(names, token, True)

    def export(names: list[str], token: str) -> Any:
        """A zip of the checkpoint folder."""
        try:
            run = one(names, token)
            return gr.update(value=str(zipped(checkpoint_of(run), new_folder(file) / f"{run.name}.zip", run.name)))
        except Exception as error:
            raise told(error) from error

    def export_reference(names: list[str], token: str) -> Any:
        """The weights for the reference implementation: a .pth file, or a zip of two."""
        from translate.checkpoints.reference import export_reference as write

        try:
            run = one(names, token)
            folder = new_folder(file)
            with warnings.catch_warnings(record=True) as notes:
                paths = write(checkpoint_of(run), folder / "pth")
            for note in notes:
                gr.Warning(str(note.message), title="")
            if len(paths) == 1:
                return gr.update(value=str(paths[0].rename(folder / f"{run.name}_{paths[0].name}")))
            return gr.update(value=str(zipped(folder / "pth", folder / f"{run.name}-pth.zip", run.name)))
        except Exception as error:
            raise told(error) from error

    def ask(names: list[str], token: str) -> dict[Any, Any]:
        try:
            run = one(names, token)
            if run.alive:
                raise UserError(f"{run.title} is being trained; stop it in Train first.")
            return {sure: gr.update(visible=True), question: run_comparison.sure(run)}
        except Exception as error:
            warn(error)
            return {sure: gr.update(visible=False)}

    def really(names: list[str], token: str) -> dict[Any, Any]:
        from translate.runs.listing import delete_run

        try:
            delete_run(one(names, token))
            names = []
        except Exception as error:
            warn(error)
        return relist(names, token) | view(names, token, True)

    described = [about, number, sheet, resume_button, export_button, reference_button]
    everything = [chosen, detail, sure, comparing, charts, table, *described]
    listed = [listing, timer, *everything]
    asked = [chosen, visitor]
    page.load(relist, asked, listed, queue=False, **QUIET)
    listing.parent.select(relist, asked, listed, queue=False, **QUIET)  # whenever the tab is opened
    timer.tick(relist, asked, listed, queue=False, **QUIET)
    # In the queue, so that quick ticks are drawn in their order, and each of them: the last one counts.
    listing.select(tick_box, [*asked, smooth], everything, trigger_mode="multiple", concurrency_limit=1, **QUIET)
    smooth.input(redraw, [*asked, smooth], charts, queue=False, **QUIET)
    number.input(turn_to, [*asked, number], sheet, trigger_mode="always_last", **QUIET)
    # What may have to warn goes through the queue: Gradio shows warnings of queued events only.
    resume_button.click(go_on, asked, listed, **QUIET)
    exporting: dict[str, Any] = {"api_visibility": "private", "concurrency_limit": 1, "concurrency_id": "export"}
    export_button.click(export, asked, file, **exporting).success(None, js=script("download_export"))
    reference_button.click(export_reference, asked, file, **exporting).success(None, js=script("download_export"))
    delete_button.click(ask, asked, [sure, question], **QUIET).success(None, js=script("focus_keep_run"))
    keep_button.click(lambda: gr.update(visible=False), None, sure, queue=False, **QUIET)
    really_button.click(really, asked, listed, **QUIET)


def checkpoint_of(run: Run) -> Path:
    """The newest checkpoint of a run. Raises UserError where there is none yet."""
    if run.checkpoint is None:
        raise UserError(f"{run.title} has no checkpoint yet.")
    return run.checkpoint


def zipped(folder: Path, archive: Path, name: str) -> Path:
    """All files of a folder in a zip, below `name`/; weights do not get smaller, so they are only stored."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                file.write(path, Path(name) / path.relative_to(folder))
    return archive


def told(error: Exception) -> gr.Error:
    """An error that keeps later events from happening, as a sentence."""
    return gr.Error(library.sentence(error), title="", print_exception=False)
