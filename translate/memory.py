"""How the process gets memory from the system, for programs to decide: a training run, the studio. It knows no PyTorch.

What is decided concerns the whole process, so a library that somebody imports has no business doing it by itself. These
are options of the GNU C library's mallopt; elsewhere they do nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
from pathlib import Path

import psutil

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # <malloc.h>
LARGE = 2**20
"""Bytes from which a block is a large one."""
HEAPS = 2
"""That all threads share, after `share_heaps`."""


def separate_large_blocks() -> bool:
    """Get every large block from the system by itself, and give it back whole: for what comes and stays.

    The library does so with the first ones and then, learning from what is freed, cuts the next out of its heap. What
    was freed between two weights there fits nothing later: a fifth of a pix2pix run's memory (docs/performance.md).

    Returns:
        whether it was done.
    """
    return _set(M_MMAP_THRESHOLD, LARGE)


def keep_freed_memory() -> bool:
    """Keep memory that is freed for the next images, instead of handing it back to the system.

    The library gives every large block back at once and asks for it again a moment later, and the system must fill it
    with zeros page by page: a quarter of the time of a pix2pix step on a CPU (docs/performance.md). It is for what
    comes and goes, so call it when what stays is there.

    Returns:
        whether it was done.
    """
    return _set(M_MMAP_THRESHOLD, 2**30) and _set(M_TRIM_THRESHOLD, 2**31 - 1)


def share_heaps() -> bool:
    """Have all threads share two heaps; to be called before there are threads.

    The library gives each thread one of its own, which keeps what the largest picture in it took: the memory of a
    studio that serves mixed sizes, with Gradio's forty threads, grew by tens of megabytes with every twenty visitors.

    Returns:
        whether it was done.
    """
    return _set(M_ARENA_MAX, HEAPS)


def peak_memory() -> int:
    """Bytes that this process held at most; not those of the one that started it, as getrusage may count them."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    memory = psutil.Process().memory_info()
    return int(getattr(memory, "peak_wset", memory.rss))


def _set(option: int, value: int) -> bool:
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            return bool(ctypes.CDLL(None).mallopt(option, value))
    return False
