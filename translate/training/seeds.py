"""The same run with several seeds, and what its validation metrics are over them: one run alone says little."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate import PartialState

from translate.checkpoints.folder import read_config
from translate.config import TrainConfig
from translate.errors import UserError
from translate.tracking.history import read_history
from translate.training.state import states
from translate.training.trainer import train

SUMMARY_FILE = "seeds.json"
PREFIX = "val/"

Metrics = dict[str, float]
Summary = dict[str, dict[str, dict[str, float]]]
"""{"final": {"kid_a2b": {"mean", "deviation", "least", "most", "runs"}}, "best": …}"""


def train_seeds(config: TrainConfig, count: int, resume: bool = False, *, own_process: bool = False) -> Path:
    """Train RUN/seed-0, RUN/seed-1, … with seeds from `run.seed` on, and write RUN/seeds.json.

    Args:
        config: of all of them; `run.dir` is RUN.
        count: how many seeds.
        resume: go on with what is unfinished, exactly; a finished run stays as it is.
        own_process: as for `train`.
    Returns:
        the file of the summary; see `summarise`.
    Raises:
        UserError: nothing is validated, or as `train` raises it.
        TrainingStopped: SIGINT or SIGTERM came; the state is saved, and `resume` goes on.
    """
    if not config.evaluation.every:
        raise UserError("Seeds are compared by their validation metrics: set evaluation.every, e.g. to 1000 steps.")
    root = config.run.dir
    runs = []
    for number in range(count):
        one = config.model_copy(deep=True)
        one.name = f"{config.name or root.name}-seed-{number}"
        one.run.seed, one.run.dir = config.run.seed + number, root / f"seed-{number}"
        begun = bool(states(one.run.dir / "state"))  # seeds that were not yet their turn begin now
        runs.append(train(one, resume and begun, own_process=own_process))
    path = root / SUMMARY_FILE
    if PartialState().is_main_process:
        seeds = {run.name: {"seed": config.run.seed + number, **metrics(run)} for number, run in enumerate(runs)}
        text = json.dumps({"runs": seeds, "summary": summarise(runs)}, indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
    return path


def metrics(run: Path) -> dict[str, Metrics]:
    """The validation metrics of a run: {"final": of its last validation, "best": of the step of its best checkpoint}.

    Raises UserError where the run has measured nothing yet.
    """
    rows = [row for row in read_history(run / "history.jsonl") if any(name.startswith(PREFIX) for name in row)]
    if not rows:
        raise UserError(
            f"{run} has no validation metrics: its history holds none. Set evaluation.every to fewer steps."
        )
    best = rows[-1]
    if (run / "checkpoints" / "best").is_dir():
        step = read_config(run / "checkpoints" / "best").provenance.steps
        best = next((row for row in rows if row["step"] == step), best)
    return {"final": _measured(rows[-1]), "best": _measured(best)}


def summarise(runs: Sequence[Path]) -> Summary:
    """Mean and spread of every metric over runs, at their last validation and at their best checkpoints.

    Returns:
        of each metric that all of the runs have: the mean, the sample standard deviation (with n − 1; 0 for one run),
        the least and the most, and the number of runs.
    """
    found = [metrics(run) for run in runs]
    summary: Summary = {}
    for moment in ("final", "best"):
        shared = [name for name in found[0][moment] if all(name in one[moment] for one in found)]
        summary[moment] = {name: _spread([one[moment][name] for one in found]) for name in shared}
    return summary


def table(summary: Summary) -> tuple[list[str], list[list[str]]]:
    """Heads and rows of a table: a metric a row, final and best as mean ± deviation (least to most)."""
    names = list(dict.fromkeys(name for moment in summary.values() for name in moment))
    rows = [[name, *(_written(moment.get(name)) for moment in summary.values())] for name in names]
    return ["", *summary], rows


def _measured(row: Mapping[str, Any]) -> Metrics:
    return {name.removeprefix(PREFIX): float(row[name]) for name in row if name.startswith(PREFIX)}


def _spread(values: Sequence[float]) -> dict[str, float]:
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    mean = statistics.fmean(values)
    return {"mean": mean, "deviation": deviation, "least": min(values), "most": max(values), "runs": len(values)}


def _written(spread: Mapping[str, float] | None) -> str:
    if spread is None:
        return ""
    return f"{spread['mean']:.4g} ± {spread['deviation']:.2g} ({spread['least']:.4g} to {spread['most']:.4g})"
