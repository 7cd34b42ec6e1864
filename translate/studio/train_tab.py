"""The Train tab: bring pictures, read what is in them, make a few choices, and watch a network learn."""

from __future__ import annotations

import importlib.util
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import gradio as gr

from translate.errors import UserError
from translate.studio import library, pictures, recipes, report_cards, run_cards, visitors
from translate.studio.curves import HOVER
from translate.studio.events import QUIET, new_folder, uploaded, warn
from translate.studio.pictures import Found, discard
from translate.training import jobs
from translate.training.runs import Run, list_runs, running_one

if TYPE_CHECKING:
    from translate.config import TrainConfig

TITLE = "Train"

SECONDS_BETWEEN_LOOKS = 2.0

# The page comes back to the tab it was on, and `?checkpoint=NAME` opens Translate with that one chosen. Cards come from
# the server a moment after the page, so it is looked for a few times.
COME_BACK = """() => {
  const tab = title => [...document.querySelectorAll('[role=tab]')].find(each => each.innerText.trim() === title);
  document.addEventListener('click', event => {
    const chosen = event.target.closest('[role=tab]');
    if (chosen) sessionStorage.setItem('tab', chosen.innerText.trim());
  });
  const wanted = new URLSearchParams(location.search).get('checkpoint');
  if (wanted === null) {
    const last = sessionStorage.getItem('tab');
    if (last && tab(last)) tab(last).click();
    return;
  }
  history.replaceState(null, '', location.pathname);
  const look = tries => {
    const card = [...document.querySelectorAll('.card input')].find(input => input.value === wanted);
    if (card) card.click();
    else if (tries) setTimeout(look, 100, tries - 1);
  };
  if (tab('Translate')) tab('Translate').click();
  look(100);
}"""

LOOKING = gr.Progress()
"""Gradio replaces it, being a default argument, by one that reports to the page."""

_starting = Lock()  # two visitors who press Start at once must not both find that nothing is running


def build(page: gr.Blocks, runs: Path) -> None:
    """Lay out the tab and wire it up, inside `page`. `page.private` says whether visitors may name folders."""
    private: bool = page.private
    visitor = gr.State("") if private else gr.BrowserState("", storage_key="translate-visitor", secret="translate")
    found = gr.State(None, delete_callback=discard)
    watched = gr.State("")
    sent = gr.State({})  # what the page shows already, so that only what is new is sent
    with gr.Column(elem_id="train-setup") as setup:
        gr.HTML(report_cards.INTRO, apply_default_css=False)
        with gr.Row(elem_id="bring"):
            with gr.Column(visible=private, min_width=280, scale=3):
                folder = gr.Textbox(
                    label="Folder on this computer",
                    placeholder="/home/ada/pictures/horse2zebra",
                    info=report_cards.FOLDERS_ARE_YOURS,
                    elem_id="train-folder",
                    max_lines=1,
                )
                look_button = gr.Button("Look at it", elem_id="look", size="md")
            archive = gr.File(
                label="Or a zip with such folders" if private else "A zip with such folders",
                file_types=[".zip", ".tar.gz", ".tgz"],
                elem_id="train-zip",
                height=176,
                min_width=280,
                scale=2,
            )
        if not private:
            gr.HTML(f'<p class="note">{report_cards.ZIP_ONLY}</p>', apply_default_css=False)
        report = gr.HTML(visible=False, apply_default_css=False, elem_id="train-report")
        with gr.Column(visible=False, elem_id="train-choices") as choices:
            with gr.Row():
                title = gr.Textbox(label="Name of your training", elem_id="train-name", max_lines=1, max_length=80)
                domain_A = gr.Textbox(label="What A shows", elem_id="train-a", max_lines=1, max_length=40)
                domain_B = gr.Textbox(label="What B shows", elem_id="train-b", max_lines=1, max_length=40)
            with gr.Row():
                quality = gr.Radio(
                    [(recipe.title, name) for name, recipe in recipes.RECIPES.items()],
                    value="good",
                    label="How good",
                    elem_classes="choice",
                )
                size = gr.Radio(
                    [(str(pixels), pixels) for pixels in recipes.SIZES],
                    value=256,
                    label="Pixels of the squares it learns from",
                    elem_classes="choice",
                )
                model = gr.Radio(
                    [("As pairs", "pix2pix"), ("As two heaps", "cyclegan")],
                    label="How it learns from them",
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
    with gr.Column(visible=False, elem_id="train-watch") as watch:
        progress = gr.HTML(apply_default_css=False)
        with gr.Row(elem_id="steering"):
            pause_button = gr.Button("Pause", size="md", elem_id="pause")
            resume_button = gr.Button("Resume", size="md", variant="primary", elem_id="resume")
            stop_button = gr.Button("Stop and keep", size="md", elem_id="stop")
            again_button = gr.Button("Train something else", size="md", elem_id="again")
        with gr.Row(elem_id="live"):
            samples = gr.HTML(apply_default_css=False, min_width=300)
            charts = gr.HTML(apply_default_css=False, js_on_load=HOVER, min_width=300)
    timer = gr.Timer(SECONDS_BETWEEN_LOOKS, active=False)

    parts = {"progress": progress, "charts": charts, "samples": samples}
    view = [setup, watch, *parts.values(), pause_button, resume_button, stop_button, again_button, timer, watched, sent]

    def show(run: Run, before: dict[str, int]) -> dict[Any, Any]:
        """The view of a run, of which only what changed is sent."""
        words = {
            "progress": run_cards.progress(run),
            "charts": run_cards.live_curves(run),
            "samples": run_cards.sheet(run),
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

    def look(path: str, earlier: Found | None, bar: gr.Progress = LOOKING) -> dict[Any, Any]:
        """Look at a folder of this computer."""
        try:
            if not private:
                raise UserError(report_cards.ZIP_ONLY)
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
        """The report on a folder, and the choices where it can be trained on."""
        from translate.data.report import inspect_folder

        told = inspect_folder(
            root,
            crop_size=min(recipes.SIZES),
            progress=lambda done, total: bar((done, total), desc="Looking at your pictures"),
        )
        words = gr.update(value=report_cards.report(told, called), visible=True)
        if not told.model:
            if is_upload:
                shutil.rmtree(root, ignore_errors=True)
            return {report: words, choices: gr.update(visible=False), found: None}
        name = Path(called).name.split(".")[0]
        A, B = recipes.domain_names(name)
        have = pictures.taken(told, root, name, is_upload)
        suited = "pix2pix" if have.has_pairs and not have.problem else "cyclegan"
        return {
            report: words,
            choices: gr.update(visible=True),
            found: have,
            title: name,
            domain_A: A,
            domain_B: B,
            size: pictures.fitting_size(told),
            model: gr.update(value=suited, visible=have.has_pairs),
            direction: gr.update(choices=directions(A, B), value="a2b", visible=suited == "pix2pix"),
        }

    def refused(error: Exception) -> dict[Any, Any]:
        words = gr.update(value=run_cards.problem(library.sentence(error)), visible=True)
        return {report: words, choices: gr.update(visible=False), found: None}

    def planned(have: Found | None, *chosen: Any) -> TrainConfig:
        if have is None:
            raise UserError("Bring your pictures first.")
        name, A, B, good, pixels, kind, way, report_it, more = chosen
        if kind == "pix2pix" and have.problem:
            raise UserError(f"As pairs they cannot be used yet: {have.problem} As two heaps they can.")
        wanted = recipes.Choices(
            title=name,
            dataset=have.called,
            model=kind,
            domain_A=A,
            domain_B=B,
            quality=good,
            size=pixels,
            images=have.images,
            direction=way if kind == "pix2pix" else "a2b",
            elongated=have.elongated,
            report=bool(report_it) and private,
            further=more if private else "",
        )
        return recipes.settings(wanted, have.root, runs)

    def reckon(have: Found | None, *chosen: Any) -> Any:
        """What the choices mean: how good, how long."""
        if have is None:
            return gr.skip()
        try:
            config = planned(have, *chosen)
            about = recipes.estimate(config, list_runs(runs))
            recipe = recipes.RECIPES[chosen[3]]
            time = run_cards.roughly(about.seconds)
            return f'<p class="estimate">{recipe.words}: <b>{time}</b> on {recipes.machine()}, {about.basis}.</p>'
        except Exception as error:
            return run_cards.problem(library.sentence(error))

    def begin(have: Found | None, token: str, *chosen: Any) -> dict[Any, Any]:
        try:
            config = planned(have, *chosen)
            assert have is not None  # planned has made sure
            with _starting:
                refuse_a_second()
                jobs.start(config, have.root if have.is_upload else None)
                if not private:
                    visitors.claim(config.run.dir, token)
            return {
                **show(visible(config.run.dir.name, token), {}),
                found: None,
                report: gr.update(visible=False),
                choices: gr.update(visible=False),
                archive: None,
            }
        except Exception as error:
            return {estimate: run_cards.problem(library.sentence(error))}

    def refuse_a_second() -> None:
        busy = running_one(runs)
        if busy is not None:
            name = f" ({busy.name})" if private else ""
            raise UserError(
                f"Another training is running{name}; two at once would both crawl. Try again when it is done."
            )

    def steer(name: str, token: str, before: dict[str, int], wish: jobs.Wish) -> dict[Any, Any]:
        try:
            jobs.stop(visible(name, token).folder, wish)
        except Exception as error:
            warn(error)
        return tick(name, token, before)

    def pause(name: str, token: str, before: dict[str, int]) -> dict[Any, Any]:
        return steer(name, token, before, "pause")

    def stop(name: str, token: str, before: dict[str, int]) -> dict[Any, Any]:
        return steer(name, token, before, "stop")

    def go_on(name: str, token: str, before: dict[str, int]) -> dict[Any, Any]:
        try:
            with _starting:
                refuse_a_second()
                jobs.resume(visible(name, token).folder)
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

    wishes = [title, domain_A, domain_B, quality, size, model, direction, tracked, further]
    offered = [report, choices, found, title, domain_A, domain_B, size, model, direction]
    page.load(come_back, visitor, [visitor, *view], queue=False, **QUIET)
    page.load(None, js=COME_BACK)
    looking: dict[str, Any] = {"api_visibility": "private", "show_progress": "full", "show_progress_on": [report]}
    reckoning: dict[str, Any] = {"fn": reckon, "inputs": [found, *wishes], "outputs": estimate, **QUIET}
    gr.on([folder.submit, look_button.click], look, [folder, found], offered, **looking).then(**reckoning)
    gr.on([archive.upload, archive.clear], unpack, [archive, found], offered, preprocess=False, **looking).then(
        **reckoning
    )
    model.input(lambda kind: gr.update(visible=kind == "pix2pix"), model, direction, queue=False, **QUIET)
    gr.on([quality.input, size.input, model.input, further.blur], trigger_mode="always_last", **reckoning)
    begun = [*view, found, report, choices, archive, estimate]
    gr.on(
        [domain_A.blur, domain_B.blur],
        lambda A, B, way: gr.update(choices=directions(A, B), value=way),
        [domain_A, domain_B, direction],
        direction,
        queue=False,
        **QUIET,
    )
    start_button.click(begin, [found, visitor, *wishes], begun, **QUIET)
    steering = [watched, visitor, sent]
    # In the queue: Gradio shows warnings of queued events only.
    pause_button.click(pause, steering, view, **QUIET)
    stop_button.click(stop, steering, view, **QUIET)
    resume_button.click(go_on, steering, view, **QUIET)
    again_button.click(again, None, view, queue=False, **QUIET)
    timer.tick(tick, steering, view, queue=False, **QUIET)


def is_news(run: Run) -> bool:
    """Whether somebody who comes back wants to see this run first: it is paused, or it ended within a day."""
    if jobs.read_note(run.folder) is None:  # it was trained before runs wrote a note
        return False
    return run.state == "paused" or datetime.now() - run.changed < timedelta(days=1)


def directions(A: str, B: str) -> list[tuple[str, str]]:
    """Both directions in the words of whoever brought the pictures."""
    A, B = A.strip() or "A", B.strip() or "B"
    return [(f"{A} → {B}", "a2b"), (f"{B} → {A}", "b2a")]
