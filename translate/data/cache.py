"""Decoded images in memory that all loading processes share: what one of them decodes, none decodes again.

One arena, filled from front to back and never emptied; when it is full, the remaining images are decoded each time
they are needed. Pages of memory are taken only as they are written. On Linux the arena is an anonymous file (memfd),
which the small /dev/shm of a container does not limit; elsewhere it is named shared memory.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import shutil
from multiprocessing import reduction, shared_memory
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from translate.data.formats import Pixels

_ALIGNMENT = 64
_FIELDS = 4  # of a slot: 1 + offset (0: absent), height, width, channels (negative: uint16)


class DecodedCache:
    """(H, W, C) images by slot number; safe to use from several processes at once, forked or spawned.

    Args:
        slots: how many different images there are.
        limit: bytes that all of them may take; no more than half of the memory that is free is used. 0 turns it off.
        sharers: training processes on this machine with a cache each, between which the limit is divided.
    """

    def __init__(self, slots: int, limit: int, sharers: int = 1) -> None:
        self.slots = slots
        self.limit = max(0, min(limit, free_memory() // 2)) // sharers
        self._header = _aligned((1 + slots * _FIELDS) * 8)
        if self.limit:
            # Of the spawn kind, which forked processes can use as well.
            self._lock = multiprocessing.get_context("spawn").Lock()
            self._arena = _Arena(self._header + self.limit)

    def _table(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Views of the arena's head: how many bytes are used, and the entries of the slots."""
        numbers = np.frombuffer(self._arena.buffer, np.int64, 1 + self.slots * _FIELDS)
        return numbers[:1], numbers[1:].reshape(self.slots, _FIELDS)

    def get(self, slot: int) -> Pixels | None:
        """The image in a slot, as a read-only view of the shared memory, or None."""
        if not self.limit:
            return None
        with self._lock:  # for the memory barrier: an entry is read after it is written in full
            start, height, width, depth = (int(number) for number in self._table()[1][slot])
        if not start:
            return None
        kind: type[np.unsignedinteger[Any]] = np.uint16 if depth < 0 else np.uint8
        count = height * width * abs(depth)
        flat: Pixels = np.frombuffer(self._arena.buffer, kind, count, self._header + start - 1)
        array = flat.reshape(height, width, abs(depth))
        array.flags.writeable = False
        return array

    def put(self, slot: int, array: Pixels) -> bool:
        """Keep an image, if there is room and the slot is free. True if it was stored."""
        if not self.limit:
            return False
        size = _aligned(array.nbytes)
        used, entries = self._table()
        with self._lock:
            start = int(used[0])
            if entries[slot, 0] or start + size > self.limit:
                return False
            used[0] = start + size
        # The copying is done outside the lock; two processes that decode the same image at once cost its space twice.
        room = np.frombuffer(self._arena.buffer, np.uint8, array.nbytes, self._header + start)
        room[:] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        height, width, channels = array.shape
        with self._lock:
            entries[slot] = (start + 1, height, width, -channels if array.dtype == np.uint16 else channels)
        return True

    def used(self) -> int:
        """Bytes taken so far by all processes."""
        return int(self._table()[0][0]) if self.limit else 0


class _Arena:
    """Shared memory that can be sent to a process as it is spawned."""

    def __init__(self, size: int) -> None:
        self.size = size
        if hasattr(os, "memfd_create"):
            self._file = os.memfd_create("translate-cache", os.MFD_CLOEXEC)
            os.truncate(self._file, size)
            self.buffer: mmap.mmap | memoryview = mmap.mmap(self._file, size)
        else:
            self._shared = shared_memory.SharedMemory(create=True, size=size)
            self._owner = os.getpid()
            self.buffer = memoryview(self._shared.buf or b"")

    def __getstate__(self) -> dict[str, Any]:
        if hasattr(self, "_file"):
            return {"size": self.size, "file": reduction.DupFd(self._file)}
        return {"size": self.size, "name": self._shared.name}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.size = state["size"]
        if "file" in state:
            self._file = state["file"].detach()
            self.buffer = mmap.mmap(self._file, self.size)
        else:
            self._shared = shared_memory.SharedMemory(state["name"])
            self._owner = 0
            self.buffer = memoryview(self._shared.buf or b"")

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            os.close(self._file)  # the memory goes with the last process that has it mapped
        elif hasattr(self, "_shared") and self._owner == os.getpid():
            self._shared.unlink()


def free_memory() -> int:
    """Bytes that this process may still take: of the machine, of its container, and of /dev/shm where that counts."""
    amounts = []
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            amounts.append(int(line.split()[1]) * 1024)
    limit, current = _lines("/sys/fs/cgroup/memory.max"), _lines("/sys/fs/cgroup/memory.current")
    if limit and current and limit[0].isdigit():
        amounts.append(int(limit[0]) - int(current[0]))
    if not hasattr(os, "memfd_create") and Path("/dev/shm").is_dir():
        amounts.append(shutil.disk_usage("/dev/shm").free)
    return max(0, min(amounts, default=8 * 2**30))


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
