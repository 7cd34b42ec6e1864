"""Training runs in the page: how far one is, what it makes, how several compare. Words of others are escaped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from html import escape
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from translate.config import Pix2PixConfig, TrainConfig
from translate.studio import cards
from translate.studio.curves import Line, chart, sparkline
from translate.studio.report_cards import jpeg
from translate.training.runs import Run, State, differences

STATES: dict[State, str] = {
    "running": "Training",
    "pausing": "Saving",
    "paused": "Paused",
    "stopped": "Stopped",
    "finished": "Finished",
    "failed": "Failed",
}
SHEET_PIXELS = (1000, 1600)
"""Largest width and height of a sheet of samples in the page."""

GAP = 4
"""Pixels between two pictures of a sheet, as `translate.training.samples` leaves them; that module needs PyTorch."""

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


# ------------------------------------------------------------------------------------------------------------ one run


def ends(config: TrainConfig) -> tuple[str, str]:
    """What it reads and what it makes."""
    names = config.data.domain_A, config.data.domain_B
    return names if config.data.direction == "a2b" else names[::-1]


def progress(run: Run) -> str:
    """How far a run is, in words and as a bar; what to do next where it has ended."""
    done = run.step / run.total if run.total else 0.0
    waiting = run.alive and not run.rows
    bar = (
        f'<div class="bar{" waiting" if waiting else ""}" role="progressbar" aria-label="Progress of the training" '
        f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{round(100 * done)}">'
        f'<i style="width:{max(1.0, 100 * done):.2f}%"></i></div>'
    )
    role = ' role="alert"' if run.state == "failed" else ""
    return (
        f'<section class="progress-card {run.state}"><div class="head"><span class="state {run.state}">'
        f"{STATES[run.state]}</span><h2>{escape(run.title)}</h2></div><p class='now'{role}>{escape(_now(run))}</p>{bar}"
        f'<p class="pace">{escape(_pace(run))}</p>{_warnings(run)}{_last_words(run)}{_next(run)}</section>'
    )


def _now(run: Run) -> str:
    """The one sentence that matters most."""
    if run.state == "failed":
        return _reason(run)
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


def _reason(run: Run) -> str:
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


def _warnings(run: Run) -> str:
    said = run.warnings if run.alive else []
    items = "".join(f"<li>{escape(warning)}</li>" for warning in said[:3])
    return f'<div class="warnings"><b>Worth a look</b><ul>{items}</ul></div>' if items else ""


def _last_words(run: Run) -> str:
    words = run.last_words() if run.state == "failed" else ""
    return f"<details><summary>What it printed last</summary><pre>{escape(words)}</pre></details>" if words else ""


def _next(run: Run) -> str:
    """A way to the result, as soon as there is one and nobody waits for more."""
    return f'<p class="next">{use(run)}</p>' if run.state in ("finished", "stopped") and run.checkpoint else ""


def use(run: Run) -> str:
    """A link that opens the Translate tab with this run's checkpoint chosen."""
    return f'<a class="use" href="?checkpoint={quote(run.name)}">Use it in Translate</a>'


def live_curves(run: Run) -> str:
    """The two things to watch while it trains, without a technical term; nothing for a run that never began."""
    if not run.rows and not run.alive:
        return ""
    first, second = ends(run.config)
    if isinstance(run.config.model, Pix2PixConfig):
        learns = [Line("Distance from the real pictures", run.curve("G_L1"), 0)]
        critic = [
            (step, (a + b) / 2) for (step, a), (_, b) in zip(run.curve("D_real"), run.curve("D_fake"), strict=True)
        ]
        contest = [Line("Painter", run.curve("G_GAN"), 1), Line("Critic", critic, 2)]
        closer = chart("Getting closer", "The line falls while it learns, quickly at first.", learns)
    else:
        learns = [
            Line(f"{first} → {second} → {first}", run.curve("cycle_A"), 0),
            Line(f"{second} → {first} → {second}", run.curve("cycle_B"), 3),
        ]
        contest = [
            Line(f"Painter of {second}", run.curve("G_A"), 1),
            Line(f"Painter of {first}", run.curve("G_B"), 3),
            Line(f"Critic of {second}", run.curve("D_A"), 2),
            Line(f"Critic of {first}", run.curve("D_B"), 5),
        ]
        closer = chart("There and back again", "What is lost on the round trip; it falls while it learns.", learns)
    words = "One part paints, another tells its pictures from real ones. It is well while neither wins for good."
    return f'<div class="charts">{closer}{chart("Painter and critic", words, contest)}</div>'


def sheet(run: Run, number: int = -1) -> str:
    """A sheet of samples, by default the newest one; what will be there where there is none yet."""
    if not run.sheets:
        return f'<div class="sheet empty">{cards.PICTURE}<b>Samples</b><p>{_no_samples(run)}</p></div>'
    step, path = run.sheets[number]
    first, second = map(escape, ends(run.config))
    paired = isinstance(run.config.model, Pix2PixConfig)
    pictures = _sheet(path, path.stat().st_mtime_ns, paired)
    heads = [[first, f"made: {second}", f"real: {second}"]] * 2
    if not paired:
        heads = [[first, second, "and back"], [second, first, "and back"]]
        heads = heads if len(pictures) == 2 else [["original", "translated", "and back"]]
    halves = "".join(
        f'<div><div class="heads">{"".join(f"<span>{name}</span>" for name in names)}</div>'
        f'<img src="{picture}" alt="Samples at step {step:,} in columns: {", ".join(names)}"></div>'
        for picture, names in zip(pictures, heads, strict=False)
    )
    return (
        f'<figure class="sheet"><figcaption><b>Samples at step {step:,}</b></figcaption>'
        f'<div class="halves">{halves}</div></figure>'
    )


def _no_samples(run: Run) -> str:
    every = run.config.run.sample_every
    return f"The first ones come at step {every:,}." if run.alive else "This training has made none."


@lru_cache(maxsize=64)
def _sheet(path: Path, saved: int, paired: bool) -> list[str]:
    """A sheet as one picture, or as two to be shown beside one another: half of its rows each.

    The rows of a CycleGAN's sheet take turns, so each of its halves is one direction.
    """
    del saved  # part of the key
    try:
        with Image.open(path) as image:
            sheet = image.convert("RGB")
    except OSError:
        return ["data:,"]
    side = (sheet.width - 2 * GAP) // 3 + GAP  # of a square picture; the three columns are equally wide
    rows, rest = divmod(sheet.height + GAP, side)
    halves = [sheet]
    if not rest and rows > 1:
        strips = [sheet.crop((0, row * side, sheet.width, (row + 1) * side)) for row in range(rows)]
        middle = (rows + 1) // 2
        split = (strips[:middle], strips[middle:]) if paired else (strips[::2], strips[1::2])
        halves = [_stacked(half, side) for half in split]
    for half in halves:
        half.thumbnail(SHEET_PIXELS)
    return [jpeg(half, 88) for half in halves]


def _stacked(strips: Sequence[Image.Image], side: int) -> Image.Image:
    stack = Image.new("RGB", (strips[0].width, side * len(strips) - GAP), "white")
    for row, strip in enumerate(strips):
        stack.paste(strip, (0, row * side))
    return stack


# --------------------------------------------------------------------------------------------------------- several runs

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
        f'<span class="state {run.state}">{STATES[run.state]}</span>'
        f'<span class="what">{model} · {escape(run.config.dataset or run.config.data.root.name)}</span>'
        f'<span class="steps">{steps}</span><span class="when">{when(run.changed)}</span>'
        f'<span class="losses">{sparkline(run.curve(losses[0])) if losses else ""}<i>{last}</i></span></span></label>'
    )


def about(run: Run) -> str:
    """A chosen run: what it is, where it lies, and where else it can be looked at."""
    config = run.config
    generator = config.model.generator
    facts = [
        f"{' → '.join(ends(config))}, {config.data.crop_size} × {config.data.crop_size} pixels",
        f"{generator.architecture} generator, {generator.width} filters wide, batches of {config.optim.batch_size}",
        "uploaded pictures" if config.data.root.parent == run.folder else f"pictures from {config.data.root}",
    ]
    links = use(run) if run.checkpoint else ""
    if run.tracked_at:
        links += f'<a href="{escape(run.tracked_at)}" target="_blank" rel="noopener">Open in Weights &amp; Biases</a>'
    items = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    trouble = f'<p class="now" role="alert">{escape(_reason(run))}</p>' if run.state == "failed" else ""
    return (
        f'<section class="about-run"><div class="head"><span class="state {run.state}">{STATES[run.state]}</span>'
        f'<h2>{escape(run.title)}</h2></div>{trouble}<ul>{items}</ul><p class="next">{links}</p>'
        f"{_last_words(run)}</section>"
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


# ------------------------------------------------------------------------------------------------------------- in words


def problem(sentence: str) -> str:
    """An error in the page."""
    return f'<div class="problems" role="alert"><ul><li>{escape(sentence)}</li></ul></div>'


def duration(seconds: float) -> str:
    """«less than a minute», «12 minutes», «2 hours 10 minutes», «3 days»: as precise as one can be."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    if minutes >= 48 * 60:
        return f"{round(minutes / 60 / 24)} days"
    precision = 1 if minutes < 60 else 10 if minutes < 10 * 60 else 60
    hours, rest = divmod(precision * round(minutes / precision), 60)
    parts = [
        f"{count} {unit}{'' if count == 1 else 's'}" for count, unit in ((hours, "hour"), (rest, "minute")) if count
    ]
    return " ".join(parts)


def roughly(seconds: float) -> str:
    """«less than a minute», «about 12 minutes»."""
    words = duration(seconds)
    return words if words.startswith("less") else f"about {words}"


def when(moment: datetime) -> str:
    """«today 14:05», «yesterday 9:30», «12 Mar 2026»."""
    days = (datetime.now().date() - moment.date()).days
    day = {0: "today", 1: "yesterday"}.get(days)
    return f"{day} {moment:%H:%M}" if day else f"{moment.day} {moment:%b %Y}"


def _value(value: object) -> str:
    return "–" if value is None else "yes" if value is True else "no" if value is False else escape(str(value))
