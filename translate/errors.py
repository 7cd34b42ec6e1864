"""The one exception a user is meant to read."""

from __future__ import annotations

import signal


class UserError(Exception):
    """Something the user can put right: says what is wrong, with which file, and what to do.

    The command line prints its text without a traceback and leaves with exit code 2; the studio shows it in the page.
    """


class TrainingStopped(Exception):
    """A training was told to stop by a signal and has saved itself; `code` is the exit code (130 for Ctrl-C)."""

    def __init__(self, signum: int) -> None:
        super().__init__(signal.Signals(signum).name)
        self.code = 128 + signum
