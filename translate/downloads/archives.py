"""Archives from strangers: nothing in them may write outside its folder, fill the disk, or make links or devices."""

from __future__ import annotations

import errno
import gzip
import shutil
import stat
import tarfile
import uuid
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, NamedTuple, cast

from translate.errors import UserError

CHUNK = 1 << 20
MAX_FILES = 1_000_000
HEADER_BYTES = 1 << 20
"""More than any honest header of a tar archive, or the padding at its end, takes."""


def extract(archive: Path, folder: Path, *, max_bytes: int, max_files: int = MAX_FILES, unwrap: bool = False) -> Path:
    """Unpack a zip or tar.gz archive into a new folder, which is there only when all of it is.

    Refused are encrypted archives, absolute paths, `..`, links, devices, two entries of one name, and more bytes or
    files than allowed, both those announced and those that come out (CWE-22, CWE-59, CWE-409). Permissions and dates
    of the entries are not taken over.

    Args:
        archive: the file; what it is follows from its content, not its name.
        folder: the folder to make. It may exist if it is empty.
        max_bytes: of all files together, unpacked.
        max_files: number of entries.
        unwrap: leave out a single folder that holds everything: `horse2zebra/trainA/1.jpg` becomes `trainA/1.jpg`.
    Returns:
        `folder`.
    Raises:
        UserError: the archive is damaged, of another kind or has such entries; the folder is not empty; the disk is
            full.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists already; delete it or choose another folder for {archive.name}.")
    unfinished = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.unfinished")
    try:
        unfinished.mkdir(parents=True)
        with _open(archive, max_bytes, max_files) as entries:
            _unpack(entries, unfinished, max_bytes, max_files)
        inner = list(unfinished.iterdir())
        whole = inner[0] if unwrap and len(inner) == 1 and inner[0].is_dir() else unfinished
        if folder.exists():
            folder.rmdir()
        whole.rename(folder)
    except _UnsafeError as error:
        raise UserError(f"{archive} was not unpacked: {error}.") from error
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError) as error:
        raise UserError(f"{archive} is damaged ({error}); delete it and download it again.") from error
    except OSError as error:
        raise UserError(disk_trouble(error, folder)) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def disk_trouble(error: OSError, path: Path) -> str:
    """What went wrong while `path` was written, in a sentence."""
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return f"The disk of {path.parent} is too full for {path.name}; make room and try again."
    return f"Cannot write {path}: {error.strerror or error}."


def describe_os_error(error: OSError) -> str:
    """What the system refused, with which file, and what to do, in a sentence."""
    path = error.filename if error.filename is not None else "the output"
    if isinstance(path, bytes):
        path = path.decode(errors="replace")
    what = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0, "check the path, and try again")
    return f"Cannot use {path}: {what}; {advice}."


_FULL = "make room and try again; what was saved before is whole"
_FORBIDDEN = "choose a place that you may write to, or change its permissions"
_ADVICE = {
    errno.ENOSPC: _FULL,
    getattr(errno, "EDQUOT", errno.ENOSPC): _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _FORBIDDEN,
    errno.ENOTDIR: "a part of the path is a file, where a folder is needed; choose another name",
    errno.EEXIST: "a file has that name, where a folder is needed; choose another name",
    errno.EISDIR: "a folder has that name, where a file is needed; choose another name",
    errno.ENOENT: "check the path",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or use fewer --data.workers",
    errno.EIO: "the disk or its connection may be damaged; try another",
}


def readable_size(count: int) -> str:
    """1500000 → 1.5 MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


class _UnsafeError(Exception):
    """The archive is refused; says why."""


class _Entry(NamedTuple):
    """A file of an archive, or a folder, which has no content."""

    name: str
    open: Callable[[], IO[bytes]] | None


def _unpack(entries: Iterator[_Entry], folder: Path, max_bytes: int, max_files: int) -> None:
    """Write entries below `folder`, counting what comes out."""
    total = 0
    for number, entry in enumerate(entries, 1):
        if number > max_files:
            raise _UnsafeError(f"it holds more than {max_files} files")
        parts = _safe_parts(entry.name)
        if parts[:1] == ["__MACOSX"]:  # macOS's notes on the files, under the names of images
            continue
        target = folder.joinpath(*parts)
        if entry.open is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with entry.open() as source, target.open("xb") as file:
                while chunk := source.read(CHUNK):
                    total += len(chunk)
                    if total > max_bytes:
                        raise _UnsafeError(f"it unpacks to more than the {readable_size(max_bytes)} that are allowed")
                    file.write(chunk)
        except FileExistsError as error:
            raise _UnsafeError(f"it holds {entry.name} twice") from error


def _safe_parts(name: str) -> list[str]:
    """The parts of an entry's path, which lead nowhere but down."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or PureWindowsPath(name).drive or ".." in path.parts or "\0" in name:
        raise _UnsafeError(f"its entry {name!r} would lie outside the folder")
    return list(path.parts)


@contextmanager
def _open(archive: Path, max_bytes: int, max_files: int) -> Iterator[Iterator[_Entry]]:
    with archive.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    if gzipped:
        with gzip.open(archive) as plain:
            metered = _Metered(plain)
            # As a stream, because only that reads headers in small pieces that can be counted.
            with tarfile.open(fileobj=cast(IO[bytes], metered), mode="r|") as tar:
                yield _tar_entries(tar, metered, max_bytes)
    elif zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield _zip_entries(zipped, max_bytes, max_files)
    else:
        raise _UnsafeError("it is neither a zip nor a tar.gz archive")


def _zip_entries(file: zipfile.ZipFile, max_bytes: int, max_files: int) -> Iterator[_Entry]:
    entries = file.infolist()
    if len(entries) > max_files:
        raise _UnsafeError(f"it holds more than {max_files} files")
    if sum(entry.file_size for entry in entries) > max_bytes:
        raise _UnsafeError(f"it unpacks to more than the {readable_size(max_bytes)} that are allowed")
    for entry in entries:
        if entry.flag_bits & 1:
            raise _UnsafeError("it is encrypted")
        if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _UnsafeError(f"its entry {entry.filename!r} is a link or a device")
        yield _Entry(entry.filename, None if entry.is_dir() else partial(file.open, entry))


def _tar_entries(file: tarfile.TarFile, metered: _Metered, max_bytes: int) -> Iterator[_Entry]:
    """Entries are read, never extracted by tarfile, so safety does not hang on which filters this Python has."""
    metered.budget = HEADER_BYTES
    while entry := file.next():
        if not (entry.isreg() or entry.isdir()):
            raise _UnsafeError(f"its entry {entry.name!r} is a link or a device")
        if entry.size > max_bytes:
            raise _UnsafeError(f"it unpacks to more than the {readable_size(max_bytes)} that are allowed")
        metered.budget = entry.size + HEADER_BYTES
        yield _Entry(entry.name, partial(_content, file, entry) if entry.isreg() else None)
        file.members = []  # type: ignore[attr-defined]  # tarfile remembers each entry, and there may be a million
        metered.budget = HEADER_BYTES
    while metered.read(CHUNK):  # to the end, where gzip's checksum is
        pass


def _content(file: tarfile.TarFile, entry: tarfile.TarInfo) -> IO[bytes]:
    content = file.extractfile(entry)
    if content is None:
        raise tarfile.ReadError(f"{entry.name} has no content")
    return content


class _Metered:
    """A stream of which only `budget` more bytes may be read, so that a header cannot be a bomb."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self.stream = stream
        self.budget = HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self.stream.read(size)
        self.budget -= len(data)
        if self.budget < 0:
            raise _UnsafeError("it has a header of unreasonable size")
        return data
