"""How the process gets its memory from the system: settings of the C library's allocator.

They concern the whole process, so only a program makes them, a command or the studio, and never a library that somebody
imports. They are options of the GNU C library's mallopt; with other C libraries they do nothing. This module does not
import PyTorch.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # <malloc.h>
LARGE = 2**20
"""Number of bytes from which a block of memory counts as large."""
HEAPS = 2
"""Number of heaps that all threads share after `share_heaps`."""


def separate_large_blocks() -> bool:
    """Get every large block of memory from the system by itself, and give it back whole.

    By default the library does so with the first large blocks and then, learning from what is freed, cuts the next ones
    out of its heap. What is freed there between two blocks that stay fits nothing later: without this setting a pix2pix
    run held a fifth more memory (docs/performance.md). It is for the time in which weights and moments are made.

    Returns:
        whether the library took the setting.
    """
    return _set(M_MMAP_THRESHOLD, LARGE)


def keep_freed_memory() -> bool:
    """Keep memory that is freed for the next images, instead of handing it back to the system.

    By default the library gives every large block back at once and asks for it again a moment later, and the system has
    to fill it with zeros page by page. That took a quarter of a pix2pix step on a CPU (docs/performance.md). It is for
    memory that comes and goes: call it when everything that stays has been made.

    Returns:
        whether the library took the setting.
    """
    return _set(M_MMAP_THRESHOLD, 2**30) and _set(M_TRIM_THRESHOLD, 2**31 - 1)


def share_heaps() -> bool:
    """Have all threads share two heaps. Call it before there are threads.

    By default the library gives each thread a heap of its own, which keeps what the largest picture in it took. The
    memory of a studio that serves pictures of mixed sizes with Gradio's forty threads grew by tens of megabytes with
    every twenty visitors.

    Returns:
        whether the library took the setting.
    """
    return _set(M_ARENA_MAX, HEAPS)


def _set(option: int, value: int) -> bool:
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            return bool(ctypes.CDLL(None).mallopt(option, value))
    return False
