"""Object masks beside the images: white where the object is, black where nothing should change.

The masks of `root/trainA` lie in `root/trainA_mask` (or in the folder that `data.mask_A` names), with the stems of
their images and any suffix. Images may lack a mask. Beside pairs in one file (`root/train`), `root/train_mask` holds
for each either one mask for both images, or two masks side by side.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from translate.data.folders import Domain, Names
from translate.data.images import UnreadableImage, image_size, read_array
from translate.data.listing import scan, stem_of
from translate.errors import UserError

Mask = npt.NDArray[np.uint8]
"""(H, W) from 0 (background) to 255 (object)."""

MASK_SUFFIX = "_mask"
"""What the name of a folder of masks has after that of its images' folder."""


def find_masks(domain: Domain, given: Path | None, split: str, *, required: bool) -> Names | None:
    """The masks of a domain's images, matched by their relative path without suffix.

    Args:
        domain: the images.
        given: the folder of the masks, with `{split}` for the split's name; None is the one beside the images.
        split: `train`, `val`, …
        required: whether a folder that is given has to exist and to hold the mask of at least one of the images.
    Returns:
        the path of each image's mask in the images' order, "" where it has none; None where no image has one.
    Raises:
        UserError: the required folder is missing or holds no such mask, or two masks differ in their suffix only.
    """
    folder = mask_folder(domain.folder, given, split)
    if not folder.is_dir():
        if given is not None and required:
            raise UserError(f"The folder of masks {folder} does not exist; put masks there, or leave out its setting.")
        return None
    stems = mask_stems(scan(folder), folder)
    names = [stems.get(stem_of(name), "") for name in domain.names]
    if not any(names):
        if given is not None and required:
            raise UserError(
                f"No mask in {folder} has the name of an image in {domain.folder}; a mask is called like its image, "
                "but for the suffix."
            )
        return None
    return Names(str(folder / name) if name else "" for name in names)


def share_masks(A: Names | None, B: Names | None) -> tuple[Names | None, Names | None]:
    """The masks of pairs: both images show the object at the same place, so one mask serves both if there is one."""
    if A is None or B is None:
        return A or B, A or B
    return Names(a or b for a, b in zip(A, B, strict=True)), Names(b or a for a, b in zip(A, B, strict=True))


def mask_folder(images: Path, given: Path | None, split: str) -> Path:
    """Where the masks of a folder of images lie."""
    if given is not None:
        return Path(str(given).replace("{split}", split))
    return images.with_name(images.name + MASK_SUFFIX)


def mask_stems(names: list[str], folder: Path) -> dict[str, str]:
    """Names of masks by their relative path without suffix. Raises UserError where two have the same."""
    stems: dict[str, str] = {}
    for name in names:
        twin = stems.setdefault(stem_of(name), name)
        if twin != name:
            raise UserError(f"{twin} and {name} in {folder} could both be the mask of one image; remove one.")
    return stems


def read_mask(path: Path) -> Mask:
    """Decode a mask of any kind of image file: its brightness, black where it is transparent.

    A file whose levels are 0 and 1 is read as labels: 1 is the object.

    Raises:
        UnreadableImage: the file cannot be decoded.
        UserError: it has more than four channels.
    """
    pixels = read_array(path, 2)
    grey, alpha = pixels[:, :, 0], pixels[:, :, 1]
    top = int(np.iinfo(pixels.dtype).max)
    if grey.max(initial=0) == 1:
        grey = grey * np.asarray(top, grey.dtype)
    if alpha.min(initial=top) < top:
        grey = (grey.astype(np.uint32) * alpha // top).astype(grey.dtype)
    return np.ascontiguousarray(grey if grey.dtype == np.uint8 else grey >> 8, dtype=np.uint8)


def read_mask_of(path: Path, domain: Domain, index: int) -> Mask:
    """Decode the mask of an image, or the part of it that belongs to the image, where that is one half of a file.

    A mask whose proportions are nearer to those of the file than to those of a half holds two masks side by side;
    otherwise it is one mask for both halves.

    Raises:
        UnreadableImage: the mask, or the file of the image, cannot be decoded.
    """
    mask = read_mask(path)
    if domain.half is None:
        return mask
    width, height = image_size(domain.path(index))
    if mask.shape[1] / mask.shape[0] < width / height / np.sqrt(2):
        return mask
    middle = mask.shape[1] // 2
    return mask[:, middle:] if domain.half else mask[:, :middle]


def object_pixels(mask: Mask) -> npt.NDArray[np.bool_]:
    """Which pixels of a mask show the object: those nearer to white than to black."""
    shown: npt.NDArray[np.bool_] = mask >= 128
    return shown


def object_share(mask: Mask) -> float:
    """The share of a mask's pixels that show the object, from 0 to 1."""
    return float(np.count_nonzero(object_pixels(mask))) / mask.size


def with_object(domain: Domain, masks: Names, least: float) -> list[int]:
    """Which images have no mask that can be read, or one whose object fills at least this share of it.

    Reads every mask, several at a time.
    """

    def large_enough(index: int) -> bool:
        if not masks[index]:
            return True
        try:
            return object_share(read_mask_of(Path(masks[index]), domain, index)) >= least
        except UnreadableImage:
            return True  # it is named when its image is loaded

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        kept = list(pool.map(large_enough, range(len(masks))))
    return [index for index, keep in enumerate(kept) if keep]
