"""What the page says: its head, what stands where nothing is yet, progress, notes and problems."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from translate.pages.fragments import Markup, fragments

_render = fragments(Path(__file__).with_name("templates") / "messages.html")


def masthead() -> Markup:
    """The head of the page."""
    return _render("masthead")


def welcome() -> Markup:
    """How to get a checkpoint, for a computer that has none."""
    from translate.models import DEFAULT_MODEL

    return _render("welcome", DEFAULT_MODEL)


def no_drawing() -> Markup:
    """What stands in the Draw tab where no checkpoint reads drawings."""
    return _render("no_drawing")


def no_runs() -> Markup:
    """What stands in the Runs tab before anything was trained."""
    return _render("no_runs")


def hint(source: str, target: str) -> Markup:
    """What stands in the result's place before there is one."""
    return _render("empty", f"{source} → {target}", "Add a picture, and its translation appears here.")


def batch_hint() -> Markup:
    """What the Batch tab is for."""
    words = "Add some, or a zip of a whole folder: their translations come back as a zip, names kept."
    return _render("empty", "Many pictures at once", words)


def video_hint() -> Markup:
    """What the Video tab is for."""
    words = "Add one: its translation comes back with the sound it had."
    return _render("empty", "A film, frame by frame", words)


def there_and_back(source: str, target: str) -> Markup:
    """What stands above the round trip."""
    return _render("there_and_back", source, target)


def note(words: str) -> Markup:
    """A quiet line under a result."""
    return _render("note", words)


def progress(words: str, done: int, total: int | None) -> Markup:
    """A bar with words beside it; it only moves to and fro where nobody knows how much there is."""
    return _render("progress", words, done, total)


def estimate(quality: str, time: str, machine: str, basis: str) -> Markup:
    """How long a training may take on which machine, and what that is known from."""
    return _render("estimate", quality, time, machine, basis)


def problem(sentence: str) -> Markup:
    """A sentence in the place of a result, when something went wrong."""
    return _render("problem", sentence)


def refusal(sentence: str) -> Markup:
    """A sentence below what was asked for, when something was not right with it."""
    return _render("refusal", sentence)


def left_out(sentences: Sequence[str]) -> Markup:
    """What did not work, one line each; nothing where all did."""
    return _render("left_out", sentences) if sentences else Markup()
