"""Object masks beside the images: white where the object is, black where nothing should change.

The masks of `root/trainA` lie in `root/trainA_mask` (or in the folder that `data.mask_A` names), with the stems of
their images and any suffix. Images may lack a mask. Beside pairs in one file (`root/train`), `root/train_mask` holds
for each either one mask for both images, or two masks side by side.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from translate.data.folders import Domain, Names
from translate.data.images import read_array
from translate.data.listing import scan
from translate.errors import UserError

Mask = npt.NDArray[np.uint8]
"""(H, W) from 0 (background) to 255 (object)."""

MASK_SUFFIX = "_mask"
"""What the name of a folder of masks has after that of its images' folder."""


@dataclass(frozen=True)
class DomainMasks:
    """The masks of a domain's images: `names` are in the order of the images, "" for an image without a mask."""

    folder: Path
    names: Names

    def path(self, index: int) -> Path | None:
        name = self.names[index]
        return self.folder / name if name else None


def find_masks(domain: Domain, given: Path | None, split: str, *, required: bool) -> DomainMasks | None:
    """The masks of a domain's images, matched by their relative path without suffix; None where there are none.

    Args:
        domain: the images.
        given: the folder of the masks, with `{split}` for the split's name; None is the one beside the images.
        split: `train`, `val`, …
        required: whether a folder that is given has to exist and to hold the mask of at least one of the images.
    Raises:
        UserError: it does not; or two masks differ in their suffix only.
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
    return DomainMasks(folder, Names(names))


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


def stem_of(name: str) -> str:
    """A relative path without its suffix."""
    return os.path.splitext(name)[0]  # noqa: PTH122 (100,000 names)


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


def own_part(mask: Mask, half: Literal[0, 1] | None, width: int, height: int) -> Mask:
    """The part of a mask that belongs to an image.

    Args:
        mask: as `read_mask` gives it.
        half: which half of a file the image is, as `Domain` has it; None for all of it.
        width, height: pixels of the image's file. A mask whose proportions are nearer to those of the file than to
            those of one half holds two masks side by side; otherwise it is one mask for both halves.
    """
    if half is None or mask.shape[1] / mask.shape[0] < width / height / np.sqrt(2):
        return mask
    middle = mask.shape[1] // 2
    return mask[:, middle:] if half else mask[:, :middle]
