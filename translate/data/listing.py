"""Which files of a folder are its images. None is opened: a folder may hold a hundred thousand."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

IMAGE_SUFFIXES: frozenset[str] = frozenset(
    ".jpg .jpeg .png .webp .bmp .tif .tiff .ppm .pgm .pbm .pnm .gif .jp2 .avif .tga .npy".split()  # noqa: SIM905
)
"""Lower-case suffixes of the files that count as images; `.npy` is an (H, W) or (H, W, C) array of uint8 or uint16."""


def list_images(folder: Path) -> list[Path]:
    """The image files in a folder and its subfolders, by suffix, sorted by relative path; hidden files are left out."""
    return [folder / name for name in scan(folder)]


def scan(folder: Path) -> list[str]:
    """Like `list_images`, as sorted paths relative to the folder with `/` between the parts. Opens no image."""
    return sorted(_walk(str(folder), "", set()))


def stem_of(name: str) -> str:
    """A relative path without its suffix, in Unicode's composed form (NFC): what pairs, masks and results match by.

    macOS and some archives write `é` as `e` and a combining accent (NFD), others as one character. The two names look
    the same, so they mean the same.
    """
    return composed(os.path.splitext(name)[0])  # noqa: PTH122 (100,000 names)


def composed(name: str) -> str:
    """A name in Unicode's composed form (NFC); see `stem_of`."""
    return unicodedata.normalize("NFC", name)


def _walk(folder: str, prefix: str, seen: set[tuple[int, int]]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(".") or name == "__MACOSX":  # thumbnails and resource forks, not the user's images
                continue
            if os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES and entry.is_file():  # noqa: PTH122 (100,000 names)
                yield prefix + name
            elif entry.is_dir():
                if entry.is_symlink():  # a link to a folder above would never end
                    status = entry.stat()
                    if (status.st_dev, status.st_ino) in seen:
                        continue
                    seen.add((status.st_dev, status.st_ino))
                yield from _walk(entry.path, f"{prefix}{name}/", seen)
