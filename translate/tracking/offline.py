"""Read the .wandb files that W&B keeps on this disk: LevelDB's log format with one protobuf message a record."""

from __future__ import annotations

import json
import os
import struct
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER, BLOCK, CHUNK_HEAD = 7, 32768, 7
FULL, LAST = 1, 4


def records(contents: bytes) -> Iterator[tuple[bytes, int]]:
    """The whole records of a .wandb file and where each ends; long ones are cut into chunks within blocks of 32 KiB."""
    position, record = HEADER, b""
    while position + CHUNK_HEAD <= len(contents):
        left = BLOCK - position % BLOCK
        if left < CHUNK_HEAD:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", contents[position : position + CHUNK_HEAD])
        end = position + CHUNK_HEAD + length
        if kind == 0 or end > len(contents):
            return
        record += contents[position + CHUNK_HEAD : end]
        position = end
        if kind in (FULL, LAST):
            yield record, position
            record = b""


def mend(folder: Path, run_id: str) -> None:
    """Cut off what a kill left of a last record in a run's offline sessions.

    `wandb sync` refuses to go on behind a torn record, and would send neither the session nor those after it.
    """
    for path in folder.glob(f"offline-run-*/run-{run_id}.wandb"):
        contents = path.read_bytes()
        whole = max((end for _, end in records(contents)), default=HEADER)
        if whole < len(contents):
            os.truncate(path, whole)


def wait_for_end(path: Path, seconds: float = 10.0) -> None:
    """Wait until a .wandb file is whole: the client says that a run has ended a moment before it is all on disk."""
    from wandb.proto.wandb_internal_pb2 import Record

    until = time.monotonic() + seconds
    while time.monotonic() < until:
        last = deque(records(path.read_bytes()), maxlen=1) if path.exists() else ()
        if any(Record.FromString(record).HasField("exit") for record, _ in last):
            return
        time.sleep(0.05)


def logged_rows(path: Path) -> list[dict[str, Any]]:
    """The rows that a .wandb file holds, as W&B keeps them: `_step` and the logged names."""
    from wandb.proto.wandb_internal_pb2 import Record

    rows = []
    for contents, _ in records(path.read_bytes()):
        record = Record.FromString(contents)
        if record.HasField("history"):
            items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            rows.append(items | {"_step": record.history.step.num})
    return rows


def last_logged_step(folder: Path, run_id: str) -> int:
    """The newest step of a run in a `wandb` folder, over all its sessions; -1 where there is none."""
    files = folder.glob(f"*run-*/run-{run_id}.wandb")
    return max((row["_step"] for file in files for row in logged_rows(file)), default=-1)
