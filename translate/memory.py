"""How the process gets memory from the system, for programs to decide: a training run, the studio. It knows no PyTorch.

Both concern the whole process, so a library that somebody imports has no business calling them by itself. They are
options of the GNU C library's mallopt; elsewhere they do nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # <malloc.h>
HEAPS = 2
"""That all threads share, after `share_heaps`."""


def keep_freed_memory() -> bool:
    """Keep memory that is freed for the next images, instead of handing it back to the system.

    The library gives every large block back at once and asks for it again a moment later, and the system must fill it
    with zeros page by page: a quarter of the time of a pix2pix step on a CPU (docs/performance.md).

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


def _set(option: int, value: int) -> bool:
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library
            return bool(ctypes.CDLL(None).mallopt(option, value))
    return False
