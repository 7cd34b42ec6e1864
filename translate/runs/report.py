"""The report on a training run: its curves, its samples, its settings and where it ran, in one HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any

from PIL import Image

from translate.checkpoints.folder import read_config
from translate.checkpoints.zoo import newest_checkpoint
from translate.config import TrainConfig
from translate.errors import UserError
from translate.evaluation.page import code, facts, figure_row, figures, folded, page, picture, samples
from translate.models import model_class, model_terms
from translate.pages.charts import Line, line_chart, short
from translate.pages.fragments import Markup
from translate.terminal import valid_text
from translate.tracking.history import read_history

SAMPLES = 4
"""Sheets that are shown: the first, the last, and between them."""
SHEET_SIDE = 1000

Row = dict[str, Any]
Figure = tuple[str, tuple[str, ...], str, bool]
"""Title, columns of history.jsonl, unit, and whether the curves are smoothed."""

MEASUREMENTS: tuple[Figure, ...] = (
    ("Images per second", ("images_per_second",), "", False),
    ("Learning rate", ("lr",), "", False),
    ("Memory", ("memory_gb",), "gigabytes", False),
)
"""What is measured beside the losses."""
QUIET = frozenset({"step", "epoch", "step_seconds", "data_seconds", "elapsed_seconds"})


def run_report(run: Path) -> str:
    """The report on a run folder, as HTML. Raises UserError where the folder is no run, or has no history yet."""
    if not (run / "config.yaml").is_file():
        raise UserError(f"{run} is not the folder of a training run: it has no config.yaml.")
    config = TrainConfig.load(run)
    rows = read_history(run / "history.jsonl")
    if not rows:
        raise UserError(f"{run} has no history yet; let it train for a few steps.")
    newest = newest_checkpoint(run)
    provenance = read_config(newest).provenance.model_dump() if newest else {}
    last = rows[-1]
    data, model = config.data, model_class(config.model.name).title
    lead = (
        f"{model} on {config.dataset or valid_text(data.root.name)}: {data.domain_A} and {data.domain_B}, "
        f"{last['step']:,} steps so far."
    )
    sections = [
        ("", figures(_headlines(rows))),
        ("Validation", _charts(rows, list(_validation(rows)))),
        ("Curves", _charts(rows, _curves(config, rows))),
        ("Samples", _samples(run)),
        ("Where it ran", facts({name.capitalize(): value for name, value in provenance.items()})),
        ("Settings", folded("config.yaml", code((run / "config.yaml").read_text(encoding="utf-8")))),
    ]
    return page(config.title or config.name or run.resolve().name, lead, sections, f"Run folder: {run.resolve().name}")


def write_run_report(run: Path, out: Path) -> Path:
    """Write the report on a run to a file. Raises UserError where that fails; returns the file."""
    text = run_report(run)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write {out}: {error.strerror}.") from error
    return out


def _headlines(rows: Sequence[Row]) -> list[tuple[str, str]]:
    last = rows[-1]
    entries = [(f"{last['step']:,}", "steps"), (f"{last.get('epoch', 0):.1f}", "epochs")]
    seconds = max((row.get("elapsed_seconds", 0.0) for row in rows), default=0.0)
    if seconds:
        hours, minutes = divmod(round(seconds / 60), 60)
        entries.append((f"{hours} h {minutes} min" if hours else f"{minutes} min", "spent training"))
    rates = sorted(row["images_per_second"] for row in rows if "images_per_second" in row)
    if rates:
        entries.append((short(rates[len(rates) // 2]), "images per second, median"))
    return entries


def _validation(rows: Sequence[Row]) -> Iterator[Figure]:
    """A figure for each metric that was measured during training, with both directions in it."""
    columns = dict.fromkeys(name for row in rows for name in row if name.startswith("val/"))
    metrics: dict[str, list[str]] = {}
    for column in columns:
        metric = column.removeprefix("val/").removesuffix("_a2b").removesuffix("_b2a")
        if not metric.startswith("images") and "subset" not in metric and not metric.endswith("_error"):
            metrics.setdefault(metric, []).append(column)
    for metric, named in metrics.items():
        yield metric, tuple(named), "validation images", False


def _curves(config: TrainConfig, rows: Sequence[Row]) -> list[Figure]:
    """A figure for each group of the model's losses, for the measurements, and for every other number."""
    groups: dict[str, list[str]] = {}
    for term in model_terms(config.model):
        groups.setdefault(term.group, []).append(term.name)
    figures: list[Figure] = [(group, tuple(names), "loss", True) for group, names in groups.items()]
    figures += MEASUREMENTS
    return [*figures, *_others(rows, {name for _, columns, _, _ in figures for name in columns} | QUIET)]


def _others(rows: Sequence[Row], shown: Set[str]) -> Iterator[Figure]:
    """Figures for the numbers that no other figure shows."""
    for name in dict.fromkeys(name for row in rows for name in row):
        if name not in shown and not name.startswith("val/"):
            yield name, (name,), "", True


def _charts(rows: Sequence[Row], wanted: Sequence[Figure]) -> Markup:
    drawn = []
    for title, columns, unit, smooth in wanted:
        curves = {
            name.removeprefix("val/"): [
                (row["step"], row[name]) for row in rows if isinstance(row.get(name), (int, float))
            ]
            for name in columns
        }
        there = [(name, points) for name, points in curves.items() if len(points) > 1]
        lines = [Line(name, points, colour) for colour, (name, points) in enumerate(there)]
        if lines:
            drawn.append(line_chart(title, lines, unit, smooth=smooth))
    return figure_row(drawn)


def _samples(run: Path) -> Markup:
    sheets = sorted((run / "samples").glob("step-*.png"))
    count = min(SAMPLES, len(sheets))
    chosen = [sheets[at * (len(sheets) - 1) // max(1, count - 1)] for at in range(count)]
    shown = []
    for sheet in reversed(chosen):
        step = int(sheet.stem.removeprefix("step-"))
        with Image.open(sheet) as image:
            shown.append((step, picture(image, f"samples after {step} steps", SHEET_SIDE)))
    return samples(shown)
