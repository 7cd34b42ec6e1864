"""The progress bar: steps done, rate, time left, the newest losses. Without a terminal it is lines."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

from translate.terminal import plain_console, text_column

LINE_SECONDS = 10
"""Without a terminal at most one line is printed in this many seconds."""


class TrainingProgress:
    """Shows a run's progress on the main process and nothing on the others."""

    def __init__(self, done: int, total: int, shown: bool) -> None:
        self.console = plain_console(stderr=True, quiet=not shown)
        self.total = total
        self.printed = 0.0
        self.bar = Progress(
            text_column("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            text_column("{task.fields[rate]}"),
            TimeElapsedColumn(),
            text_column("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            text_column("{task.fields[losses]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.bar.add_task("training", total=total, completed=done, rate="", losses="")

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bar.stop()

    def say(self, sentence: str) -> None:
        """Print a sentence above the bar."""
        self.console.print(sentence, soft_wrap=True)

    def advance(self, step: int) -> None:
        """`step` steps are done."""
        self.bar.update(self.task, completed=step)

    def report(
        self, step: int, losses: Mapping[str, float], rate: float, utilisation: float, seconds_left: float
    ) -> None:
        """Show the newest losses, the rate in images a second, and the share of the machine's arithmetic in use."""
        shown = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
        speed = f"{rate:.1f} img/s, {utilisation:.0%} of peak"
        self.bar.update(self.task, completed=step, rate=speed, losses=shown)
        now = time.monotonic()
        if not self.console.is_terminal and (now - self.printed > LINE_SECONDS or step >= self.total):
            self.printed = now
            minutes, seconds = divmod(round(seconds_left), 60)
            left = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
            self.say(f"step {step}/{self.total}  {speed}  {left} left  {shown}")
