"""Peak memory of this process."""

from __future__ import annotations

from pathlib import Path

import psutil


def peak_memory() -> int:
    """The most bytes that this process has held; not those of the one that started it, which getrusage may count."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))
