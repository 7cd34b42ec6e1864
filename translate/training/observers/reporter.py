"""Telling people what happens: on the terminal, and to Weights & Biases."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from translate.tracking.weights_and_biases import Tracker
from translate.training.observers.progress import TrainingProgress
from translate.training.observers.protocol import RunFacts


class Reporter:
    """Says sentences above the progress bar, keeps warnings for the history, and owns the tracker.

    Args:
        facts: of the run.
        progress: the progress bar.
        tracker_id: of the tracked run that is continued; None for a new one.
    """

    def __init__(self, facts: RunFacts, progress: TrainingProgress, tracker_id: str | None) -> None:
        self.facts = facts
        self.progress = progress
        self.tracker_id = tracker_id
        self.tracker: Tracker | None = None
        self.pending: list[str] = []
        """Warnings that are not yet in the history."""
        self.unreadable = 0

    def __enter__(self) -> Self:
        if self.facts.main:
            config = self.facts.config
            self.tracker = Tracker(config, config.run.dir, self.tracker_id)
            self.tracker_id = self.tracker.run_id
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.tracker:
            exit_code = 0 if error is None else getattr(error, "code", 1)
            for note in self.tracker.finish(exit_code=exit_code):
                self.say(note)

    def say(self, sentence: str) -> None:
        """Print a sentence above the progress bar; only the main process is heard."""
        self.progress.say(sentence)

    def warn(self, step: int, sentences: Sequence[str]) -> None:
        """Say warnings, send them to the tracker, and keep them for the next row of the history."""
        for sentence in sentences:
            self.say(f"Warning at step {step}: {sentence}")
            if self.tracker:
                self.tracker.warn(sentence)
        self.pending += sentences

    def skipped(self, problems: Sequence[str]) -> None:
        """Name images that could not be read and were replaced by others."""
        for problem in problems:
            self.unreadable += 1
            self.say(f"Skipped {problem} ({self.unreadable} unreadable so far).")
