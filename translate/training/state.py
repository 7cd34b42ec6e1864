"""A run's full state on disk: written whole or not at all, checked before it is used, nothing unpickled.

`state/step-00000120/` holds `tensors.safetensors` and `state.json`, which carries a digest of the tensors. A state is
written under a temporary name, fsynced and renamed; the last two are kept, so that a torn one costs little.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from translate.checkpoints.folder import flush
from translate.errors import UserError

FORMAT = "translate-training-state"
VERSION = 1
KEEP = 2
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """Everything a run needs to go on as if it had never stopped."""

    step: int
    tensors: dict[str, torch.Tensor]
    info: dict[str, Any]


def save_state(root: Path, state: State) -> Path:
    """Write `state` to `root`/step-NNNNNNNN and delete all but the newest two states. Returns the folder."""
    root.mkdir(parents=True, exist_ok=True)
    folder = root / f"step-{state.step:08d}"
    draft = root / f".{folder.name}.{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    save_file(tensors, draft / "tensors.safetensors")
    about = {"format": FORMAT, "version": VERSION, "step": state.step, "digest": _digest(draft / "tensors.safetensors")}
    (draft / "state.json").write_text(json.dumps(about | {"info": state.info}, indent=1), encoding="utf-8")
    for path in (draft / "tensors.safetensors", draft / "state.json", draft):
        flush(path)
    shutil.rmtree(folder, ignore_errors=True)  # only there when a torn state of this very step was refused
    draft.rename(folder)
    flush(root)
    for old in states(root)[:-KEEP]:
        shutil.rmtree(old, ignore_errors=True)
    for rest in root.glob(".step-*"):
        shutil.rmtree(rest, ignore_errors=True)
    return folder


def states(root: Path) -> list[Path]:
    """Folders of the states in `root`, oldest first; unfinished ones are not among them."""
    return sorted(folder for folder in root.glob("step-*") if folder.is_dir())


def load_state(folder: Path) -> State:
    """Read and check one state. Raises UserError if it is torn, foreign or of a newer format."""
    try:
        about = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} is not a whole training state: state.json is missing or broken.") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise UserError(f"{folder} is not a training state of this program.")
    if about["version"] > VERSION:
        raise UserError(f"{folder} was written by a newer version of this program (state format {about['version']}).")
    file = folder / "tensors.safetensors"
    try:
        if _digest(file) != about["digest"]:
            raise UserError(f"{folder} is torn: {file.name} does not have the contents that state.json promises.")
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder} is torn: {file.name} cannot be read ({error}).") from error
    return State(step=about["step"], tensors=tensors, info=about["info"])


def load_newest_state(root: Path) -> State | None:
    """The newest whole state in `root`; damaged ones are named in the log and the one before is used.

    Returns None where there is no state at all. Raises UserError where there are states and none is whole.
    """
    problems = []
    for folder in reversed(states(root)):
        try:
            return load_state(folder)
        except UserError as error:
            problems.append(str(error))
            log.warning("%s Using the state before it.", error)
    if problems:
        raise UserError(f"No state in {root} can be used: {problems[0]} Start over with another --run.dir.")
    return None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
