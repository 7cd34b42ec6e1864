"""What a folder of runs tells of them: which there are, how far they are, how they do. Files only, and no torch."""

from __future__ import annotations

import logging
import math
import re
import shutil
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from translate.checkpoints.zoo import newest_checkpoint
from translate.config import DEFAULT_EPOCHS, TrainConfig
from translate.errors import UserError
from translate.models import LossTerm, model_terms
from translate.runs.changes import changed_settings, setting
from translate.runs.processes import LOG_FILE, read_note, running
from translate.tracking.history import read_history

State = Literal["running", "pausing", "paused", "stopped", "finished", "failed"]
UNINTERESTING = ("name", "title", "run.dir", "tracking.")
"""Settings that differ between any two runs and explain nothing."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """A run folder at one moment."""

    folder: Path
    config: TrainConfig
    state: State
    reason: str
    """Why it failed, in a sentence; empty otherwise."""
    rows: Sequence[Mapping[str, Any]]
    """Its history."""
    changed: datetime
    """When its history last grew, or when it was made."""

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def title(self) -> str:
        """What its owner calls it."""
        return self.config.title or self.config.name or self.name

    @property
    def alive(self) -> bool:
        """Whether a process trains in it now."""
        return self.state in ("running", "pausing")

    @property
    def step(self) -> int:
        """The newest step in its history."""
        return int(self.rows[-1]["step"]) if self.rows else 0

    @property
    def total(self) -> int:
        """Steps in all; 0 while a run whose length is given in epochs has not logged anything yet."""
        run = self.config.run
        if run.steps:
            return run.steps
        row = next((row for row in reversed(self.rows) if row.get("epoch")), None)
        return round((run.epochs or DEFAULT_EPOCHS) * row["step"] / row["epoch"]) if row else 0

    @property
    def seconds_left(self) -> float | None:
        """How long it still takes at the pace of the last rows; None where there are none yet.

        The first row is left out where there are others, as it holds the warming up.
        """
        paces = [row["step_seconds"] for row in self.rows[1:][-10:] or self.rows if "step_seconds" in row]
        return statistics.median(paces) * max(0, self.total - self.step) if paces else None

    @property
    def losses(self) -> list[str]:
        """Names of the losses in its history, in the order they are logged in."""
        there = {name for row in (*self.rows[:1], *self.rows[-1:]) for name in row}
        return [term.name for term in self.terms if term.name in there]

    @property
    def terms(self) -> list[LossTerm]:
        """The losses that its settings give, with what its model says of each, and the generators' sum."""
        return model_terms(self.config.model)

    @property
    def measures(self) -> list[str]:
        """Names of what was measured on the images kept aside, e.g. val/lpips; empty where nothing was."""
        return list(dict.fromkeys(name for row in self.rows for name in row if name.startswith("val/")))

    def curve(self, name: str) -> list[tuple[int, float]]:
        """(step, value) of a loss or a measure, for the rows that have it."""
        found = ((row["step"], row.get(name)) for row in self.rows)
        return [(step, value) for step, value in found if isinstance(value, int | float) and math.isfinite(value)]

    @property
    def sheets(self) -> list[tuple[int, Path]]:
        """(step, file) of its sheets of samples, the oldest first."""
        found = sorted((self.folder / "samples").glob("step-*.png"))
        return [(int(match[1]), path) for path in found if (match := re.fullmatch(r"step-(\d+)", path.stem))]

    @property
    def checkpoint(self) -> Path | None:
        """Its newest whole checkpoint."""
        return newest_checkpoint(self.folder)

    @property
    def warnings(self) -> list[str]:
        """What its last rows warn of, in words, the newest first."""
        said = [warning for row in reversed(self.rows[-20:]) for warning in row.get("warnings", ())]
        return list(dict.fromkeys(map(str, said)))

    @property
    def tracked_at(self) -> str:
        """Address of its page at Weights & Biases; empty where it has none."""
        try:
            address = (self.folder / "wandb" / "url.txt").read_text(encoding="utf-8").strip()
        except OSError:
            return ""
        return address if re.fullmatch(r"https?://[^\s<>\"']+", address) else ""

    def last_words(self, lines: int = 12) -> str:
        """The end of what it printed; empty where it was not started in a process of its own."""
        try:
            text = (self.folder / LOG_FILE).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.rstrip().splitlines()[-lines:])


def list_runs(runs: Path) -> list[Run]:
    """The runs in a folder, the newest first; folders that are none, or whose settings cannot be read, are left out."""
    found = [run for folder in _folders(runs) if (run := _read_or_log(folder)) is not None]
    return sorted(found, key=lambda run: run.changed, reverse=True)


def find_run(runs: Path, name: str) -> Run:
    """A run by the name of its folder. Only names work, no paths: the asker may be a stranger.

    Raises:
        UserError: there is none of this name, or its settings cannot be read.
    """
    folder = next((folder for folder in _folders(runs) if folder.name == name), None)
    if folder is None:
        raise UserError(f"There is no training called {name or '(nothing)'} any more.")
    return read_run(folder)


def running_one(runs: Path) -> Path | None:
    """The folder of a run that is being trained now, if there is one."""
    return next((folder for folder in _folders(runs) if running(folder)), None)


def read_run(folder: Path) -> Run:
    """Read a run folder. Raises UserError where its config.yaml cannot be read."""
    file = folder / "config.yaml"
    config = _config(folder, file.stat().st_mtime_ns)
    state, reason = _state(folder)
    history = folder / "history.jsonl"
    status = history.stat() if history.exists() else None
    rows = _rows(history, status.st_mtime_ns, status.st_size) if status else ()
    changed = datetime.fromtimestamp((status or file.stat()).st_mtime)
    run = Run(folder, config, state, reason, rows, changed)
    if state == "paused" and read_note(folder) is None and run.total and run.step >= run.total:
        return Run(folder, config, "finished", "", rows, changed)  # it was trained before runs wrote a note
    return run


def differences(runs: Sequence[Run]) -> list[tuple[str, list[Any]]]:
    """(setting, its value in each run) of the settings in which runs differ, sorted by name."""
    first, *others = [run.config.dump() for run in runs]
    names = {name for other in others for name, _, _ in changed_settings(first, other)}
    shown = sorted(name for name in names if not name.startswith(UNINTERESTING))
    return [(name, [setting(run.config.dump(), name) for run in runs]) for name in shown]


def delete_run(run: Run) -> None:
    """Delete a run folder with all that is in it. Raises UserError where the run is being trained."""
    if running(run.folder):
        raise UserError(f"{run.title} is being trained; stop it first.")
    aside = run.folder.with_name(f".{run.name}.deleted")
    try:
        run.folder.rename(aside)  # it is gone at once, however long it takes to delete
        shutil.rmtree(aside)
    except OSError as error:
        raise UserError(f"Cannot delete {run.title}: {error.strerror}.") from error


def _folders(runs: Path) -> list[Path]:
    try:
        return sorted(path for path in runs.iterdir() if path.name[:1] != "." and (path / "config.yaml").is_file())
    except OSError:
        return []


def _read_or_log(folder: Path) -> Run | None:
    try:
        return read_run(folder)
    except UserError as error:
        log.warning("Left out a run: %s", error)
        return None


def _state(folder: Path) -> tuple[State, str]:
    """What a run does, and the sentence on why it failed if it did."""
    note = read_note(folder)
    if running(folder):
        return ("pausing" if note and note.wish else "running"), ""
    if note is None:
        return "paused", ""
    if note.outcome == "finished":
        return "finished", ""
    if note.outcome == "failed":
        return "failed", note.reason
    if note.wish:
        return ("stopped" if note.wish == "stop" else "paused"), ""
    return ("paused", "") if note.outcome == "stopped" else ("failed", _last_sentence(folder))


def _last_sentence(folder: Path) -> str:
    """Why a process ended that left no word: an error before the run began is the last line of what it printed."""
    try:
        lines = (folder / LOG_FILE).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        lines = []
    if lines and (match := re.match(r"Error: (.+)", lines[-1])):
        return match[1]
    return "It ended without a word: the computer was switched off, or ran out of memory."


@lru_cache(maxsize=256)
def _config(folder: Path, saved: int) -> TrainConfig:
    del saved  # part of the key: a file written anew is read anew
    return TrainConfig.load(folder)


@lru_cache(maxsize=64)
def _rows(file: Path, saved: int, size: int) -> Sequence[Mapping[str, Any]]:
    del saved, size  # part of the key
    return [row for row in read_history(file) if isinstance(row, dict) and "step" in row]
