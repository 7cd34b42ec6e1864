"""Checkpoints by name: those that ship with the package, those downloaded, and those of one's own runs."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from translate.checkpoints.folder import CONFIG_FILE, check_checkpoint
from translate.checkpoints.settings import CheckpointConfig
from translate.downloads.home import home
from translate.errors import UserError

BUILT_IN = Path(__file__).parent / "weights"
RUNS = Path("runs")
LISTED = 20
"""How many names an error lists at most."""

Origin = Literal["built-in", "downloaded", "run", "folder"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A checkpoint that is there and whole; its name, as `available` and `find` give it, finds it again."""

    name: str
    folder: Path
    config: CheckpointConfig
    origin: Origin


def available(runs: Path | None = None) -> list[Entry]:
    """All checkpoints that can be used by name; a broken one is left out, and the log says why.

    Args:
        runs: folder of run folders, of which each lends its name to its newest checkpoint; ./runs if None.
    Returns:
        built-in ones, downloaded ones, runs; each sorted by name. Where two have the same name, the first keeps it, and
        the other is called `downloaded/NAME`, or by the folder of its run.
    """
    entries: dict[str, Entry] = {}
    for origin, name, folder, long_name in _places(runs):
        config = _whole(folder)
        if config is not None:
            unique = name if name not in entries else long_name
            entries[unique] = Entry(unique, folder, config, origin)
    return list(entries.values())


def find(name_or_folder: str | Path, runs: Path | None = None) -> Entry:
    """The checkpoint that a name or a folder means.

    Args:
        name_or_folder: a checkpoint folder, a run folder (its newest whole checkpoint is meant), or a name out of
            `available(runs)`. A folder that exists goes before a name.
        runs: as for `available`.
    Raises:
        UserError: there is none, or its files are missing or damaged. It suggests names that look alike.
    """
    path = Path(name_or_folder).expanduser()
    if path.is_file() and path.suffix in (".pth", ".pt"):
        raise UserError(f"{path} holds bare weights; make a checkpoint of it first: translate import {path} -o FOLDER")
    if (path / CONFIG_FILE).is_file():
        return Entry(str(path), path, check_checkpoint(path), "folder")
    if newest := newest_checkpoint(path):
        return Entry(str(path), newest, check_checkpoint(newest), "run")
    entries = available(runs)
    for entry in entries:
        if str(name_or_folder) in (entry.name, f"{entry.origin}/{entry.name}"):
            return entry
    raise UserError(_not_found(name_or_folder, entries, runs))


def resolve(name_or_folder: str | Path, runs: Path | None = None) -> Path:
    """The checkpoint folder that a name or a folder means; see `find`."""
    return find(name_or_folder, runs).folder


def newest_checkpoint(run: Path) -> Path | None:
    """The whole checkpoint of the highest step in a run folder (RUN/checkpoints/step-00001000), or None."""
    for folder in _steps(run):
        if _whole(folder) is not None:
            return folder
    return None


def _places(runs: Path | None) -> Iterator[tuple[Origin, str, Path, str]]:
    """Origin, name, checkpoint folder and longer name of all that may be a checkpoint."""
    for folder in _folders(BUILT_IN):
        yield "built-in", folder.name, folder, f"built-in/{folder.name}"
    for folder in _folders(home() / "checkpoints"):
        yield "downloaded", folder.name, folder, f"downloaded/{folder.name}"
    for run in _folders(RUNS if runs is None else runs):
        if newest := newest_checkpoint(run):
            yield "run", run.name, newest, str(run)


def _folders(parent: Path) -> list[Path]:
    """The folders in a folder, sorted by name, without hidden ones: unfinished checkpoints are such."""
    try:
        return sorted(path for path in parent.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("Cannot look for checkpoints in %s: %s", parent, error.strerror)
        return []


def _steps(run: Path) -> list[Path]:
    """A run's checkpoint folders, the highest step first."""
    numbered = [
        (int(match[1]), folder)
        for folder in _folders(run / "checkpoints")
        if (match := re.fullmatch(r"step-(\d+)", folder.name))
    ]
    return [folder for _, folder in sorted(numbered, reverse=True)]


def _whole(folder: Path) -> CheckpointConfig | None:
    try:
        return check_checkpoint(folder)
    except UserError as error:
        log.warning("Left out a checkpoint: %s", error)
        return None


def _not_found(wanted: str | Path, entries: list[Entry], runs: Path | None) -> str:
    names = [entry.name for entry in entries]
    path = Path(wanted).expanduser()
    if path.is_dir():
        broken = _steps(path)
        if broken:
            return f"{path} has no whole checkpoint; the newest is damaged: {broken[0]}."
        reason = f"{path} is a folder, but no checkpoint ({CONFIG_FILE} is missing) and no run with checkpoints."
    else:
        reason = f"There is no checkpoint {wanted}."
    lower = {name.lower(): name for name in names}
    near = [lower[name] for name in difflib.get_close_matches(str(wanted).lower(), lower, n=3)]
    if near:
        return f"{reason} Did you mean {' or '.join(near)}?"
    if names:
        more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
        return f"{reason} There are: {', '.join(names[:LISTED])}{more}."
    return f"{reason} None are built in, downloaded, or in {RUNS if runs is None else runs}; see `translate pull`."
