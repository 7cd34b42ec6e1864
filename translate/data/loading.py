"""Samples and batches: reproducible from the seed alone, whatever the number of workers, and from any step on.

Every random draw has a stream of its own, numbered by (seed, epoch, index, purpose), so nothing depends on what was
drawn before or by which process: a run that is stopped and resumed sees the batches that it would have seen.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from translate.config import DataConfig
from translate.data.cache import DecodedCache
from translate.data.folders import Domain, check_side_by_side, find_images, has_split
from translate.data.formats import Pixels
from translate.data.images import UnreadableImage, read_array, to_tensor
from translate.data.transforms import Augment, check_sizes, prepare
from translate.errors import UserError

Sample = dict[str, Any]
"""A, B: FloatTensor (C, H, W) in [-1, 1]; A_path, B_path: str; skipped: list[str], "file: reason" of each new one."""

_ORDER, _ORDER_A, _PARTNER, _DRAW_A, _DRAW_B = range(5)  # purposes of the random streams
_CACHE_SHARE = "LOCAL_WORLD_SIZE"  # torchrun's count of the training processes on this machine


class TranslationDataset(Dataset[Sample]):
    """Images of two domains, by (epoch, index); see `make_dataset`."""

    def __init__(
        self,
        config: DataConfig,
        *,
        channels: tuple[int, int],
        paired: bool,
        seed: int,
        training: bool = True,
        multiple: int = 1,
    ) -> None:
        check_sizes(config, multiple, training)
        split = config.split
        if not training and has_split(config.root, config.val_split):
            split = config.val_split
        folders = find_images(config.root, split=split, layout=config.layout, paired=paired, limit=config.limit)
        self.config = config
        self.layout = folders.layout
        self.split = split
        self.paired = paired
        self.training = training
        self.multiple = multiple
        self.seed = seed
        self.channels = channels
        # From here on A is what the model reads and B what it makes: the direction is applied.
        self.domains: tuple[Domain, Domain] = (folders.A, folders.B)
        if config.direction == "b2a":
            self.domains = (folders.B, folders.A)
        share = max(1, int(os.environ.get(_CACHE_SHARE, "1")))
        sizes = [len(domain) for domain in self.domains]
        # Validation images are few and seldom looked at; the memory is for training.
        self.cache = DecodedCache(sum(sizes), int(config.cache_gb * 2**30) // share if training else 0)
        self._first_slot = (0, sizes[0])
        self._augment = Augment(config, paired) if training else None
        self._unreadable: dict[tuple[int, int], UnreadableImage] = {}  # of this process; a pair's stand at (0, index)

    def __len__(self) -> int:
        """Samples an epoch: pairs, or as many as the larger domain has images."""
        return max(len(domain) for domain in self.domains)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The sample of an (epoch, index). An index past the end wraps around, with other random numbers.

        An unreadable image is replaced by the next one in order, the same in every run, and named in `skipped` when
        this process first meets it.

        Raises:
            UnreadableImage: with `data.strict`.
            UserError: no image of a domain is readable; sizes or channels do not fit.
        """
        epoch, index = key
        skipped: list[str] = []
        at_A, at_B = self._choose(epoch, index)
        if self.paired:
            at_A, (A, B) = self._read_next((0, 1), at_A, skipped)
            at_B = at_A
        else:
            at_A, (A,) = self._read_next((0,), at_A, skipped)
            at_B, (B,) = self._read_next((1,), at_B, skipped)
        path_A, path_B = self.domains[0].path(at_A), self.domains[1].path(at_B)
        if self.paired and A.shape[:2] != B.shape[:2]:
            raise UserError(
                f"The two of a pair differ in size once scaled: {path_A} is {_size(A)} and {path_B} is {_size(B)}; "
                "make them the same, or set data.preprocess to resize_and_crop."
            )
        if self._augment is not None:
            draws = (self._stream(epoch, index, _DRAW_A), self._stream(epoch, index, _DRAW_B))
            try:
                A, B = self._augment(A, B, draws)
            except Exception as error:
                if not self._augment.transformed:
                    raise
                reason = " ".join(str(error).split())
                raise UserError(f"The transforms of data.augment failed on {path_A} or {path_B}: {reason}.") from error
            self._check_augmented(A, B, path_A, path_B)
        return {
            "A": to_tensor(A),
            "B": to_tensor(B),
            "A_path": str(path_A),
            "B_path": str(path_B),
            "skipped": skipped,
        }

    def _stream(self, epoch: int, index: int, purpose: int) -> np.random.SeedSequence:
        return np.random.SeedSequence((self.seed, epoch, index, purpose))

    def _choose(self, epoch: int, index: int) -> tuple[int, int]:
        """Which image of A and which of B. Unpaired ones are drawn independently, unless in order."""
        sizes = [len(domain) for domain in self.domains]
        position = index % len(self)
        if self.paired or not self.training or self.config.serial:
            return position % sizes[0], position % sizes[1]
        if sizes[0] < len(self):  # some of A are seen more often than others in an epoch: others in each
            at_A = int(_permutation(self.seed, epoch, _ORDER_A, sizes[0])[position % sizes[0]])
        else:
            at_A = position
        return at_A, int(np.random.default_rng(self._stream(epoch, index, _PARTNER)).integers(sizes[1]))

    def _read_next(self, sides: tuple[int, ...], start: int, skipped: list[str]) -> tuple[int, list[Pixels]]:
        """The first readable image (or pair) from `start` on, prepared, and its index."""
        count = len(self.domains[sides[0]])
        for offset in range(count):
            index = (start + offset) % count
            if (sides[0], index) in self._unreadable:
                continue
            try:
                return index, self._read(sides, index)
            except UnreadableImage as error:
                if self.config.strict:
                    raise
                self._unreadable[sides[0], index] = error
                skipped.append(f"{error.source}: {error.reason}")
        first = next(error for (side, _), error in self._unreadable.items() if side == sides[0])
        folder = self.domains[sides[0]].folder
        raise UserError(f"None of the {count} images in {folder} is readable: {first.source}: {first.reason}.")

    def _read(self, sides: tuple[int, ...], index: int) -> list[Pixels]:
        """Prepared pixels of one image, or of both of a pair: from the cache, or decoded."""
        found = {side: self.cache.get(self._first_slot[side] + index) for side in sides}
        whole: dict[tuple[Path, int], Pixels] = {}  # the halves of one file are decoded together
        images = []
        for side in sides:
            image = found[side]
            if image is None:
                domain, channels = self.domains[side], self.channels[side]
                path = domain.path(index)
                if (path, channels) not in whole:
                    whole[path, channels] = read_array(path, channels)
                image = whole[path, channels]
                if domain.half is not None:
                    check_side_by_side(path, image.shape[1], image.shape[0])
                    middle = image.shape[1] // 2
                    image = image[:, middle:] if domain.half else image[:, :middle]
                image = prepare(
                    np.ascontiguousarray(image), self.config, path, training=self.training, multiple=self.multiple
                )
                self.cache.put(self._first_slot[side] + index, image)
            images.append(image)
        return images

    def _check_augmented(self, A: Any, B: Any, path_A: Path, path_B: Path) -> None:
        """Raise UserError where the user's transforms left a size or a number of channels that the networks refuse."""
        for image, path, channels in ((A, path_A, self.channels[0]), (B, path_B, self.channels[1])):
            height, width, depth = image.shape
            if depth != channels or height % self.multiple or width % self.multiple:
                raise UserError(
                    f"The transforms of data.augment turned {path} into {width}×{height} pixels with {depth} channels; "
                    f"the networks need {channels} channels and sides that are multiples of {self.multiple}."
                )
        if self.paired and A.shape[:2] != B.shape[:2]:
            raise UserError(
                f"The transforms of data.augment_A and augment_B left {path_A} and {path_B} with different sizes; only "
                "data.augment, which treats both alike, may change them."
            )


def make_dataset(
    config: DataConfig,
    *,
    channels: tuple[int, int],
    paired: bool,
    seed: int,
    training: bool = True,
    multiple: int = 1,
) -> TranslationDataset:
    """Images of two domains as samples.

    Args:
        config: where they are and how they are treated.
        channels: of A and of B, with the direction applied (what the model reads, what it makes).
        paired: whether the model needs pairs (pix2pix).
        seed: of all that is drawn at random.
        training: otherwise `val_split` (the training split where there is none) in order, whole images, scaled as in
            training, neither cropped nor mirrored nor transformed, sides rounded down to `multiple`.
        multiple: what the sides of an image have to be a multiple of, in pixels.
    Raises:
        UserError: the folders are not as they should be, or sizes or transforms are wrong.
    """
    return TranslationDataset(config, channels=channels, paired=paired, seed=seed, training=training, multiple=multiple)


# ------------------------------------------------------------------------------------------------------------- batches


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
        dataset: of `make_dataset`.
        batch_size: images of each domain in each process.
        workers: loading processes; None chooses for the machine, 0 loads in this process.
        serial: take the images in order instead of shuffling them each epoch.
    Returns:
        a loader of {"A": (N, C, H, W), "B": …, "A_path": list[str], "B_path": list[str], "skipped": list[str]}. While
        iterating it raises the UserErrors of the dataset, also those of its workers.
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
    here = int(os.environ.get(_CACHE_SHARE, str(processes)))
    cores = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) // max(1, here)
    if cores <= 2:
        return 0
    count = min(8, cores - 1)
    if Path("/dev/shm").is_dir():  # batches travel through it, and containers often have 64 MB of it
        side = max(dataset.config.crop_size, dataset.config.load_size)
        batch = batch_size * sum(dataset.channels) * side * side * 4
        count = min(count, shutil.disk_usage("/dev/shm").free // (2 * 5 * batch * max(1, here)))
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
                order = _permutation(self.seed, epoch, _ORDER, self.length)
                rounds = [(turn, int(order[position])) for turn, position in rounds]
            yield [(epoch, turn * self.length + index) for turn, index in rounds]
            step += 1


@lru_cache(maxsize=8)
def _permutation(seed: int, epoch: int, purpose: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng((seed, epoch, purpose)).permutation(count)


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
                if "DataLoader worker" not in str(error) or "exited unexpectedly" not in str(error):
                    raise
                raise UserError(
                    "A loading process was killed, most likely for lack of memory; lower data.cache_gb or data.workers, "
                    "or give the container more shared memory (docker run --shm-size=1g)."
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
                one, other = (f"{each[name + '_path']} is {_size(each[name][0])}" for each in (good[0], sample))
                return UserError(
                    f"Images of different sizes cannot share a batch: once scaled, {one} and {other}; set "
                    "optim.batch_size to 1, or data.preprocess to a mode that crops."
                )
    return {
        "A": torch.stack([sample["A"] for sample in good]),
        "B": torch.stack([sample["B"] for sample in good]),
        "A_path": [sample["A_path"] for sample in good],
        "B_path": [sample["B_path"] for sample in good],
        "skipped": [note for sample in good for note in sample["skipped"]],
    }


def _start_worker(_: int) -> None:
    import cv2

    cv2.setNumThreads(0)  # the workers are the threads
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the training loop's to handle


def _size(image: Any) -> str:
    return f"{image.shape[1]}×{image.shape[0]}"
