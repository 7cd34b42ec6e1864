"""Reads back what an offline run of Weights & Biases wrote, in its own format: LevelDB's log of protobuf records."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HEADER, BLOCK, CHUNK_HEAD = 7, 32768, 7
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(path: Path) -> Iterator[bytes]:
    """The records of a .wandb file; long ones are cut into chunks that never cross a block of 32 KiB."""
    contents = path.read_bytes()
    position, record = HEADER, b""
    while position + CHUNK_HEAD <= len(contents):
        left = BLOCK - position % BLOCK
        if left < CHUNK_HEAD:
            position += left
            continue
        _, length, kind = struct.unpack("<IHB", contents[position : position + CHUNK_HEAD])
        record += contents[position + CHUNK_HEAD : position + CHUNK_HEAD + length]
        position += CHUNK_HEAD + length
        if kind in (FULL, LAST):
            yield record
            record = b""


def history(path: Path) -> list[dict[str, Any]]:
    """The rows that were logged, as W&B keeps them: `_step` and the logged names."""
    from wandb.proto.wandb_internal_pb2 import Record

    rows = []
    for contents in records(path):
        record = Record.FromString(contents)
        if record.HasField("history"):
            items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            rows.append(items | {"_step": record.history.step.num})
    return rows
