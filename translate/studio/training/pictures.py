"""Finds out what can be learned from the pictures that somebody brings, in a folder of this computer or an upload."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from translate.downloads.archives import extract
from translate.errors import UserError
from translate.studio.training import run_presets

if TYPE_CHECKING:
    from translate.data.report import FolderReport

MAX_UNPACKED = 4_000_000_000
"""Bytes that an uploaded zip may hold; what uploads may have is limited by the server."""
MAX_FILES = 100_000


@dataclass(frozen=True)
class Found:
    """A folder of pictures that was looked at and can be trained on."""

    root: Path
    called: str
    is_upload: bool
    has_pairs: bool
    problem: str
    """What keeps the pairs from being trained on as pairs; empty where nothing does."""
    images: int
    elongated: bool


def named_folder(path: str) -> Path:
    """Return the folder that somebody wrote down. Raises UserError where there is none."""
    if not path.strip():
        raise UserError("Write the path of the folder that holds your pictures.")
    root = Path(path.strip().strip("\"'")).expanduser()
    if not root.is_dir():
        reason = "is a file" if root.is_file() else "is not there, or may not be read"
        raise UserError(f"{root} {reason}; write the path of the folder that holds your pictures.")
    return root


def unpacked(archive: Path, root: Path) -> Path:
    """Unpack an upload into the new folder `root`. Raises UserError as `extract` does."""
    return extract(archive, root, max_bytes=MAX_UNPACKED, max_files=MAX_FILES, unwrap=True)


def taken(told: FolderReport, root: Path, called: str, is_upload: bool) -> Found:
    """Keep of a report what later handlers need to know."""
    from translate.models import model_class

    training = [group for group in told.groups if group.split == told.groups[0].split]
    elongated = any(group.aspect_ratios and not 2 / 3 <= group.aspect_ratios[1] <= 3 / 2 for group in training)
    has_pairs = bool(told.model) and model_class(told.model).paired
    images = told.pairs or max(group.readable for group in training)
    return Found(root, called, is_upload, has_pairs, " ".join(told.problems), images, elongated)


def fitting_size(told: FolderReport) -> int:
    """Return the largest size on offer, up to 256, that the pictures have themselves, or else the smallest one."""
    halves = 2 if told.layout == "side_by_side" else 1
    sides = [min(group.median[0] // halves, group.median[1]) for group in told.groups if group.median]
    side = min(sides, default=math.inf)
    return max((size for size in run_presets.SIZES if size <= min(side, 256)), default=min(run_presets.SIZES))


def discard(found: Found | None) -> None:
    """Delete pictures that were uploaded and are not trained on."""
    if found is not None and found.is_upload:
        shutil.rmtree(found.root, ignore_errors=True)
