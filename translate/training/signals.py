"""Ctrl-C and SIGTERM: the step under way is finished and saved before the run leaves."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Self

import torch
import torch.distributed


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
