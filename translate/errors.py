"""The one exception a user is meant to read."""

from __future__ import annotations


class UserError(Exception):
    """Something the user can put right: says what is wrong, with which file, and what to do.

    The command line prints its text without a traceback and leaves with exit code 2; the studio shows it in the page.
    """
