"""Who may see and steer which training.

A studio that serves its own computer alone, or asks for a password, is private: everybody there may do everything. An
open one is used by strangers. Each browser then keeps a random token, and a run belongs to the one that started it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from translate.errors import UserError

if TYPE_CHECKING:
    from translate.runs.listing import Run

OWNER_FILE = "owner"
LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


def is_private(host: str, auth: object, share: bool) -> bool:
    """Whether only people of this computer, or with its password, reach a studio that listens on `host`."""
    return bool(auth) or (host.strip("[]") in LOCAL_HOSTS and not share)


def new_visitor() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(24)


def claim(run: Path, visitor: str) -> None:
    """Note that a run belongs to a visitor; their token itself is kept nowhere."""
    (run / OWNER_FILE).write_text(_mark(visitor), encoding="utf-8")


def owns(run: Path, visitor: str) -> bool:
    """Whether a visitor of an open studio started this run."""
    try:
        return bool(visitor) and hmac.compare_digest((run / OWNER_FILE).read_text(encoding="utf-8"), _mark(visitor))
    except OSError:
        return False


def visible_runs(runs: Path, visitor: str, private: bool) -> list[Run]:
    """The runs that a visitor may see, the newest first."""
    if not runs.is_dir():
        return []
    from translate.runs.listing import list_runs

    return [run for run in list_runs(runs) if private or owns(run.folder, visitor)]


def visible_run(runs: Path, name: str, visitor: str, private: bool) -> Run:
    """One of `visible_runs`. Raises UserError where there is none of this name."""
    from translate.runs.listing import find_run

    run = find_run(runs, name)
    if not private and not owns(run.folder, visitor):
        raise UserError(f"There is no training called {name} any more.")
    return run


def _mark(visitor: str) -> str:
    return hashlib.sha256(visitor.encode()).hexdigest()
