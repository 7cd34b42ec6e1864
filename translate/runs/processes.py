"""Training in a process of its own: start, stop and resume it, and find it again after whoever started it has gone.

The process notes in its run folder who it is (`process.json`), so that any other process can ask `running`. A process
id alone would not do: after a while the system gives it to somebody else, so the note holds the time of its creation
too. Runs that are started from the command line write the same note.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import psutil

from translate.config import TrainConfig
from translate.downloads.archives import disk_trouble
from translate.errors import TrainingStopped, UserError
from translate.tracking.history import read_history

NOTE_FILE = "process.json"
LOG_FILE = "log.txt"
"""What a run that `start` or `resume` began printed."""

CLOCK_DRIFT = 2.0
"""Seconds that a process's creation may seem to move while the system's clock is corrected."""

Wish = Literal["", "pause", "stop"]
Outcome = Literal["", "finished", "stopped", "failed"]


@dataclass(frozen=True)
class Note:
    """Who trains, or trained last, in a run folder."""

    pid: int
    created: float
    """When the process was created, in seconds since 1970."""
    wish: Wish = ""
    """What it was asked to do: both make it save its state and leave, `stop` means that nobody plans to go on."""
    outcome: Outcome = ""
    """How it ended; empty while it runs, and for ever where it was killed."""
    reason: str = ""
    """Why it failed, in a sentence."""
    folder: int = 0
    """Inode of the run folder, which stays when it is moved: in a copy of the folder the note speaks of another run."""


def start(config: TrainConfig, pictures: Path | None = None) -> None:
    """Begin a new run in `config.run.dir`, in a process that goes on when this one ends.

    Args:
        config: all settings. The folder must not exist yet.
        pictures: a folder that becomes the run's own, as `data` in the run folder; instead of `config.data.root`.
    Raises:
        UserError: the run folder exists already, or cannot be written.
    """
    run = config.run.dir
    try:
        run.mkdir(parents=True)
        if pictures is not None:
            shutil.move(pictures, run / "data")
            config.data.root = run / "data"
        config.save_in_run()
    except FileExistsError as error:
        raise UserError(f"{run} exists already; choose another name.") from error
    except OSError as error:
        raise UserError(disk_trouble(error, run)) from error
    _launch(run)


def resume(run: Path) -> None:
    """Go on with a run from its newest state, or begin it where it failed before its first step.

    Raises UserError where it is running, its settings cannot be read, or it was trained and holds no state.
    """
    if running(run):
        raise UserError(f"{run.name} is running already.")
    TrainConfig.load(run)  # settings that cannot be read are told here, not in the new process
    saved = any((run / "state").glob("step-*"))
    if not saved and read_history(run / "history.jsonl"):
        raise UserError(f"{run.name} ended before its first state was saved; start a new training in its place.")
    _launch(run, *(["--resume"] if saved else []))


def stop(run: Path, wish: Wish) -> None:
    """Ask a run to finish its step, save its state and leave; returns at once.

    On Windows, which has no such signal, it ends at once and goes on from its last regular save.

    Raises UserError where it is not running.
    """
    note = running(run)
    if note is None:
        raise UserError(f"{run.name} is not running.")
    _write(run, replace(note, wish=wish))
    with suppress(psutil.NoSuchProcess):  # it has just ended by itself
        psutil.Process(note.pid).terminate()


def running(run: Path) -> Note | None:
    """The note of the process that trains in this folder now; None where there is none."""
    note = read_note(run)
    if note is None or note.outcome or note.folder not in (0, run.stat().st_ino):
        return None
    try:
        process = psutil.Process(note.pid)
        same = abs(process.create_time() - note.created) < CLOCK_DRIFT
        return note if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None


def read_note(run: Path) -> Note | None:
    """The note in a run folder; None where there is none that can be read."""
    try:
        return Note(**json.loads((run / NOTE_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def noted(run: Path) -> Iterator[None]:
    """Around a training: note that this process does it and how it ends. Of several processes the first one does.

    Raises UserError where another process trains in the folder.
    """
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    other = running(run)
    if other is not None and other.pid != os.getpid():
        raise UserError(f"{run} is being trained by process {other.pid}; stop that one first.")
    run.mkdir(parents=True, exist_ok=True)
    _write(run, other or _note_of(os.getpid(), run))
    outcome: Outcome = "failed"
    reason = ""
    try:
        yield
        outcome = "finished"
    except (TrainingStopped, KeyboardInterrupt):
        outcome = "stopped"
        raise
    except UserError as error:
        reason = str(error)
        raise
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}".rstrip(": ")
        raise
    finally:
        _write(run, replace(read_note(run) or _note_of(os.getpid(), run), outcome=outcome, reason=reason))


def _launch(run: Path, *options: str) -> None:
    package = str(Path(__file__).parents[2])  # so that a checkout which is not installed works too
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH")))),
        "PYTHONUNBUFFERED": "1",
    }
    with (run / LOG_FILE).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "translate", "train", str(run.absolute()), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C in the terminal of whoever started it is not meant for it
        )
    with suppress(psutil.NoSuchProcess):
        _write(run, _note_of(process.pid, run))
    threading.Thread(target=process.wait, daemon=True).start()  # a process nobody waits for would stay as a zombie


def _note_of(pid: int, run: Path) -> Note:
    return Note(pid, psutil.Process(pid).create_time(), folder=run.stat().st_ino)


def _write(run: Path, note: Note) -> None:
    draft = run / f".{NOTE_FILE}.{os.getpid()}.{threading.get_ident()}"
    draft.write_text(json.dumps(asdict(note)), encoding="utf-8")
    draft.replace(run / NOTE_FILE)
