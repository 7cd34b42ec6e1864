"""Which files of a folder are its images, and which are something else.

A folder may hold a hundred thousand files, so those with the suffix of an image are taken for one unopened; what turns
out not to be one is named when it is read. Files with another suffix, or none, are told by their content, as are all
images when they are read: a HEIC that is called `.jpg` is read as what it is.
"""

from __future__ import annotations

import os
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

_USUAL = ".jpg .jpeg .jpe .jfif .jif .mpo .png .apng .webp .bmp .dib .tif .tiff .ppm .pgm .pbm .pnm .gif .tga .npy"
_LATER = ".jp2 .j2k .j2c .jpc .jpf .jpx .avif .avifs .heic .heif .hif"
IMAGE_SUFFIXES: frozenset[str] = frozenset([*_USUAL.split(), *_LATER.split()])
"""Lower-case suffixes of the files that count as images; `.npy` is an (H, W) or (H, W, C) array of uint8 or uint16."""
FORMATS = (
    *("JPEG", "PNG", "WEBP", "BMP", "DIB", "TIFF", "PPM", "GIF", "JPEG2000", "AVIF"),
    *("PSD", "QOI", "SGI", "DDS", "ICO", "ICNS", "PCX", "SUN", "XBM", "XPM"),
)
"""Pillow's formats that a file under any name is recognised as: pictures that begin with a signature."""
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
"""Major brands of files that pillow-heif reads: HEIC and its relatives (ISO/IEC 23008-12)."""
_RAW = frozenset(".3fr .arw .cr2 .dng .erf .iiq .nef .nrw .orf .pef .raf .raw .rw2 .srw".split())  # noqa: SIM905
"""Suffixes of cameras' raw files: by their content many are TIFFs, but of a thumbnail."""
NUMPY = b"\x93NUMPY"
"""How an `.npy` file begins."""
_SIGNATURES = (NUMPY, b"II*\0", b"MM\0*")
"""How files begin that `formats` reads where Pillow refuses them: arrays, and TIFFs of many channels."""
_JUNK = frozenset({"thumbs.db", "desktop.ini", "__macosx"})
"""Names, in lower case, that systems leave behind; they are no more the user's than hidden files are."""
_NAMED = 3
"""Files of a folder that are left out and named; of others only the number is told."""


@dataclass(frozen=True)
class Listing:
    """The files of a folder and its subfolders, as sorted relative paths with `/` between the parts."""

    images: list[str]
    others: list[str]
    """Files that are no images, hidden ones and those of operating systems aside."""


def list_images(folder: Path) -> list[Path]:
    """The image files in a folder and its subfolders, sorted by relative path; hidden files are left out."""
    return [folder / name for name in scan(folder)]


def scan(folder: Path) -> list[str]:
    """Like `list_images`, as sorted paths relative to the folder with `/` between the parts."""
    return survey(folder).images


def survey(folder: Path) -> Listing:
    """All files in a folder and its subfolders: images, by suffix or else by content, and others."""
    images: list[str] = []
    others: list[str] = []
    for name in _walk(str(folder), "", set()):
        suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 (100,000 names)
        shown = suffix in IMAGE_SUFFIXES or (suffix not in _RAW and is_image(folder / name))
        (images if shown else others).append(name)
    return Listing(sorted(images), sorted(others))


def is_image(path: Path) -> bool:
    """Whether a file begins as an image does that can be read here; one that cannot be opened does not."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
            if head.startswith(_SIGNATURES) or is_heif(head):
                return True
            file.seek(0)
            with Image.open(file, formats=FORMATS):
                return True
    except Exception:  # Pillow's parsers raise whatever a broken header leads them to
        return False


def is_heif(head: bytes) -> bool:
    """Whether the first twelve bytes of a file are those of HEIC or one of its relatives."""
    return head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS


def describe_others(folder: Path, others: Sequence[str]) -> str:
    """A sentence that counts the files of a folder that are left out, by suffix, and names the first ones."""
    kinds = Counter(os.path.splitext(name)[1].lower() or "no suffix" for name in others)  # noqa: PTH122
    counted = ", ".join(
        f"{count} {kind}" for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    )
    shown = ", ".join(others[:_NAMED]) + (" …" if len(others) > _NAMED else "")
    are = "file is no image and was" if len(others) == 1 else "files are no images and were"
    return f"{len(others)} {are} left out of {folder} ({counted}): {shown}"


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
    """Relative paths of all files that are neither hidden nor junk of an operating system."""
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith(".") or name.lower() in _JUNK:
                continue
            if entry.is_file():
                yield prefix + name
            elif entry.is_dir():
                if entry.is_symlink():  # a link to a folder above would never end
                    status = entry.stat()
                    if (status.st_dev, status.st_ino) in seen:
                        continue
                    seen.add((status.st_dev, status.st_ino))
                yield from _walk(entry.path, f"{prefix}{name}/", seen)
