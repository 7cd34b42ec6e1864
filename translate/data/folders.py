"""Which files are A and which are B: the three layouts a folder of images can have.

side_by_side   root/train/*.jpg: each file twice as wide as its halves; the left one is A, the right one B
two_folders    root/trainA + root/trainB, or root/A/train + root/B/train, or root/train/A + root/train/B, or
               root/A + root/B; pairs have the same path inside their folder, but for the suffix
unpaired       the same folders, with no relation between the files

No image is opened here but the first and the middle one of a side-by-side folder, so a hundred thousand take a moment.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

import numpy as np

from translate.data.images import UnreadableImage, image_size
from translate.data.listing import scan, stem_of
from translate.errors import UserError

Layout = Literal["side_by_side", "two_folders", "unpaired"]


class Names(Sequence[str]):
    """Immutable strings in one block of bytes: no object for each of 100,000 names, nothing to copy for a worker."""

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [os.fsencode(name) for name in names]
        self._letters = b"".join(encoded)
        self._ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        start = int(self._ends[index - 1]) if index else 0
        return os.fsdecode(self._letters[start : int(self._ends[index])])


@dataclass(frozen=True)
class Domain:
    """The images of A or of B: `half` is 0 for the left, 1 for the right half of each file, None for all of it."""

    folder: Path
    names: Names
    half: Literal[0, 1] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def path(self, index: int) -> Path:
        return self.folder / self.names[index]


@dataclass(frozen=True)
class Folders:
    """What was found: the layout and the two domains as they lie on disk. Where it has pairs, they share an index."""

    layout: Layout
    A: Domain
    B: Domain


def find_images(
    root: Path, *, split: str = "train", layout: str = "auto", paired: bool, limit: int | None = None
) -> Folders:
    """Recognise the layout of a folder and list its images.

    Args:
        root: folder of the data set.
        split: `train`, `val`, …: the part of the folders' names.
        layout: one of the three above, or `auto`.
        paired: whether pairs are needed (pix2pix). Without, pairs are fine too.
        limit: use the first so many images of each domain.
    Raises:
        UserError: a folder is missing or empty, pairs do not match, or the files are not side by side.
    """
    if layout == "unpaired" and paired:
        raise UserError(
            "data.layout is unpaired, but the model learns from pairs; train a model for unpaired images or give pairs."
        )
    check_root(root)
    folders = None if layout == "side_by_side" else _two_folders(root, split)
    if folders is None:
        if layout not in ("auto", "side_by_side"):
            raise _nothing_found(root, split, layout)
        return _side_by_side(root, split, layout, limit)
    names = [list_names(folder) for folder in folders]
    if paired:
        common, only_A, only_B = match_pairs(*names)
        if only_A or only_B:
            raise _mismatch(folders, len(common), only_A, only_B)
        names = [[pair[0] for pair in common], [pair[1] for pair in common]]
    A, B = (Domain(folder, Names(found[:limit])) for folder, found in zip(folders, names, strict=True))
    return Folders("two_folders" if paired else "unpaired", A, B)


def has_split(root: Path, split: str) -> bool:
    """Whether there is a folder for this split, in any layout (a bare root/A and root/B belong to no split)."""
    pairs = [pair for pair in _candidates(split) if split in f"{pair[0]}{pair[1]}"]
    return (root / split).is_dir() or any((root / name).is_dir() for pair in pairs for name in pair)


def list_names(folder: Path) -> list[str]:
    """Relative paths of the images in a folder. Raises UserError if there are none."""
    names = scan(folder)
    if not names:
        raise UserError(f"{folder} holds no images that can be read here, nor do its subfolders.")
    return names


def match_pairs(names_A: Sequence[str], names_B: Sequence[str]) -> tuple[list[tuple[str, str]], list[str], list[str]]:
    """Match by relative path without suffix: the pairs, sorted; the names only in A; the names only in B.

    Composed and decomposed spellings of a name are the same name (`listing.stem_of`).

    Raises:
        UserError: two files of one folder differ in their suffix or in their spelling only.
    """
    by_stem: list[dict[str, str]] = []
    for names in (names_A, names_B):
        stems = {stem_of(name): name for name in names}
        if len(stems) < len(names):
            twin = next(name for name in names if stems[stem_of(name)] != name)
            other = stems[stem_of(twin)]
            raise UserError(
                f"{twin} and {other} in one folder leave it unclear which of them is of a pair; remove one."
            )
        by_stem.append(stems)
    A, B = by_stem
    in_order = sorted(A.keys() & B.keys(), key=lambda stem: os.path.splitext(A[stem])[0])  # noqa: PTH122
    pairs = [(A[stem], B[stem]) for stem in in_order]
    return pairs, [A[stem] for stem in sorted(A.keys() - B.keys())], [B[stem] for stem in sorted(B.keys() - A.keys())]


def check_side_by_side(path: Path, width: int, height: int) -> None:
    """Raise UserError where an image cannot be two images of the same size next to each other."""
    if width % 2:
        raise UserError(
            f"{path} is {width}×{height}: an odd width cannot be two images of one size side by side; "
            "remove it, or set data.layout if these are not pairs in one file."
        )


def check_root(root: Path) -> None:
    if not root.exists():
        raise UserError(f"The data folder {root} does not exist; set data.root to the folder of your images.")
    if not root.is_dir():
        raise UserError(f"{root} is a file; set data.root to the folder that holds the images.")


def _candidates(split: str) -> list[tuple[str, str]]:
    return [(f"{split}A", f"{split}B"), (f"A/{split}", f"B/{split}"), (f"{split}/A", f"{split}/B"), ("A", "B")]


def _two_folders(root: Path, split: str) -> tuple[Path, Path] | None:
    candidates = [(root / A, root / B) for A, B in _candidates(split)]
    for A, B in candidates:
        if A.is_dir() and B.is_dir():
            return A, B
    for A, B in candidates:
        if A.is_dir() or B.is_dir():
            found, missing = (A, B) if A.is_dir() else (B, A)
            raise UserError(f"Found {found}, but not {missing}; put the images of the other domain into {missing}.")
    return None


def _side_by_side(root: Path, split: str, layout: str, limit: int | None) -> Folders:
    folder = root / split
    if not folder.is_dir():
        raise _nothing_found(root, split, layout)
    names = Names(list_names(folder)[:limit])
    for index in dict.fromkeys((0, len(names) // 2)):
        path = folder / names[index]
        try:
            width, height = image_size(path)
        except UnreadableImage:
            continue  # the loader skips and counts it
        check_side_by_side(path, width, height)
        if layout == "auto" and width <= height:
            raise UserError(
                f"{path} is {width}×{height}, which does not look like two images side by side; put the domains into "
                f"{root / (split + 'A')} and {root / (split + 'B')}, or set data.layout to side_by_side if it is."
            )
    return Folders("side_by_side", Domain(folder, names, 0), Domain(folder, names, 1))


def _nothing_found(root: Path, split: str, layout: str) -> UserError:
    present = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    shown = ", ".join(present[:6]) + (" …" if len(present) > 6 else "")
    there = f"it has the folders {shown}" if present else "it has no folders"
    two = f"{split}A and {split}B"
    needed = {"auto": f"{two}, or {split} (pairs side by side)", "side_by_side": split}.get(layout, two)
    return UserError(f"Found no images to use in {root}: {there}, but {needed} would be needed.")


def _mismatch(folders: tuple[Path, Path], common: int, only_A: list[str], only_B: list[str]) -> UserError:
    clauses = []
    for here, there, names in ((folders[0], folders[1], only_A), (folders[1], folders[0], only_B)):
        if names:
            shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
            clauses.append(f"{len(names)} of {here} have no partner of the same name in {there} ({shown})")
    advice = "complete or remove them" if common else "rename them, or train a model for unpaired images"
    return UserError(f"The images are not all pairs: {' and '.join(clauses)}; {advice}.")
