"""One training in the page: how far it is, how it learns, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from translate.pages.charts import Line, line_chart
from translate.pages.fragments import Markup, fragments

if TYPE_CHECKING:
    from translate.models import LossTerm
    from translate.runs.listing import Run, State
from translate.studio.cards.sample_sheet import ends
from translate.studio.cards.words import duration, roughly

STATES: dict[State, str] = {
    "running": "Training",
    "pausing": "Saving",
    "paused": "Paused",
    "stopped": "Stopped",
    "finished": "Finished",
    "failed": "Failed",
}

_render = fragments(Path(__file__).with_name("templates") / "runs.html")


def progress(run: Run) -> Markup:
    """How far a run is, in words and as a bar; what to do next where it has ended."""
    waiting = run.alive and not run.rows
    ended = run.state in ("finished", "stopped") and run.checkpoint
    return _render(
        "progress",
        run=run,
        state=STATES[run.state],
        role="alert" if run.state == "failed" else "",
        now=_now(run),
        share=None if waiting else run.step / run.total if run.total else 0.0,
        pace=_pace(run),
        warnings=run.warnings[:3] if run.alive else [],
        last_words=last_words(run),
        next=use(run) if ended else "",
    )


def _now(run: Run) -> str:
    """The sentence on a run that matters most."""
    if run.state == "failed":
        return reason(run)
    if run.state == "pausing":
        return "It finishes the step it is at and saves itself; that takes a moment."
    if run.state == "finished":
        trained = run.rows[-1].get("elapsed_seconds") if run.rows else None
        return f"Done: {run.total:,} steps" + (f" in {duration(trained)}." if trained else ".")
    if run.state in ("paused", "stopped"):
        return f"Saved at step {run.step:,}. Nothing is lost; you can go on at any time."
    if not run.rows:
        return "Getting ready: it reads your pictures and warms up, which may take a minute or two."
    left = run.seconds_left
    return f"{run.step / run.total:.0%} done" + (f", {roughly(left)} left." if left is not None else ".")


def reason(run: Run) -> str:
    """Why it failed, without the way to its folder, which a visitor need not know."""
    return run.reason.replace(str(run.folder.absolute()), run.name) or "The training ended because of an error."


def _pace(run: Run) -> str:
    """The figures, for those who like to know."""
    if not run.rows:
        return "You can close this page; the training goes on." if run.alive else ""
    parts = [f"Step {run.step:,} of {run.total:,}"]
    pace = run.rows[-1].get("images_per_second")
    if pace and run.alive:
        parts.append(f"{pace:.1f} images a second" if pace >= 1 else f"{1 / pace:.1f} seconds an image")
    memory = run.rows[-1].get("memory_gb")
    if memory and run.alive:
        parts.append(f"{memory:.1f} GB of memory")
    return " · ".join(parts) + (". You can close this page; the training goes on." if run.alive else "")


def last_words(run: Run) -> Markup:
    """The end of what a failed run printed, to be unfolded; nothing for other runs."""
    words = run.last_words() if run.state == "failed" else ""
    return _render("last_words", words) if words else Markup()


def use(run: Run) -> Markup:
    """A link that opens the Translate tab with this run's checkpoint chosen."""
    return _render("use", run)


def live_curves(run: Run) -> Markup:
    """The two things to watch while it trains, in few words; nothing for a run that never began.

    They are the first group of losses that fall while the model learns, and the adversarial losses of generators and
    discriminators.
    """
    from translate.models import model_class

    if not run.rows and not run.alive:
        return Markup()
    terms = {term.name: term for term in run.terms}
    falling = [term for term in terms.values() if term.better == "low"]
    learns = [Line(label(run, term), run.curve(term.name)) for term in falling if term.group == falling[0].group]
    contest = []
    for rivalry in model_class(run.config.model.name).rivalries(run.config.model):
        judged = [run.curve(name) for name in rivalry.judged]
        mean = [(points[0][0], sum(value for _, value in points) / len(points)) for points in zip(*judged, strict=True)]
        discriminator = label(run, terms[rivalry.judged[0]]) if len(judged) == 1 else rivalry.discriminator
        contest += [
            Line(label(run, terms[rivalry.played]), run.curve(rivalry.played)),
            Line(discriminator[:1].upper() + discriminator[1:], mean),
        ]
    figures = [
        line_chart(title, _coloured(lines, first), caption, from_zero=True, hover=True)
        for title, lines, first, caption in (
            (falling[0].group if falling else "", learns, 0, "Falls while it learns, quickly at first."),
            (
                "Generator and discriminator",
                contest,
                len(learns),
                "The generator makes pictures, the discriminator tells real from made. Healthy while neither wins.",
            ),
        )
        if lines
    ]
    return _render("charts", figures, many=False)


def label(run: Run, term: LossTerm) -> str:
    """What a loss of this run is, with what its domains are called."""
    first, second = ends(run.config)
    return term.label.format(A=first, B=second)


def _coloured(lines: Sequence[Line], first: int) -> list[Line]:
    return [Line(line.name, line.points, colour) for colour, line in enumerate(lines, start=first)]
