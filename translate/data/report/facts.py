"""What one image file is like: size, kind, content. `folder` adds these facts up."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from translate.data.images import UnreadableImage, read_array
from translate.errors import UserError

_THUMB = 32  # pixels of a thumbnail's side
_ALIKE = 0.98  # correlation of two thumbnails
_GREY_LEVELS = 6  # difference of the channels that JPEG leaves in a grey picture


@dataclass(frozen=True)
class Facts:
    """Facts about a readable image.

    `kind` is colour, grey, palette, CMYK, or "N channels", followed by "+ alpha" and "16-bit" where they apply.
    """

    width: int
    height: int
    kind: str
    looks_grey: bool
    digest: bytes
    thumb: npt.NDArray[np.uint8]
    """(32, 32, 3)"""

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height


@dataclass
class Place:
    """A folder of images with what its name says of it, and the facts of the readable ones by name."""

    split: str
    domain: str
    folder: Path
    names: list[str]
    facts: dict[str, Facts]

    def known(self) -> list[tuple[Path, Facts]]:
        return [(self.folder / name, fact) for name, fact in self.facts.items()]


def look(path: Path) -> Facts:
    """Decode an image and take note.

    Raises:
        UnreadableImage: it cannot be decoded.
    """
    pixels = read_array(path, None)
    height, width, channels = pixels.shape
    eight = pixels if pixels.dtype == np.uint8 else (pixels >> 8).astype(np.uint8)
    colour = eight[:, :, :3] if channels in (3, 4) else eight[:, :, :1]
    small = Image.fromarray(np.ascontiguousarray(colour if colour.shape[2] == 3 else colour[:, :, 0])).convert("RGB")
    thumb = np.asarray(small.resize((_THUMB, _THUMB), Image.Resampling.BOX))
    return Facts(
        width=width,
        height=height,
        kind=_kind(path, channels, deep=pixels.dtype == np.uint16),
        looks_grey=int(np.ptp(thumb.astype(np.int16), axis=2).max()) <= _GREY_LEVELS,
        digest=hashlib.blake2b(repr(pixels.shape).encode() + pixels.tobytes(), digest_size=16).digest(),
        thumb=thumb,
    )


def _kind(path: Path, channels: int, *, deep: bool) -> str:
    mode = ""
    if path.suffix.lower() != ".npy":
        try:
            with Image.open(path) as image:
                mode = image.mode
        except Exception:  # a TIFF of many channels, which `read_array` could read and Pillow cannot
            mode = ""
    name = {"P": "palette", "PA": "palette", "CMYK": "CMYK"}.get(mode, "")
    if not name:
        name = {1: "grey", 2: "grey + alpha", 3: "colour", 4: "colour + alpha"}.get(channels, f"{channels} channels")
    elif channels in (2, 4):
        name += " + alpha"
    return f"{name}, 16-bit" if deep else name


def near_duplicates(one: Sequence[Facts], other: Sequence[Facts]) -> list[tuple[int, int]]:
    """Pairs (index in one, index in other) that show the same picture, but for its size, compression and brightness.

    Their thumbnails of 32×32 pixels correlate at 0.98 or more. A picture saved again at half the size, a tenth brighter
    or with JPEG quality 30 has 0.985 and up; two different shoes on white reach 0.975, two different photographs 0.91.
    A hash of 64 bits, the usual means, takes one white shoe for another.
    """
    if not one or not other:
        return []
    rows, columns = _standardised(one), _standardised(other)
    digests = {fact.digest: index for index, fact in enumerate(other)}
    pairs = {(index, digests[fact.digest]) for index, fact in enumerate(one) if fact.digest in digests}
    for start in range(0, len(one), 1024):  # a block at a time: 1024 × 10,000 correlations are 40 MB
        for row, column in np.argwhere(rows[start : start + 1024] @ columns.T >= _ALIKE):
            pairs.add((start + int(row), int(column)))
    return sorted(pairs)


def _standardised(facts: Sequence[Facts]) -> npt.NDArray[np.float32]:
    """(N, pixels) thumbnails with mean 0 and length 1; a plain colour becomes 0, which is like nothing else."""
    flat = np.stack([fact.thumb for fact in facts]).reshape(len(facts), -1).astype(np.float32)
    flat -= flat.mean(axis=1, keepdims=True)
    standardised: npt.NDArray[np.float32] = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1.0)
    return standardised


def look_or_reason(path: Path) -> Facts | str:
    """`look`, with the reason in words where the image is unreadable; for the threads of a report."""
    try:
        return look(path)
    except UnreadableImage as error:
        return error.reason
    except UserError as error:
        return str(error)
