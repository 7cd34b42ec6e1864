"""A photo through a checkpoint, as the page and the API ask for it."""

from __future__ import annotations

import logging
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import picture
from tests.studio.tiny import tiny_checkpoint, tiny_run
from translate.checkpoints.zoo import Entry
from translate.errors import UserError
from translate.inference import translator
from translate.studio import library


def entry(folder: Path) -> Entry:
    from translate.checkpoints.folder import read_config

    return Entry(folder.name, folder, read_config(folder), "folder")


@pytest.fixture
def tiny(tmp_path: Path) -> Entry:
    return entry(tiny_checkpoint(tmp_path / "tiny"))


def test_a_photo_comes_back_upright_at_its_size_under_its_name(tiny: Entry, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    picture(1, (60, 40)).save(tmp_path / "upload", "JPEG", exif=exif)
    made = library.translate_photo(tmp_path / "upload", "My horse.JPG", tiny, "a2b", tmp_path / "out")
    assert made.picture.name == "My-horse-zebra.png"
    assert (made.width, made.height) == (40, 60)
    for path in (made.before, made.after, made.picture):
        with Image.open(path) as image:
            assert image.size == (40, 60)
    assert made.seconds > 0


def test_transparency_is_kept_in_the_file_and_white_in_the_view(tiny: Entry, tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    made = library.translate_photo(tmp_path / "clear.png", "clear.png", tiny, "a2b", tmp_path / "out")
    assert Image.open(made.picture).getpixel((20, 20))[3] == 0  # type: ignore[index]
    assert Image.open(made.before).getpixel((20, 20)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "I;16", "1"])
def test_every_kind_of_image_can_be_shown(tiny: Entry, tmp_path: Path, mode: str) -> None:
    image = Image.new("I;16", (40, 40), 40000) if mode == "I;16" else picture(1).convert(mode)
    image.save(tmp_path / "photo.tif")
    made = library.translate_photo(tmp_path / "photo.tif", "photo.tif", tiny, "a2b", tmp_path / "out")
    assert Image.open(made.before).mode == "RGB"


def test_an_unreadable_file_is_called_what_its_owner_calls_it(tiny: Entry, tmp_path: Path) -> None:
    (tmp_path / "5f3a").write_text("not an image")
    with pytest.raises(UserError) as caught:
        library.translate_photo(tmp_path / "5f3a", "notes.jpg", tiny, "a2b", tmp_path / "out")
    assert "notes.jpg" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("side", [8_000, 15_000, 60_000])
def test_too_large_an_image_is_refused_before_it_is_decoded(tiny: Entry, tmp_path: Path, side: int) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT")
    with pytest.raises(UserError, match=r"bomb\.png has .* takes up to 50"):
        library.translate_photo(tmp_path / "bomb.png", "bomb.png", tiny, "a2b", tmp_path / "out")


def test_weights_stay_in_memory_until_others_need_the_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    load = translator.load

    def counting(folder: Path) -> translator.Translator:
        loaded.append(folder.name)
        return load(folder)

    monkeypatch.setattr(translator, "load", counting)
    picture(1).save(tmp_path / "photo.png")
    checkpoints = {name: entry(tiny_checkpoint(tmp_path / name, ("a2b",))) for name in "abcd"}

    def use(name: str) -> None:
        folder = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        library.translate_photo(tmp_path / "photo.png", "photo.png", checkpoints[name], "a2b", folder)

    for name in "aabcad":
        use(name)
    assert loaded == ["a", "b", "c", "d"]
    use("b")  # the one not used for longest has made room for d
    assert loaded == ["a", "b", "c", "d", "b"]
    checkpoints["b"] = entry(tiny_checkpoint(tmp_path / "b", ("a2b",)))
    use("b")  # saved anew, as a run or a second download does
    assert loaded == ["a", "b", "c", "d", "b", "b"]


def test_checkpoints_are_found_by_name_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLATE_HOME", str(tmp_path / "home"))
    elsewhere = tiny_checkpoint(tmp_path / "elsewhere")
    mine = tiny_run(tmp_path / "runs", "mine")
    assert library.checkpoint("mine", tmp_path / "runs").folder == mine
    for stranger in (str(elsewhere), "../elsewhere", ""):
        with pytest.raises(UserError, match="mine"):
            library.checkpoint(stranger, tmp_path / "runs")


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("horse.jpg", "zebra", "horse-zebra.png"),
        ("a b/c.tar.png", "landscape photo", "c.tar-landscape-photo.png"),
        ("Пони.jpg", "façade", "Пони-façade.png"),
        ("../../etc/passwd", "..", "passwd-translated.png"),
        ("?.png", "/", "picture-translated.png"),
        ("x" * 300 + ".jpg", "y" * 300, "x" * 100 + "-" + "y" * 40 + ".png"),
    ],
)
def test_result_names(name: str, target: str, expected: str) -> None:
    assert library.result_name(name, target) == expected


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "less than a second"),
        (1.2, "1 second"),
        (59.7, "1 minute"),
        (61, "1 minute and 1 second"),
        (185, "3 minutes and 5 seconds"),
    ],
)
def test_time_in_words(seconds: float, words: str) -> None:
    assert library.in_words(seconds) == words


def test_errors_become_sentences(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    assert library.sentence(UserError("Use another file.")) == "Use another file."
    assert not caplog.records
    assert "secret" not in library.sentence(KeyError("secret"))
    assert caplog.records[-1].exc_info is not None  # for who runs the studio
    assert "smaller" in library.sentence(RuntimeError("DefaultCPUAllocator: not enough memory"))
