"""The images that are judged: a split of a data set, every image once, at the size that the result names."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from translate.data.folders import Domain, check_root, check_side_by_side, find_images, has_split
from translate.data.formats import Pixels
from translate.data.images import UnreadableImage, read_array
from translate.data.masks import Mask, find_masks, read_mask_of, share_masks
from translate.data.transforms import resize
from translate.errors import UserError

SPLITS = ("val", "test", "valid", "validation")
"""Where judged images are looked for, in this order; never in the training split unless it is asked for."""
THREADS = 4


@dataclass(frozen=True)
class ImageSet:
    """Images of one domain, in the order of their names."""

    names: list[str]
    """Paths relative to the domain's folder."""
    images: list[Pixels]
    """(H, W, C) each."""
    total: int
    """Images in the folder, of which these may be some."""
    masks: list[Mask | None] = field(default_factory=list)
    """(H, W) of each image, None where it has none; empty where no image has any."""

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Judged:
    """A and B as they lie on disk. Where they are pairs, they have the same length and order."""

    A: ImageSet
    B: ImageSet
    paired: bool
    split: str
    skipped: list[str]
    """"file: reason" of each image that could not be read; of a pair both are left out."""


def read_split(
    root: Path,
    *,
    split: str | None = None,
    layout: str = "auto",
    paired: bool | None = None,
    size: int = 256,
    channels: tuple[int | None, int | None] = (3, 3),
    limit: int | tuple[int, int] | None = None,
) -> Judged:
    """Read the images of a split.

    Args:
        root: folder of the data set, in any layout of `translate.data.folders`.
        split: its name; None looks for val, then test.
        layout: as `translate.data.folders` has it, or auto.
        paired: whether A and B are pairs; None: where they lie side by side in one file.
        size: pixels of the squares that images are scaled to (Pillow's antialiased bicubic filter); 0 leaves them.
        channels: of A and of B.
        limit: at most this many images of each domain, or of A and of B; spread evenly over it.
    Raises:
        UserError: no such folder or split, no readable image, or pairs that do not match.
    """
    check_root(root)
    split = split or find_split(root)
    if paired is None:  # numbered files in two folders match by name without being pairs
        paired = find_images(root, split=split, layout=layout, paired=False).layout == "side_by_side"
    found = find_images(root, split=split, layout=layout, paired=paired)
    limits = limit if isinstance(limit, tuple) else (limit, limit)
    whole = [_spread(len(domain), most) for domain, most in zip((found.A, found.B), limits, strict=True)]
    skipped: dict[Path, str] = {}
    read = [
        _read(domain, places, size, channel, skipped)
        for domain, places, channel in zip((found.A, found.B), whole, channels, strict=True)
    ]
    if paired:
        both = [A is not None and B is not None for A, B in zip(*read, strict=True)]
        read = [[image if good else None for image, good in zip(images, both, strict=True)] for images in read]
    masks_A, masks_B = (find_masks(domain, None, split, required=False) for domain in (found.A, found.B))
    if paired:
        masks_A, masks_B = share_masks(masks_A, masks_B)
    sets = []
    for domain, places, images, masks in zip((found.A, found.B), whole, read, (masks_A, masks_B), strict=True):
        good = [(at, image) for at, image in zip(places, images, strict=True) if image is not None]
        if not good:
            raise UserError(f"None of the images in {domain.folder} is readable; look at them with: translate inspect.")
        shown = [_read_mask(domain, at, masks[at], image, skipped) for at, image in good] if masks else []
        sets.append(ImageSet([domain.names[at] for at, _ in good], [image for _, image in good], len(domain), shown))
    notes = [f"{path}: {reason}" for path, reason in skipped.items()]
    return Judged(sets[0], sets[1], paired, split, notes)


def find_split(root: Path) -> str:
    """The split to judge: val, else test. Raises UserError where there is neither."""
    for split in SPLITS:
        if has_split(root, split):
            return split
    raise UserError(
        f"{root} has no images to judge with: neither val (valA and valB) nor test; put some aside, or name a split "
        "with --split."
    )


def describe_size(size: int) -> str:
    """What `size` does to images, in words, for the result."""
    return f"{size}×{size}, bicubic (Pillow, antialiased)" if size else "own size"


def _spread(count: int, limit: int | None) -> list[int]:
    wanted = min(count, limit or count)
    return [index * count // wanted for index in range(wanted)]


def _read(
    domain: Domain, places: Sequence[int], size: int, channels: int | None, skipped: dict[Path, str]
) -> list[Pixels | None]:
    def one(place: int) -> Pixels | None:
        path = domain.path(place)
        try:
            image = read_array(path, channels)
        except UnreadableImage as error:
            skipped[path] = error.reason
            return None
        if domain.half is not None:
            check_side_by_side(path, image.shape[1], image.shape[0])
            middle = image.shape[1] // 2
            half: Literal[0, 1] = domain.half
            image = image[:, middle:] if half else image[:, :middle]
        return np.ascontiguousarray(resize(image, (size, size)) if size else image)

    with ThreadPoolExecutor(THREADS) as pool:  # Pillow decodes and scales without the interpreter's lock
        return list(pool.map(one, places))


def _read_mask(domain: Domain, place: int, path: str, image: Pixels, skipped: dict[Path, str]) -> Mask | None:
    """The mask of an image at its size, None where there is none that can be read."""
    if not path:
        return None
    try:
        mask = read_mask_of(Path(path), domain, place)
    except UnreadableImage as error:
        skipped[Path(path)] = error.reason
        return None
    return resize(np.ascontiguousarray(mask)[:, :, None], (image.shape[1], image.shape[0]))[:, :, 0]
