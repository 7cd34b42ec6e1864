"""A photo through a checkpoint, as the page and the API ask for it."""

from __future__ import annotations

import logging
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import picture
from tests.studio.tiny import tiny_checkpoint, tiny_run
from translate.checkpoints.zoo import Entry
from translate.errors import UserError
from translate.studio.cards.words import in_words
from translate.studio.translating import library, network, photos


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
    made = photos.translate_photo(tmp_path / "upload", "My horse.JPG", tiny, "a2b", tmp_path / "out")
    assert made.picture.name == "My-horse-zebra.png"
    assert (made.width, made.height) == (40, 60)
    for path in (made.before, made.after, made.picture):
        with Image.open(path) as image:
            assert image.size == (40, 60)
    assert made.seconds > 0


def test_transparency_is_kept_in_the_file_and_white_in_the_view(tiny: Entry, tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    made = photos.translate_photo(tmp_path / "clear.png", "clear.png", tiny, "a2b", tmp_path / "out")
    assert Image.open(made.picture).getpixel((20, 20))[3] == 0  # type: ignore[index]
    assert Image.open(made.before).getpixel((20, 20)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "I;16", "1"])
def test_every_kind_of_image_can_be_shown(tiny: Entry, tmp_path: Path, mode: str) -> None:
    image = Image.new("I;16", (40, 40), 40000) if mode == "I;16" else picture(1).convert(mode)
    image.save(tmp_path / "photo.tif")
    made = photos.translate_photo(tmp_path / "photo.tif", "photo.tif", tiny, "a2b", tmp_path / "out")
    assert Image.open(made.before).mode == "RGB"


def test_an_unreadable_file_is_called_what_its_owner_calls_it(tiny: Entry, tmp_path: Path) -> None:
    (tmp_path / "5f3a").write_text("not an image")
    with pytest.raises(UserError) as caught:
        photos.translate_photo(tmp_path / "5f3a", "notes.jpg", tiny, "a2b", tmp_path / "out")
    assert "notes.jpg" in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_another_size_keeps_the_shape_and_the_transparency(tiny: Entry, tmp_path: Path) -> None:
    picture(1, (300, 100)).convert("RGBA").save(tmp_path / "wide.png")
    made = photos.translate_photo(tmp_path / "wide.png", "wide.png", tiny, "a2b", tmp_path / "out", size=90)
    assert (made.width, made.height, made.translated_at) == (300, 100, 90)
    assert Image.open(made.picture).mode == "RGBA"
    made = photos.translate_photo(tmp_path / "wide.png", "wide.png", tiny, "a2b", tmp_path / "large", size=2048)
    assert (made.width, made.height, made.translated_at) == (300, 100, 0)


def test_a_round_trip_is_the_translation_of_the_translation(tiny: Entry, tmp_path: Path) -> None:
    picture(1, (48, 48)).save(tmp_path / "photo.png")
    made = photos.translate_photo(tmp_path / "photo.png", "photo.png", tiny, "b2a", tmp_path / "out", round_trip=True)
    again = photos.translate_photo(made.picture, "photo.png", tiny, "a2b", tmp_path / "again")
    assert made.back is not None
    assert made.back.read_bytes() == again.after.read_bytes()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 7.0])
def test_strength_goes_from_the_photo_to_the_translation(
    tiny: Entry, tmp_path: Path, mode: str, strength: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.new("I;16", (40, 40), 40000) if mode == "I;16" else picture(1).convert(mode)
    image.save(tmp_path / "photo.png")
    made = photos.translate_photo(tmp_path / "photo.png", "photo.png", tiny, "a2b", tmp_path / "out")
    monkeypatch.setattr(library, "translate", None)  # no network runs again
    file = photos.export(made, strength, ".png")
    assert file.name == "photo-zebra.png"
    before, after, faded = (
        np.asarray(photos.as_seen(Image.open(path)), dtype=float) for path in (made.photo, made.picture, file)
    )
    share = min(strength, 1.0)
    assert np.abs(faded - ((1 - share) * before + share * after)).max() <= 1


def test_a_download_is_png_or_jpeg_and_nothing_else(tiny: Entry, tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    made = photos.translate_photo(tmp_path / "clear.png", "clear.png", tiny, "a2b", tmp_path / "out")
    file = photos.export(made, 1.0, ".jpg")
    assert file.name == "clear-zebra.jpg"
    with Image.open(file) as image:
        assert image.format == "JPEG"
        assert min(image.convert("L").tobytes()) > 250  # transparency is white
    for suffix in (".gif", "/../../evil.png", ""):
        with pytest.raises(UserError, match="PNG or as JPEG"):
            photos.export(made, 0.5, suffix)


def test_every_way_of_every_checkpoint_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLATE_HOME", str(tmp_path / "home"))
    tiny_run(tmp_path / "runs", "both", title="Horse ↔ Zebra")
    tiny_run(tmp_path / "runs", "one", directions=("b2a",))
    ways = dict(library.ways(tmp_path / "runs"))
    assert {"Horse ↔ Zebra: horse → zebra", "Horse ↔ Zebra: zebra → horse", "one: zebra → horse"} <= set(ways)
    entry, direction = library.way(ways["Horse ↔ Zebra: zebra → horse"], tmp_path / "runs")
    assert (entry.name, direction) == ("both", "b2a")
    for stranger in (None, "", "a2b/../../elsewhere"):
        with pytest.raises(UserError, match="both"):
            library.way(stranger, tmp_path / "runs")


@pytest.mark.parametrize("side", [8_000, 15_000, 60_000])
def test_too_large_an_image_is_refused_before_it_is_decoded(tiny: Entry, tmp_path: Path, side: int) -> None:
    header = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT")
    with pytest.raises(UserError, match=r"bomb\.png has .* takes up to 50"):
        photos.translate_photo(tmp_path / "bomb.png", "bomb.png", tiny, "a2b", tmp_path / "out")


def test_weights_stay_in_memory_until_others_need_the_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []

    class Counting(network.QueuedTranslator):
        def __init__(self, folder: Path) -> None:
            loaded.append(folder.name)
            super().__init__(folder)

    monkeypatch.setattr(network, "QueuedTranslator", Counting)
    picture(1).save(tmp_path / "photo.png")
    checkpoints = {name: entry(tiny_checkpoint(tmp_path / name, ("a2b",))) for name in "abcd"}

    def use(name: str) -> None:
        folder = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        photos.translate_photo(tmp_path / "photo.png", "photo.png", checkpoints[name], "a2b", folder)

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
    assert photos.result_name(name, target) == expected


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
    assert in_words(seconds) == words


def test_errors_become_sentences(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    assert library.sentence(UserError("Use another file.")) == "Use another file."
    assert not caplog.records
    assert "secret" not in library.sentence(KeyError("secret"))
    assert caplog.records[-1].exc_info is not None  # for who runs the studio
    assert "smaller" in library.sentence(RuntimeError("DefaultCPUAllocator: not enough memory"))
