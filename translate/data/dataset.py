"""Samples: two images, decoded or from the cache, scaled, augmented, as tensors.

Every random draw has a stream of its own, numbered by (seed, epoch, index, purpose), so a sample does not depend on
what was drawn before, nor on the process that draws it.
"""

from __future__ import annotations

import os
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from translate.data.cache import DecodedCache
from translate.data.folders import check_side_by_side, has_split
from translate.data.formats import Pixels
from translate.data.images import UnreadableImage, read_array
from translate.data.listing import describe_others, survey
from translate.data.masks import Mask, read_mask_of
from translate.data.settings import DataConfig
from translate.data.sources import find_sources
from translate.data.tensors import mask_to_tensor, to_tensor
from translate.data.transforms import Augment, check_sizes, prepare, resize
from translate.errors import UserError

Sample = dict[str, Any]
"""One sample, or a batch of them.

A, B: FloatTensor (C, H, W) in [-1, 1]; A_path, B_path: str; skipped: list[str], "file: reason" of each new one.
Where the data set has masks also mask_A, mask_B: FloatTensor (1, H, W) in [0, 1], 1 where the object is, and all 1 for
an image without a mask; has_mask_A, has_mask_B: FloatTensor (1, 1, 1), 1 or 0: whether the image has a mask.
"""


class Purpose(IntEnum):
    """What a stream of random numbers is for."""

    ORDER = 0
    ORDER_A = 1
    PARTNER = 2
    AUGMENT_A = 3
    AUGMENT_B = 4


def local_processes(default: int = 1) -> int:
    """Training processes on this machine, as torchrun and accelerate tell them."""
    return max(1, int(os.environ.get("LOCAL_WORLD_SIZE", str(default))))


@lru_cache(maxsize=8)
def permutation(seed: int, epoch: int, purpose: int, count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The numbers below count, shuffled for an epoch."""
    return np.random.default_rng((seed, epoch, purpose)).permutation(count)


class TranslationDataset(Dataset[Sample]):
    """Images of two domains as samples, by (epoch, index).

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
        sources = find_sources(config, split, paired=paired, training=training)
        self.config = config
        self.layout = sources.layout
        self.split = split
        self.paired = paired
        self.training = training
        self.multiple = multiple
        self.seed = seed
        self.channels = channels
        # From here on A is what the model reads and B what it makes: the direction is applied.
        self.domains, self.masks, self.left_out = sources.domains, sources.masks, sources.left_out
        self.has_masks = any(masks is not None for masks in self.masks)
        sizes = [len(domain) for domain in self.domains]
        # Validation images are few and seldom looked at; the memory is for training.
        room = int(config.cache_gb * 2**30) if training else 0
        self.cache = DecodedCache(sum(sizes) * (1 + self.has_masks), room, local_processes())
        self._first_slot = (0, sizes[0])
        self._first_mask_slot = (sum(sizes), sum(sizes) + sizes[0])
        self._augment = Augment(config, paired) if training else None
        self._unreadable: dict[tuple[int, int], UnreadableImage] = {}  # of this process; a pair's stand at (0, index)
        self._unreadable_masks: set[str] = set()

    def __len__(self) -> int:
        """Samples an epoch: pairs, or as many as the larger domain has images."""
        return max(len(domain) for domain in self.domains)

    def files_left_out(self) -> list[str]:
        """A sentence for each folder of images that holds files which are no images, as it is now."""
        found = {domain.folder: survey(domain.folder).others for domain in self.domains}
        return [f"{describe_others(folder, others)}." for folder, others in found.items() if others]

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
                f"The two of a pair differ in size once scaled: {path_A} is {size_text(A)} and {path_B} is "
                f"{size_text(B)}; make them the same, or set data.preprocess to resize_and_crop."
            )
        masks: list[Mask | None] = [None, None]
        if self.has_masks:
            masks = [self._read_mask(0, at_A, A, skipped), self._read_mask(1, at_B, B, skipped)]
        if self._augment is not None:
            draws = (self._stream(epoch, index, Purpose.AUGMENT_A), self._stream(epoch, index, Purpose.AUGMENT_B))
            try:
                (A, B), masks = self._augment((A, B), masks, draws)
            except Exception as error:
                if not self._augment.transformed:
                    raise
                reason = " ".join(str(error).split())
                raise UserError(f"The transforms of data.augment failed on {path_A} or {path_B}: {reason}.") from error
            self._check_augmented(A, B, path_A, path_B)
        sample = {
            "A": to_tensor(A),
            "B": to_tensor(B),
            "A_path": str(path_A),
            "B_path": str(path_B),
            "skipped": skipped,
        }
        if self.has_masks:
            for name, image, mask in (("A", A, masks[0]), ("B", B, masks[1])):
                sample[f"mask_{name}"] = mask_to_tensor(mask, image.shape[0], image.shape[1])
                sample[f"has_mask_{name}"] = torch.full((1, 1, 1), float(mask is not None))
        return sample

    def _stream(self, epoch: int, index: int, purpose: int) -> np.random.SeedSequence:
        return np.random.SeedSequence((self.seed, epoch, index, purpose))

    def _choose(self, epoch: int, index: int) -> tuple[int, int]:
        """Which image of A and which of B. Unpaired ones are drawn independently, unless in order."""
        sizes = [len(domain) for domain in self.domains]
        position = index % len(self)
        if self.paired or not self.training or self.config.serial:
            return position % sizes[0], position % sizes[1]
        if sizes[0] < len(self):  # some of A are seen more often than others in an epoch: others in each
            at_A = int(permutation(self.seed, epoch, Purpose.ORDER_A, sizes[0])[position % sizes[0]])
        else:
            at_A = position
        return at_A, int(np.random.default_rng(self._stream(epoch, index, Purpose.PARTNER)).integers(sizes[1]))

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

    def _read_mask(self, side: int, index: int, image: Pixels, skipped: list[str]) -> Mask | None:
        """The mask of a prepared image, of the same height and width: from the cache, or decoded and scaled.

        None where the image has none, or one that cannot be read, which is then named in `skipped`.
        """
        masks = self.masks[side]
        if masks is None or not masks[index] or masks[index] in self._unreadable_masks:
            return None
        slot = self._first_mask_slot[side] + index
        if (cached := self.cache.get(slot)) is not None:
            return cached[:, :, 0]
        try:
            mask = read_mask_of(Path(masks[index]), self.domains[side], index)
        except UnreadableImage as error:
            if self.config.strict:
                raise
            self._unreadable_masks.add(masks[index])
            skipped.append(f"{error.source}: {error.reason}")
            return None
        # A mask of another size than its image is scaled too: what counts is where in the picture it is white.
        prepared = resize(np.ascontiguousarray(mask)[:, :, None], (image.shape[1], image.shape[0]))
        self.cache.put(slot, prepared)
        return prepared[:, :, 0]

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


def size_text(image: Any) -> str:
    """Width × height of (H, W, …) pixels."""
    return f"{image.shape[1]}×{image.shape[0]}"
