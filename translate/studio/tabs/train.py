"""The Train tab checks somebody's pictures and starts a training; `train_watch` shows how the network learns."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from translate.errors import UserError
from translate.studio import visitors
from translate.studio.cards import dataset_report, messages
from translate.studio.cards.words import roughly
from translate.studio.events import QUIET, new_folder, uploaded
from translate.studio.tabs import train_watch
from translate.studio.training import estimates, pictures, run_presets
from translate.studio.training.pictures import Found, discard
from translate.studio.translating import library

if TYPE_CHECKING:
    from translate.config import TrainConfig

TITLE = "Train"

LOOKING = gr.Progress()
"""Gradio replaces it, being a default argument, by one that reports to the page."""


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab and wire it up, inside `page`. `page.private` says whether visitors may name folders."""
    private: bool = page.private
    visitor = gr.State("") if private else gr.BrowserState("", storage_key="translate-visitor", secret="translate")
    found = gr.State(None, delete_callback=discard)
    with gr.Column(elem_id="train-setup") as setup:
        gr.HTML(dataset_report.introduction(), apply_default_css=False)
        with gr.Row(elem_id="bring"):
            with gr.Column(visible=private, min_width=280, scale=3):
                folder = gr.Textbox(
                    label="Folder on this computer",
                    placeholder="/home/ada/pictures/horse2zebra",
                    info=dataset_report.FOLDERS_ARE_YOURS,
                    elem_id="train-folder",
                    max_lines=1,
                )
                look_button = gr.Button("Check folder", elem_id="look", size="md")
            archive = gr.File(
                label="Or a zip with such folders" if private else "A zip with such folders",
                file_types=[".zip", ".tar.gz", ".tgz"],
                elem_id="train-zip",
                height=176,
                min_width=280,
                scale=2,
            )
        if not private:
            gr.HTML(messages.note(dataset_report.ZIP_ONLY), apply_default_css=False)
        report = gr.HTML(visible=False, apply_default_css=False, elem_id="train-report")
        with gr.Column(visible=False, elem_id="train-choices") as choices:
            with gr.Row():
                title = gr.Textbox(label="Name of your training", elem_id="train-name", max_lines=1, max_length=80)
                domain_A = gr.Textbox(label="What A shows", elem_id="train-a", max_lines=1, max_length=40)
                domain_B = gr.Textbox(label="What B shows", elem_id="train-b", max_lines=1, max_length=40)
            with gr.Row():
                quality = gr.Radio(
                    [(preset.title, name) for name, preset in run_presets.PRESETS.items()],
                    value="good",
                    label="How good",
                    elem_classes="choice",
                )
                size = gr.Radio(
                    [(str(pixels), pixels) for pixels in run_presets.SIZES],
                    value=256,
                    label="Training resolution",
                    elem_classes="choice",
                )
                model = gr.Radio(
                    [],
                    label="Model",
                    elem_classes="choice",
                    elem_id="train-model",
                    visible=False,
                )
                direction = gr.Radio(
                    directions("A", "B"),
                    value="a2b",
                    label="What becomes what",
                    elem_classes="choice",
                    visible=False,
                )
            with gr.Accordion("More, for those who know their networks", open=False, visible=private):
                tracked = gr.Checkbox(
                    label="Report to Weights & Biases",
                    info="Online where an account is logged in, otherwise kept for `wandb sync`.",
                    visible=importlib.util.find_spec("wandb") is not None,
                )
                further = gr.Textbox(
                    "",
                    label="Further settings",
                    info="One a line; `translate settings` lists them all.",
                    placeholder="model.generator.width: 48\noptim.batch_size: 4",
                    lines=3,
                    elem_id="further",
                )
            estimate = gr.HTML(apply_default_css=False, elem_id="estimate")
            start_button = gr.Button("Start training", variant="primary", size="lg", elem_id="start")
    watch = train_watch.build(page, runs, setup, visitor)

    def look(path: str, earlier: Found | None, bar: gr.Progress = LOOKING) -> dict[Any, Any]:
        """Look at a folder of this computer."""
        try:
            if not private:
                raise UserError(dataset_report.ZIP_ONLY)
            root = pictures.named_folder(path)
            return offer(root, root.resolve().name, False, bar)
        except Exception as error:
            return refused(error)
        finally:
            discard(earlier)

    def unpack(upload: dict[str, Any] | None, earlier: Found | None, bar: gr.Progress = LOOKING) -> dict[Any, Any]:
        """Unpack a zip into a folder of the studio's own, and look at that."""
        discard(earlier)
        if upload is None:
            return {report: gr.update(visible=False), choices: gr.update(visible=False), found: None}
        path, name = uploaded(upload)
        root = new_folder(archive)
        try:
            return offer(pictures.unpacked(path, root), name, True, bar)
        except Exception as error:
            shutil.rmtree(root, ignore_errors=True)
            if isinstance(error, UserError):
                error = UserError(str(error).replace(str(path), name).replace(str(root), name))
            return refused(error)

    def offer(root: Path, called: str, is_upload: bool, bar: gr.Progress) -> dict[Any, Any]:
        """Show the report on a folder, and the choices where it can be trained on."""
        from translate.data.report import inspect_folder
        from translate.models import model_class, model_names, suggest_model

        told = inspect_folder(
            root,
            crop_size=min(run_presets.SIZES),
            progress=lambda done, total: bar((done, total), desc="Looking at your pictures"),
        )
        words = gr.update(value=dataset_report.report(told, called), visible=True)
        if not told.model:
            if is_upload:
                shutil.rmtree(root, ignore_errors=True)
            return {report: words, choices: gr.update(visible=False), found: None}
        name = Path(called).name.split(".")[0]
        A, B = run_presets.domain_names(name)
        have = pictures.taken(told, root, name, is_upload)
        suited = suggest_model(paired=have.has_pairs and not have.problem)
        known = {name: model_class(name) for name in model_names()}
        offered = [name for name, one in known.items() if not one.needs_teacher and (have.has_pairs or not one.paired)]
        return {
            report: words,
            choices: gr.update(visible=True),
            found: have,
            title: name,
            domain_A: A,
            domain_B: B,
            size: pictures.fitting_size(told),
            model: gr.update(
                choices=[(in_words(name), name) for name in offered], value=suited, visible=len(offered) > 1
            ),
            direction: gr.update(choices=directions(A, B), value="a2b", visible=one_way(suited)),
        }

    def refused(error: Exception) -> dict[Any, Any]:
        words = gr.update(value=messages.refusal(library.sentence(error)), visible=True)
        return {report: words, choices: gr.update(visible=False), found: None}

    def planned(have: Found | None, *chosen: Any) -> TrainConfig:
        from translate.models import model_class

        if have is None:
            raise UserError("Bring your pictures first.")
        name, A, B, good, pixels, kind, way, report_it, more = chosen
        if model_class(kind).paired and have.problem:
            raise UserError(f"As pairs they cannot be used yet: {have.problem} Unpaired they can.")
        wanted = run_presets.Choices(
            title=name,
            dataset=have.called,
            model=kind,
            domain_A=A,
            domain_B=B,
            quality=good,
            size=pixels,
            images=have.images,
            direction=way if one_way(kind) else "a2b",
            elongated=have.elongated,
            report=bool(report_it) and private,
            further=more if private else "",
        )
        return run_presets.settings(wanted, have.root, runs)

    def reckon(have: Found | None, *chosen: Any) -> Any:
        """Say what the choices mean: how good the result will be, and how long the training may take."""
        if have is None:
            return gr.skip()
        from translate.runs.listing import list_runs

        try:
            config = planned(have, *chosen)
            about = estimates.estimate(config, list_runs(runs))
            quality_words = run_presets.PRESETS[chosen[3]].words
            return messages.estimate(quality_words, roughly(about.seconds), estimates.machine(), about.basis)
        except Exception as error:
            return messages.refusal(library.sentence(error))

    def begin(have: Found | None, token: str, *chosen: Any) -> dict[Any, Any]:
        from translate.runs import processes

        try:
            config = planned(have, *chosen)
            assert have is not None  # planned has made sure
            with train_watch.starting:
                train_watch.refuse_a_second(runs, private)
                processes.start(config, have.root if have.is_upload else None)
                if not private:
                    visitors.claim(config.run.dir, token)
            return {
                **watch.show(config.run.dir.name, token),
                found: None,
                report: gr.update(visible=False),
                choices: gr.update(visible=False),
                archive: None,
            }
        except Exception as error:
            return {estimate: messages.refusal(library.sentence(error))}

    wishes = [title, domain_A, domain_B, quality, size, model, direction, tracked, further]
    offered = [report, choices, found, title, domain_A, domain_B, size, model, direction]
    looking: dict[str, Any] = {"api_visibility": "private", "show_progress": "full", "show_progress_on": [report]}
    reckoning: dict[str, Any] = {"fn": reckon, "inputs": [found, *wishes], "outputs": estimate, **QUIET}
    gr.on([folder.submit, look_button.click], look, [folder, found], offered, **looking).then(**reckoning)
    gr.on([archive.upload, archive.clear], unpack, [archive, found], offered, preprocess=False, **looking).then(
        **reckoning
    )
    model.input(lambda kind: gr.update(visible=one_way(kind)), model, direction, queue=False, **QUIET)
    gr.on([quality.input, size.input, model.input, further.blur], trigger_mode="always_last", **reckoning)
    begun = [*watch.view, found, report, choices, archive, estimate]
    gr.on(
        [domain_A.blur, domain_B.blur],
        lambda A, B, way: gr.update(choices=directions(A, B), value=way),
        [domain_A, domain_B, direction],
        direction,
        queue=False,
        **QUIET,
    )
    start_button.click(begin, [found, visitor, *wishes], begun, **QUIET)


def directions(A: str, B: str) -> list[tuple[str, str]]:
    """Return both directions in the words of whoever brought the pictures, with their names."""
    A, B = A.strip() or "A", B.strip() or "B"
    return [(f"{A} → {B}", "a2b"), (f"{B} → {A}", "b2a")]


def in_words(name: str) -> str:
    """Return the title of a model and what it learns from."""
    from translate.models import model_class

    model = model_class(name)
    return f"{model.title} ({model.needs})"


def one_way(name: str) -> bool:
    """Return whether a model learns a single direction, which has to be chosen."""
    from translate.models import model_class

    model = model_class(name)
    return len(model.directions(model.Config(name=name))) == 1
