"""Batches: reproducible from the seed alone, whatever the number of workers, and from any step on.

A run that is stopped and resumed sees the batches that it would have seen.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from translate.data.dataset import (
    Purpose,
    Sample,
    TranslationDataset,
    local_processes,
    permutation,
    size_text,
)
from translate.errors import UserError

__all__ = ["Sample", "TranslationDataset", "choose_workers", "make_loader", "steps_per_epoch"]


def steps_per_epoch(dataset: TranslationDataset, batch_size: int, processes: int) -> int:
    """Whole batches of all processes together in an epoch, but at least one (a small folder then wraps around)."""
    return max(1, len(dataset) // (batch_size * processes))


def make_loader(
    dataset: TranslationDataset,
    *,
    batch_size: int,
    seed: int,
    first_step: int = 0,
    process: int = 0,
    processes: int = 1,
    workers: int | None = None,
    serial: bool = False,
) -> DataLoader[Sample]:
    """Batches without end, beginning with that of `first_step`.

    A batch is a function of (seed, step, process, processes): process r takes the r-th slice of a global batch, so
    that 2 processes at batch 1 see what 1 process sees at batch 2. No number is drawn from torch's, NumPy's or Python's
    global random state. Iterating a second time begins with `first_step` again.

    Args:
        dataset: the samples.
        batch_size: images of each domain in each process.
        workers: loading processes; None chooses for the machine, 0 loads in this process.
        serial: take the images in order instead of shuffling them each epoch.
    Returns:
        a loader of {"A": (N, C, H, W), "B": …, "A_path": list[str], "B_path": list[str], "skipped": list[str]}, and
        where there are masks "mask_A": (N, 1, H, W), "has_mask_A": (N, 1, 1, 1), … While iterating it raises the
        UserErrors of the dataset, also those of its workers.
    """
    order = _Order(dataset, batch_size, seed, first_step, process, processes, serial or dataset.config.serial)
    count = choose_workers(dataset, batch_size, processes) if workers is None else workers
    return _Loader(
        _Guarded(dataset),
        batch_sampler=order,
        collate_fn=_collate,
        num_workers=count,
        persistent_workers=count > 0,
        prefetch_factor=4 if count else None,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator().manual_seed(seed),
        worker_init_fn=_start_worker,
    )


def choose_workers(dataset: TranslationDataset, batch_size: int, processes: int) -> int:
    """Loading processes for this machine: none where a training process has two cores or fewer, else up to eight."""
    here = local_processes(processes)
    cores = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) // here
    if cores <= 2:
        return 0
    count = min(8, cores - 1)
    if Path("/dev/shm").is_dir():  # batches travel through it, and containers often have 64 MB of it
        side = max(dataset.config.crop_size, dataset.config.load_size)
        batch = batch_size * (sum(dataset.channels) + 2 * dataset.has_masks) * side * side * 4
        count = min(count, shutil.disk_usage("/dev/shm").free // (2 * 5 * batch * here))
    return count


class _Order:
    """Endless lists of (epoch, index), one a step."""

    def __init__(
        self,
        dataset: TranslationDataset,
        batch_size: int,
        seed: int,
        first_step: int,
        process: int,
        processes: int,
        serial: bool,
    ) -> None:
        self.length, self.steps = len(dataset), steps_per_epoch(dataset, batch_size, processes)
        self.batch_size, self.seed, self.serial = batch_size, seed, serial
        self.first_step, self.process, self.processes = first_step, process, processes

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        step = self.first_step
        while True:
            epoch, place = divmod(step, self.steps)
            start = (place * self.processes + self.process) * self.batch_size
            rounds = [divmod(position, self.length) for position in range(start, start + self.batch_size)]
            if not self.serial:
                order = permutation(self.seed, epoch, Purpose.ORDER, self.length)
                rounds = [(turn, int(order[position])) for turn, position in rounds]
            yield [(epoch, turn * self.length + index) for turn, index in rounds]
            step += 1


class _Guarded(Dataset[Any]):
    """Hands a UserError on as a value: as an exception, DataLoader would wrap the worker's traceback into its text."""

    def __init__(self, dataset: TranslationDataset) -> None:
        self.dataset = dataset

    def __getitem__(self, key: tuple[int, int]) -> Sample | UserError:
        try:
            return self.dataset[key]
        except UserError as error:
            return error


class _Loader(DataLoader[Sample]):
    """Raises the UserErrors that arrive as values, and tells when a worker was killed."""

    def __iter__(self) -> Iterator[Sample]:  # type: ignore[override]
        batches = super().__iter__()
        while True:
            try:
                batch = next(batches)
            except RuntimeError as error:
                if not re.search("DataLoader worker .*(exited unexpectedly|is killed by signal)", str(error)):
                    raise
                raise UserError(
                    "A loading process was killed, most likely for lack of memory; lower data.cache_gb or "
                    "data.workers, or give the container more shared memory (docker run --shm-size=1g)."
                ) from error
            if isinstance(batch, UserError):
                # The workers end here, and not only when the traceback that holds this frame is forgotten.
                self._iterator = None
                del batches
                raise batch
            yield batch


def _collate(samples: Sequence[Sample | UserError]) -> Sample | UserError:
    good = []
    for sample in samples:
        if isinstance(sample, UserError):
            return sample
        good.append(sample)
    for name in ("A", "B"):
        for sample in good:
            if sample[name].shape != good[0][name].shape:
                one, other = (f"{each[name + '_path']} is {size_text(each[name][0])}" for each in (good[0], sample))
                return UserError(
                    f"Images of different sizes cannot share a batch: once scaled, {one} and {other}; set "
                    "optim.batch_size to 1, or data.preprocess to a mode that crops."
                )
    tensors = [name for name, value in good[0].items() if isinstance(value, torch.Tensor)]
    return {
        **{name: torch.stack([sample[name] for sample in good]) for name in tensors},
        "A_path": [sample["A_path"] for sample in good],
        "B_path": [sample["B_path"] for sample in good],
        "skipped": [note for sample in good for note in sample["skipped"]],
    }


def _start_worker(_: int) -> None:
    import cv2

    cv2.setNumThreads(0)  # the workers are the threads
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the training loop's to handle
