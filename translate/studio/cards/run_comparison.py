"""Several trainings in the page: a list to choose from, and how the chosen ones compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from translate.pages.charts import Line, line_chart, sparkline
from translate.pages.fragments import Markup, fragments

if TYPE_CHECKING:
    from translate.runs.listing import Run
from translate.studio.cards import messages, run_progress
from translate.studio.cards.sample_sheet import ends
from translate.studio.cards.words import when

_render = fragments(Path(__file__).with_name("templates") / "runs.html")


@dataclass(frozen=True)
class Row:
    """A line of the list: a run, whether it is ticked, and what is said of it."""

    run: Run
    chosen: bool
    state: str
    what: str
    steps: str
    when: str
    sparkline: Markup
    last: str


def listing(runs: Sequence[Run], chosen: Sequence[str]) -> Markup:
    """All runs, each to be ticked; the newest first."""
    return _render("listing", [_row(run, run.name in chosen) for run in runs]) if runs else messages.no_runs()


def about(run: Run) -> Markup:
    """A chosen run: what it is, where it lies, and where else it can be looked at."""
    config = run.config
    facts = [
        f"{' → '.join(ends(config))}, {config.data.crop_size} × {config.data.crop_size} pixels",
        f"generator: {config.model.generator.describe()}; batches of {config.optim.batch_size}",
        "uploaded pictures" if config.data.root.parent == run.folder else f"pictures from {config.data.root}",
    ]
    return _render(
        "about",
        run=run,
        state=run_progress.STATES[run.state],
        trouble=run_progress.reason(run) if run.state == "failed" else "",
        facts=facts,
        use=run_progress.use(run) if run.checkpoint else "",
        last_words=run_progress.last_words(run),
    )


def comparison(runs: Sequence[Run], smooth: bool) -> Markup:
    """A chart for each loss and each measure with a line for each run, on the same axes."""
    names = list(dict.fromkeys(name for run in runs for name in (*run.measures, *run.losses)))
    titles = Counter(run.title for run in runs)
    meanings = {term.name: run_progress.label(run, term) for run in reversed(runs) for term in run.terms}
    if not names:
        return messages.note("Nothing has been logged yet.")

    def lines(name: str) -> list[Line]:
        called = [run.title if titles[run.title] == 1 else run.name for run in runs]
        return [Line(words, run.curve(name), at) for at, (words, run) in enumerate(zip(called, runs, strict=True))]

    figures = [
        line_chart(
            name,
            lines(name),
            meanings.get(name, "Measured on pictures kept aside" if name.startswith("val/") else ""),
            smooth=smooth,
            from_zero=True,
            hover=True,
        )
        for name in names
    ]
    return _render("charts", figures, many=True)


def difference_table(runs: Sequence[Run]) -> Markup:
    """The settings in which runs differ; nothing for a single run."""
    if len(runs) < 2:
        return Markup()
    from translate.runs.listing import differences

    found = differences(runs)
    if not found:
        return messages.note("These trainings have the same settings.")
    rows = [(name, [_value(value) for value in values]) for name, values in found]
    return _render("differences", [run.name for run in runs], rows)


def sure(run: Run) -> Markup:
    """The question before a run is deleted."""
    return _render("sure", run)


def _row(run: Run, chosen: bool) -> Row:
    from translate.models import model_class

    telling = {term.name for term in run.terms if term.better == "low"}
    losses = sorted(run.losses, key=lambda name: name not in telling)
    model = model_class(run.config.model.name).title
    return Row(
        run=run,
        chosen=chosen,
        state=run_progress.STATES[run.state],
        what=f"{model} · {run.config.dataset or run.config.data.root.name}",
        steps=f"{run.step:,} of {run.total:,} steps" if run.total else f"{run.step:,} steps",
        when=when(run.changed),
        sparkline=sparkline(run.curve(losses[0])) if losses else Markup(),
        last=" · ".join(f"{name} {run.rows[-1][name]:.3g}" for name in losses[:4] if name in run.rows[-1]),
    )


def _value(value: object) -> str:
    return "–" if value is None else "yes" if value is True else "no" if value is False else str(value)
