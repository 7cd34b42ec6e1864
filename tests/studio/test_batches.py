"""Many pictures at once, without the page."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import picture
from tests.studio.tiny import tiny_checkpoint
from translate.checkpoints.folder import read_config
from translate.checkpoints.zoo import Entry
from translate.errors import UserError
from translate.studio.translating import batches, photos


@pytest.fixture
def tiny(tmp_path: Path) -> Entry:
    folder = tiny_checkpoint(tmp_path / "tiny", ("a2b",))
    return Entry("tiny", folder, read_config(folder), "folder")


def upload(tmp_path: Path, name: str, seed: int = 0) -> tuple[Path, str]:
    """A picture as an upload: under a name of the server, with the one of its owner."""
    path = tmp_path / f"upload-{seed}-{len(list(tmp_path.iterdir()))}{Path(name).suffix}"
    picture(seed).save(path)
    return path, name


def archive(tmp_path: Path, *entries: str) -> tuple[Path, str]:
    path, (one, _) = tmp_path / "0f3e", upload(tmp_path, "one.png")
    with zipfile.ZipFile(path, "w") as file:
        for entry in entries:
            file.write(one, entry) if entry.endswith(".png") else file.writestr(entry, "no image")
    return path, "trip.zip"


def test_names_are_kept_and_never_lost(tmp_path: Path) -> None:
    uploads = [upload(tmp_path, "a.png", 1), upload(tmp_path, "a.png", 2), archive(tmp_path, "a.png", "in/b.png")]
    batch = batches.gather(uploads, tmp_path / "root")
    assert [batch.name(path) for path in batch.pictures] == ["a (2).png", "a.png", "trip/a.png", "trip/in/b.png"]
    assert not batch.problems


def test_an_archive_alone_keeps_its_inner_names(tmp_path: Path) -> None:
    batch = batches.gather([archive(tmp_path, "x/a.png", "y/b.png")], tmp_path / "root")
    assert [batch.name(path) for path in batch.pictures] == ["x/a.png", "y/b.png"]


def test_what_is_no_picture_is_named_and_what_nobody_meant_is_not(tmp_path: Path) -> None:
    batch = batches.gather(
        [archive(tmp_path, "in/a.png", "in/notes.txt", "in/.DS_Store", "in/Thumbs.db")], tmp_path / "root"
    )
    assert [batch.name(path) for path in batch.pictures] == ["a.png"]
    assert len(batch.problems) == 1
    assert "notes.txt" in batch.problems[0]
    assert str(tmp_path) not in batch.problems[0]


def test_a_dangerous_archive_is_a_sentence_and_the_rest_goes_on(tmp_path: Path) -> None:
    uploads = [upload(tmp_path, "good.png"), archive(tmp_path, "../../evil.png")]
    batch = batches.gather(uploads, tmp_path / "root")
    assert [batch.name(path) for path in batch.pictures] == ["good.png"]
    assert "trip.zip" in batch.problems[0]
    assert str(tmp_path) not in batch.problems[0]
    assert not list(tmp_path.rglob("evil.png"))


def test_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MOST_PICTURES", 2)
    with pytest.raises(UserError, match="3 pictures; up to 2"):
        batches.gather([upload(tmp_path, f"{n}.png") for n in range(3)], tmp_path / "root")
    monkeypatch.setattr(photos, "MAX_MEGAPIXELS", 0.001)
    with pytest.raises(UserError, match=r"large\.png has"):
        batches.gather([upload(tmp_path, "large.png")], tmp_path / "other")


def test_results_have_their_names_and_formats_in_the_archive(tmp_path: Path, tiny: Entry) -> None:
    uploads = [upload(tmp_path, "a.png", 1), upload(tmp_path, "b.jpg", 2), upload(tmp_path, "c.gif", 3)]
    (tmp_path / "cut.png").write_bytes(uploads[0][0].read_bytes()[:200])  # its head is whole
    batch = batches.gather([*uploads, (tmp_path / "cut.png", "cut.png")], tmp_path / "root")
    told: list[tuple[int, int | None]] = []
    batches.translate_batch(batch, tiny, "a2b", tmp_path / "out", lambda *progress: told.append(progress))
    assert told[-1] == (4, 4)
    assert [words for words in batch.problems if "cut.png" in words and str(tmp_path) not in words]
    packed = batches.pack(tmp_path / "out", tmp_path / "new" / "all.zip")
    with zipfile.ZipFile(packed) as file:
        assert sorted(file.namelist()) == ["a.png", "b.jpg", "c.gif.png"]
        with Image.open(file.open("b.jpg")) as image:
            assert (image.format, image.size) == ("JPEG", (40, 40))
