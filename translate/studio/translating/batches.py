"""Translates many pictures at once: uploads, loose or in archives, become a folder, and the results an archive."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from translate.errors import UserError
from translate.studio.translating import library, photos

if TYPE_CHECKING:
    from translate.checkpoints.zoo import Entry

MOST_PICTURES = 500
"""Most pictures in a batch."""
MOST_BYTES = 1_000_000_000
"""Largest size of an archive's contents, in bytes, once unpacked."""
ARCHIVES = (".zip", ".tar.gz", ".tgz")


@dataclass
class Batch:
    """Pictures in the folder `root`, under the names that their owner knows, and sentences on what is no picture."""

    root: Path
    pictures: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def name(self, picture: Path) -> str:
        """Return what the owner calls a picture."""
        return picture.relative_to(self.root).as_posix()


def gather(uploads: Sequence[tuple[Path, str]], root: Path) -> Batch:
    """Put uploads into one folder. An archive is unpacked into it, or into a folder of its name if there are others.

    Args:
        uploads: each with the name that its owner gave it.
        root: the folder to make.
    Raises:
        UserError: there is no picture in any of them, or there are too many.
    """
    root.mkdir(parents=True)
    batch = Batch(root)
    for path, name in uploads:
        ending = next((ending for ending in ARCHIVES if name.lower().endswith(ending)), None)
        if ending:
            _unpack(path, name, root if len(uploads) == 1 else _free(root / name[: -len(ending)]), batch)
        else:
            shutil.copyfile(path, _free(root / name))
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        name = batch.name(path)
        if any(part.startswith(".") or part == "Thumbs.db" for part in Path(name).parts):
            continue  # notes of file managers, which nobody meant to send
        try:
            photos.check_picture(path, name)
            batch.pictures.append(path)
        except UserError as error:
            batch.problems.append(str(error))
    if len(batch.pictures) > MOST_PICTURES:
        raise UserError(
            f"There are {len(batch.pictures)} pictures; up to {MOST_PICTURES} go at once, and any number with "
            "`translate run`."
        )
    if not batch.pictures:
        raise UserError(" ".join(batch.problems) or "There is no picture in these files.")
    return batch


def translate_batch(
    batch: Batch, entry: Entry, direction: str, out: Path, progress: Callable[[int, int | None], None]
) -> None:
    """Translate the pictures into the folder `out`, names kept; what fails joins `batch.problems`.

    Args:
        progress: called with the numbers of pictures done and there; an exception from it ends the work.
    Raises:
        UserError: the checkpoint is damaged.
    """
    from translate.inference.jobs.file_plan import result_name
    from translate.inference.jobs.files import translate_files

    pairs = [(picture, result_name(out / batch.name(picture), picture)) for picture in batch.pictures]
    outcome = translate_files(library.translator(entry), pairs, direction, progress=progress)
    batch.problems += [words.replace(f"{batch.root}/", "").replace(f"{out}/", "") for _, words in outcome.failed]
    batch.problems += [words.replace(f"{batch.root}/", "") for words in outcome.notes]


def results(out: Path) -> list[Path]:
    """Return the pictures that are finished, in the order of their names."""
    return sorted(path for path in out.rglob("*") if path.is_file() and not path.name.startswith("."))


def pack(out: Path, archive: Path) -> Path:
    """Put the finished pictures into a zip archive. Pictures are compressed already, so it only joins them."""
    archive.parent.mkdir(parents=True)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for path in results(out):
            file.write(path, path.relative_to(out))
    return archive


def _unpack(path: Path, name: str, folder: Path, batch: Batch) -> None:
    from translate.downloads.archives import extract

    try:
        extract(path, folder, max_bytes=MOST_BYTES, max_files=10 * MOST_PICTURES, unwrap=True)
    except UserError as error:
        batch.problems.append(str(error).replace(str(path), name))


def _free(path: Path) -> Path:
    """Return the path, or one like it that is not taken: photo.jpg, photo (2).jpg …"""
    free, number = path, 1
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return free
