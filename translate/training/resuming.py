"""Opening a run folder: a new run never falls on an old one, and a resumed one goes on with what is there."""

from __future__ import annotations

import logging
import shlex
from pathlib import Path
from typing import Any

from translate.config import TrainConfig
from translate.errors import UserError
from translate.runs.changes import changed_settings
from translate.tracking.history import read_history
from translate.training.state import State, load_newest_state, states

log = logging.getLogger(__name__)


def open_folder(folder: Path, resume: bool) -> State | None:
    """The state that a training in `folder` goes on from; None where it begins anew.

    Raises UserError where there is nothing to resume, or a new run would overwrite one that is there.
    """
    begun = bool(read_history(folder / "history.jsonl"))
    if resume:
        state = load_newest_state(folder / "state")
        if state is None:
            raise UserError(_nothing_to_resume(folder, begun))
        return state
    if states(folder / "state"):
        raise UserError(f"{folder} already holds a run. Continue it with --resume, or choose another --run.dir.")
    if begun:
        raise UserError(f"{folder} already holds a run, though no saved state of it; choose another --run.dir.")
    return None


def _nothing_to_resume(folder: Path, begun: bool) -> str:
    if not begun:
        return f"There is nothing to resume in {folder}; begin without --resume, or name the folder of the run."
    has_checkpoints = any((folder / "checkpoints").glob("step-*"))
    weights = f" and with the weights of its newest checkpoint: --run.start_from {shlex.quote(str(folder))}"
    return (
        f"{folder} was trained before, but holds no saved state to go on from: its folder state/ is missing or empty. "
        f"Begin anew in another folder, with --run.dir{weights if has_checkpoints else ''}."
    )


def is_copy(state: State, folder: Path) -> bool:
    """Whether `folder` is a copy of the run that saved the state, which still lies where it was."""
    origin = Path(state.info["config"]["run"]["dir"])
    return origin.is_absolute() and (origin / "state").is_dir() and not origin.samefile(folder)


def warn_of_changes(state: State, config: TrainConfig) -> None:
    """Log every setting that differs from those the state was saved with; where the run lies is none of them."""
    for name, before, now in changed_settings(state.info["config"], config.absolute().dump()):
        if name != "run.dir" and not _same_path(before, now):
            log.warning("Resuming with %s changed from %s to %s.", name, before, now)


def _same_path(before: Any, now: Any) -> bool:
    """Whether two values are one path: the states of earlier versions hold relative ones."""
    return isinstance(before, str) and isinstance(now, str) and Path(before).absolute() == Path(now).absolute()
