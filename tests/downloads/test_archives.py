"""Archives that mean well come out as they went in; archives that do not, leave nothing behind."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from translate.downloads.download import extract
from translate.errors import UserError

FILES = {"horse2zebra/trainA/1.jpg": b"horse", "horse2zebra/trainB/ä b.jpg": b"zebra" * 1000, "horse2zebra/empty": b""}


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("horse2zebra")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_tar(path: Path, files: dict[str, bytes], *entries: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for entry in entries:
            archive.addfile(entry, io.BytesIO(b"\0" * entry.size))
    return path


Make = Callable[[Path, dict[str, bytes]], Path]
BOTH = pytest.mark.parametrize("make", [make_zip, make_tar])


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.linkname = target
    return entry


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_refused(archive: Path, complaint: str, *, max_bytes: int = 1_000_000, max_files: int = 100) -> None:
    """It is refused by name, and there is nothing new anywhere."""
    before = sorted(archive.parent.rglob("*"))
    with pytest.raises(UserError, match=complaint) as caught:
        extract(archive, archive.parent / "inside" / "out", max_bytes=max_bytes, max_files=max_files)
    assert str(archive) in str(caught.value)
    (archive.parent / "inside").rmdir()
    assert sorted(archive.parent.rglob("*")) == before


@BOTH
def test_what_went_in_comes_out(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path / "archive", FILES)  # no suffix: what it is follows from its content
    assert extract(archive, tmp_path / "new" / "out", max_bytes=10_000) == tmp_path / "new" / "out"
    assert contents(tmp_path / "new" / "out") == FILES
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


@BOTH
def test_a_single_folder_can_be_left_out(tmp_path: Path, make: Make) -> None:
    extract(make(tmp_path / "archive", FILES), tmp_path / "out", max_bytes=10_000, unwrap=True)
    assert contents(tmp_path / "out") == {name.removeprefix("horse2zebra/"): data for name, data in FILES.items()}


def test_the_notes_of_macos_are_no_images(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "archive", FILES | {"__MACOSX/horse2zebra/trainA/._1.jpg": b"note"})
    extract(archive, tmp_path / "out", max_bytes=10_000, unwrap=True)
    assert set(contents(tmp_path / "out")) == {name.removeprefix("horse2zebra/") for name in FILES}


@BOTH
def test_several_folders_are_not_left_out(tmp_path: Path, make: Make) -> None:
    files = FILES | {"README": b"text"}
    extract(make(tmp_path / "archive", files), tmp_path / "out", max_bytes=10_000, unwrap=True)
    assert contents(tmp_path / "out") == files


@BOTH
def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path / "archive", FILES)
    (tmp_path / "out").mkdir()
    extract(archive, tmp_path / "out", max_bytes=10_000)
    before = contents(tmp_path / "out")
    with pytest.raises(UserError, match="out exists already"):
        extract(archive, tmp_path / "out", max_bytes=10_000)
    assert contents(tmp_path / "out") == before


@BOTH
@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/evil", "..\\evil", "C:\\evil", "\\\\host\\evil"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, make: Make, name: str) -> None:
    assert_refused(make(tmp_path / "archive", {"fine": b"1", name: b"2"}), "would lie outside the folder")


@pytest.mark.parametrize(
    "entry",
    [
        special("link", tarfile.SYMTYPE, "/etc/passwd"),
        special("link", tarfile.SYMTYPE, "fine"),
        special("link", tarfile.LNKTYPE, "/etc/passwd"),
        special("device", tarfile.CHRTYPE),
        special("pipe", tarfile.FIFOTYPE),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(tmp_path: Path, entry: tarfile.TarInfo) -> None:
    assert_refused(make_tar(tmp_path / "archive", {"fine": b"1"}, entry), "is a link or a device")


def test_a_link_in_a_zip_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        entry = zipfile.ZipInfo("link")
        entry.create_system = 3
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    assert_refused(tmp_path / "archive", "is a link or a device")


def test_writing_through_a_link_of_the_archive_is_impossible(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    archive = tmp_path / "archive"
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(special("door", tarfile.SYMTYPE, str(tmp_path / "outside")))
        entry = tarfile.TarInfo("door/evil")
        entry.size = 4
        tar.addfile(entry, io.BytesIO(b"evil"))
    assert_refused(archive, "is a link or a device")


@BOTH
def test_a_bomb_is_refused(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path / "archive", {"zeros": b"\0" * 5_000_000})
    assert archive.stat().st_size < 50_000
    assert_refused(archive, r"unpacks to more than the 1\.0 MB")


@BOTH
def test_many_small_files_count_together(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path / "archive", {f"{index}": b"\0" * 300_000 for index in range(5)})
    assert_refused(archive, r"unpacks to more than the 1\.0 MB")
    assert_refused(archive, "more than 3 files", max_bytes=10_000_000, max_files=3)


def test_a_zip_that_lies_about_its_sizes_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "archive", {"zeros": b"\0" * 5_000_000})
    data = archive.read_bytes()
    archive.write_bytes(data.replace((5_000_000).to_bytes(4, "little"), (500).to_bytes(4, "little")))
    assert_refused(archive, "damaged|unpacks to more")


def test_sizes_are_refused_as_they_are_announced(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("zeros")
    entry.size = 10**12
    with gzip.open(tmp_path / "tar", "wb") as file:
        file.write(entry.tobuf())
    assert_refused(tmp_path / "tar", r"unpacks to more than the 1\.0 MB")
    archive = make_zip(tmp_path / "zip", {"zeros": b"\0" * 54_321})
    archive.write_bytes(archive.read_bytes().replace((54_321).to_bytes(4, "little"), (10**9).to_bytes(4, "little")))
    assert_refused(archive, r"unpacks to more than the 1\.0 MB")


def test_a_tar_header_cannot_be_a_bomb(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type = tarfile.XHDTYPE  # extended headers are read into memory as a whole
    header.size = 50_000_000
    with gzip.open(tmp_path / "archive", "wb") as file:
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(50):
            file.write(b"\0" * 1_000_000)
    assert_refused(tmp_path / "archive", "header of unreasonable size", max_bytes=100_000_000)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    archive = make_zip(tmp_path / "archive", {"secret": b"data"})
    data = bytearray(archive.read_bytes())
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.rindex(magic) + offset
        data[at] |= 1
    archive.write_bytes(data)
    assert_refused(archive, "encrypted")


@BOTH
def test_a_name_that_comes_twice_is_refused(tmp_path: Path, make: Make) -> None:
    if make is make_zip:
        with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(tmp_path / "archive", "w") as archive:
            archive.writestr("twice", "1")
            archive.writestr("twice", "2")
    else:
        make_tar(tmp_path / "archive", {"twice": b""}, tarfile.TarInfo("twice"))
    assert_refused(tmp_path / "archive", "holds twice twice")


@BOTH
def test_a_torn_archive_is_called_damaged(tmp_path: Path, make: Make) -> None:
    archive = make(tmp_path / "archive", FILES | {"noise": bytes(range(256)) * 400})
    archive.write_bytes(archive.read_bytes()[:-40])
    assert_refused(archive, "damaged|neither a zip nor")


def test_a_flipped_byte_in_a_tar_is_noticed(tmp_path: Path) -> None:
    archive = make_tar(tmp_path / "archive", FILES)
    data = bytearray(archive.read_bytes())
    data[-6] ^= 0xFF  # gzip's checksum, which lies behind all that tar reads
    archive.write_bytes(data)
    assert_refused(archive, "damaged")


def test_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "archive").write_text("<html>Not found</html>")
    assert_refused(tmp_path / "archive", "neither a zip nor a tar")
