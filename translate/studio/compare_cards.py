"""Several training runs in the page: a list to choose from, and how the chosen ones compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape

from translate.models.pix2pix import Pix2PixConfig
from translate.runs.listing import Run, differences
from translate.studio import run_cards
from translate.studio.curves import Line, chart, sparkline

MEANINGS = {
    "G_GAN": "The painter's part of the contest: low when the critic takes its pictures for real",
    "G_A": "The painter's part of the contest, A → B",
    "G_B": "The painter's part of the contest, B → A",
    "G_L1": "How far its pictures are from the real ones",
    "G_perceptual": "How far they are in what they show, as another network sees it",
    "G_total": "All that the painter tries to make small",
    "D_real": "The critic's mistakes on real pictures",
    "D_fake": "The critic's mistakes on pictures that were made",
    "D_A": "The critic's mistakes on B",
    "D_B": "The critic's mistakes on A",
    "cycle_A": "What is lost on the way A → B → A",
    "cycle_B": "What is lost on the way B → A → B",
    "idt_A": "What it changes in pictures that are B already",
    "idt_B": "What it changes in pictures that are A already",
}
"""What the losses mean, for those who do not know their names."""

NO_RUNS = (
    '<div class="empty"><b>No trainings yet</b><p>What you train, here in Train or with <code>translate train</code>, '
    "is listed here with its curves and samples.</p></div>"
)


def listing(runs: Sequence[Run], chosen: Sequence[str]) -> str:
    """All runs, each to be ticked; the newest first."""
    if not runs:
        return NO_RUNS
    rows = "".join(_row(run, run.name in chosen) for run in runs)
    return f'<div class="runs" role="group" aria-label="Trainings; tick several to compare them">{rows}</div>'


def _row(run: Run, chosen: bool) -> str:
    losses = sorted(run.losses, key=lambda name: name not in ("G_L1", "cycle_A", "cycle_B"))  # what says most
    last = " · ".join(f"{name} {run.rows[-1][name]:.3g}" for name in losses[:4] if name in run.rows[-1])
    model = "pix2pix" if isinstance(run.config.model, Pix2PixConfig) else "CycleGAN"
    steps = f"{run.step:,} of {run.total:,} steps" if run.total else f"{run.step:,} steps"
    return (
        f'<label class="run"><input type="checkbox" value="{escape(run.name)}"{" checked" if chosen else ""}>'
        f'<span class="face"><span class="name"><b>{escape(run.title)}</b><em>{escape(run.name)}</em></span>'
        f'<span class="state {run.state}">{run_cards.STATES[run.state]}</span>'
        f'<span class="what">{model} · {escape(run.config.dataset or run.config.data.root.name)}</span>'
        f'<span class="steps">{steps}</span><span class="when">{run_cards.when(run.changed)}</span>'
        f'<span class="losses">{sparkline(run.curve(losses[0])) if losses else ""}<i>{last}</i></span></span></label>'
    )


def about(run: Run) -> str:
    """A chosen run: what it is, where it lies, and where else it can be looked at."""
    config = run.config
    generator = config.model.generator
    facts = [
        f"{' → '.join(run_cards.ends(config))}, {config.data.crop_size} × {config.data.crop_size} pixels",
        f"{generator.architecture} generator, {generator.width} filters wide, batches of {config.optim.batch_size}",
        "uploaded pictures" if config.data.root.parent == run.folder else f"pictures from {config.data.root}",
    ]
    links = run_cards.use(run) if run.checkpoint else ""
    if run.tracked_at:
        links += f'<a href="{escape(run.tracked_at)}" target="_blank" rel="noopener">Open in Weights &amp; Biases</a>'
    items = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    trouble = f'<p class="now" role="alert">{escape(run_cards.reason(run))}</p>' if run.state == "failed" else ""
    state = f'<span class="state {run.state}">{run_cards.STATES[run.state]}</span>'
    return (
        f'<section class="about-run"><div class="head">{state}'
        f'<h2>{escape(run.title)}</h2></div>{trouble}<ul>{items}</ul><p class="next">{links}</p>'
        f"{run_cards.last_words(run)}</section>"
    )


def comparison(runs: Sequence[Run], smooth: bool) -> str:
    """A chart for each loss with a line for each run, on the same axes."""
    names = list(dict.fromkeys(name for run in runs for name in (*run.measures, *run.losses)))
    titles = Counter(run.title for run in runs)
    if not names:
        return '<p class="note">Nothing has been logged yet.</p>'
    figures = [
        chart(
            name,
            MEANINGS.get(name, "Measured on pictures kept aside" if name.startswith("val/") else ""),
            [
                Line(run.title if titles[run.title] == 1 else run.name, run.curve(name), at)
                for at, run in enumerate(runs)
            ],
            smooth,
        )
        for name in names
    ]
    return f'<div class="charts many">{"".join(figures)}</div>'


def difference_table(runs: Sequence[Run]) -> str:
    """The settings in which runs differ."""
    if len(runs) < 2:
        return ""
    found = differences(runs)
    if not found:
        return '<p class="note">These trainings have the same settings.</p>'
    heads = "".join(f'<th scope="col">{escape(run.name)}</th>' for run in runs)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{_value(value)}</td>" for value in values)}</tr>'
        for name, values in found
    )
    return (
        '<div class="differences" tabindex="0" role="region" aria-label="Settings that differ"><table>'
        f"<caption>Settings that differ</caption><thead><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
    )


def sure(run: Run) -> str:
    """The question before a run is deleted."""
    return (
        f'<div class="sure" role="alertdialog" aria-label="Delete a training"><b>Delete {escape(run.title)}?</b>'
        f"<p>Its checkpoints, samples and curves ({escape(run.name)}) are gone for good.</p></div>"
    )


def _value(value: object) -> str:
    return "–" if value is None else "yes" if value is True else "no" if value is False else escape(str(value))
