"""What ends a run early: Ctrl-C and SIGTERM, and errors whose cause lies in another process.

After a signal the step under way is finished and saved before the run leaves.
"""

from __future__ import annotations

import errno
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Self

import torch
import torch.distributed
from safetensors import SafetensorError

from translate.errors import UserError


class StopSignals:
    """Remembers the first SIGINT or SIGTERM; the second one acts as usual, for those who cannot wait."""

    def __init__(self) -> None:
        self.signum = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for signum in (signal.SIGINT, signal.SIGTERM):
                self._before[signum] = signal.signal(signum, self._remember)
        return self

    def __exit__(self, *_: object) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _remember(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum
        self.__exit__()

    def agreed(self, device: torch.device) -> int:
        """The signal that any process got, so that all stop after the same step; 0 for none. Call it on all at once."""
        if not torch.distributed.is_initialized():
            return self.signum
        flag = torch.tensor(self.signum, device=device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MAX)
        return int(flag)


def explain(error: BaseException, folder: Path, saved_step: int) -> UserError | None:
    """A sentence for a failure that is not this program's; None for any other.

    Args:
        error: what ended the run.
        folder: the run folder.
        saved_step: step of its newest state.
    """
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
    if full or (isinstance(error, SafetensorError) and "os error 28" in str(error)):  # ENOSPC, as Rust words it
        kept = f"The state of step {saved_step} is whole" if saved_step else "Nothing was saved yet"
        return UserError(f"The disk of {folder} is full. {kept}; make room and go on with --resume.")
    if isinstance(error, SafetensorError | OSError):
        return UserError(f"Cannot write to {folder} ({error}); put that right and go on with --resume.")
    if not isinstance(error, RuntimeError):  # torch.distributed's own errors are RuntimeErrors too
        return None
    words = str(error)
    if "DataLoader worker" in words:
        return UserError(
            f"A process that loads images was killed ({error}); machines do so when memory runs out. "
            "Go on with --resume, perhaps with a smaller --data.workers or --data.cache_gb."
        )
    if isinstance(error, torch.distributed.DistError) or "gloo" in words.lower() or "NCCL" in words:
        return UserError(
            f"Another process of this run has ended or cannot be reached, so this one stops too. {folder} holds the "
            f"state of step {saved_step}; go on with --resume, with any number of processes."
        )
    return None
