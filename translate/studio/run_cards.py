"""Training runs in the page: how far one is and what it makes. Words of others are escaped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from html import escape
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from translate.config import TrainConfig
from translate.models.pix2pix import Pix2PixConfig
from translate.runs.listing import Run, State
from translate.studio import cards
from translate.studio.curves import Line, chart
from translate.studio.report_cards import jpeg

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
"""Pixels between two pictures of a sheet of samples, as `translate/training/observers/samples.py` leaves them."""

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
        f'<p class="pace">{escape(_pace(run))}</p>{_warnings(run)}{last_words(run)}{_next(run)}</section>'
    )


def _now(run: Run) -> str:
    """The one sentence that matters most."""
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


def _warnings(run: Run) -> str:
    said = run.warnings if run.alive else []
    items = "".join(f"<li>{escape(warning)}</li>" for warning in said[:3])
    return f'<div class="warnings"><b>Worth a look</b><ul>{items}</ul></div>' if items else ""


def last_words(run: Run) -> str:
    """The end of what a failed run printed, to be unfolded."""
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
