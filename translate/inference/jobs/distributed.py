"""One list of files shared by several processes (`torchrun --nproc-per-node 4 -m translate run …`).

torchrun tells each process its number and how many there are in RANK and WORLD_SIZE. Setting these two by hand works as
well, on machines that share nothing but a disk; then each process knows of its own failures only.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed

from translate.errors import UserError

LONGEST_WAIT = timedelta(days=30)
"""Longest time that a process waits for the others to finish: their images may be larger."""

Item = TypeVar("Item")


def process_rank() -> tuple[int, int]:
    """This process's number, and how many processes there are.

    Raises:
        UserError: RANK and WORLD_SIZE are no such numbers.
    """
    rank, size = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not (rank.isdecimal() and size.isdecimal() and int(rank) < int(size)):
        raise UserError(f"RANK={rank} and WORLD_SIZE={size} should say which of how many processes this is.")
    return int(rank), int(size)


def share(items: Sequence[Item]) -> list[Item]:
    """The items that this process takes; together all processes take each item once."""
    rank, size = process_rank()
    return list(items[rank::size])


def own_device(wish: str) -> str:
    """The device of this process: with the wish "auto" a GPU of its own, where there are several."""
    if wish == "auto" and "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        return f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"
    return wish


def gather_results(items: list[Item]) -> list[Item]:
    """Wait for all processes, and return the items of all of them in the first process and none in the others.

    torchrun ends all processes as soon as one leaves with an error, so none may do that before the rest is done.
    """
    rank, size = process_rank()
    if size == 1 or "MASTER_ADDR" not in os.environ:
        return items
    parts: list[list[Item]] = [[] for _ in range(size)]
    torch.distributed.init_process_group("gloo", timeout=LONGEST_WAIT)
    torch.distributed.all_gather_object(parts, items)
    torch.distributed.destroy_process_group()
    return [item for part in parts for item in part] if rank == 0 else []
