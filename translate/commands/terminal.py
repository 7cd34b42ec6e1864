"""What the commands print with."""

from __future__ import annotations

from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

from translate.terminal import plain_console, text_column

console = plain_console()


class Download:
    """A progress bar for one download: call it with the bytes done and in all (none where the server does not say)."""

    def __init__(self, name: str) -> None:
        columns = (text_column("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, console=plain_console(stderr=True))
        self.task = self.bar.add_task(name, total=None)

    def __call__(self, done: int, total: int | None) -> None:
        self.bar.update(self.task, completed=done, total=total)
