"""From files to pixels and back: depth, alpha, colour and orientation kept, places not."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import translate
from tests.conftest import picture
from tests.inference.conftest import MakeCheckpoint
from translate.errors import UserError
from translate.inference.jobs.file_plan import plan_files
from translate.inference.jobs.files import translate_files
from translate.inference.raster import WRITABLE, Raster, encode, read_raster, to_picture, write_raster


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".webp", ".tif", ".bmp", ".JPG"])
def test_every_suffix_of_pictures(tmp_path: Path, suffix: str) -> None:
    colour = np.asarray(picture(1))
    write_raster(Raster(colour, np.zeros((40, 40, 1), np.uint8)), tmp_path / "deep" / f"out{suffix}")
    with Image.open(tmp_path / "deep" / f"out{suffix}") as back:
        assert back.size == (40, 40)
        if suffix.lower() in (".jpg", ".jpeg", ".bmp"):
            assert back.convert("RGB").getpixel((5, 5)) == (255, 255, 255)
        else:
            assert back.getchannel("A").getextrema() == (0, 0)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == [f"out{suffix}"]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bits_survive(suffix: str, channels: int) -> None:
    levels = np.random.default_rng(0).integers(0, 65536, (9, 7, channels), dtype=np.uint16)
    alpha = levels[:, :, -1:] if channels in (2, 4) else None
    file = io.BytesIO(encode(Raster(levels[:, :, : channels - (alpha is not None)], alpha), suffix))
    if suffix == ".npy":
        back = np.load(file)
    else:
        back = np.asarray(cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_UNCHANGED))
        back = back.reshape(9, 7, -1)
        back = back[:, :, [2, 1, 0, 3][: back.shape[2]]] if back.shape[2] > 2 else back
        levels = levels[:, :, [0, 0, 0, 1]] if channels == 2 else levels  # no 16-bit grey + alpha is written
    np.testing.assert_array_equal(back, levels)


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp"])
def test_16_bits_become_8_where_the_format_ends_there(suffix: str) -> None:
    levels = np.full((16, 16, 3), 200 * 257 + 120, np.uint16)
    with Image.open(io.BytesIO(encode(Raster(levels), suffix))) as back:
        assert back.convert("RGB").getpixel((8, 8)) == pytest.approx((200, 200, 200), abs=2)


def test_alpha_comes_apart_and_colour_is_seen_over_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (8, 8), (200, 0, 0, 0))
    image.paste((0, 100, 0, 255), (0, 0, 4, 8))
    image.save(tmp_path / "x.png")
    for source in (tmp_path / "x.png", image):
        raster = read_raster(source, 3)
        assert raster.alpha is not None
        assert raster.colour[0, [0, 7]].tolist() == [[0, 100, 0], [255, 255, 255]]
        assert raster.alpha[0, [0, 7]].tolist() == [[255], [0]]
    assert read_raster(picture(1), 3).alpha is None
    assert read_raster(image, 1).colour.shape == (8, 8, 1)


def test_files_of_many_channels_become_npy_only() -> None:
    raster = Raster(np.zeros((8, 8, 5), np.uint8))
    assert np.load(io.BytesIO(encode(raster, ".npy"))).shape == (8, 8, 5)
    with pytest.raises(UserError, match=r"5 channels.*npy"):
        encode(raster, ".png")


def test_what_a_format_cannot_hold_is_a_sentence() -> None:
    with pytest.raises(UserError, match=r"WEBP cannot hold 17000×1 pixels"):
        encode(Raster(np.zeros((1, 17000, 3), np.uint8)), ".webp")


def test_no_place_and_no_profile_goes_over(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    exif, text = Image.Exif(), PngInfo()
    gps = exif.get_ifd(0x8825)
    gps[1], gps[2] = "N", (48.0, 51.0, 29.0)
    text.add_itxt("XML:com.adobe.xmp", '<exif:GPSLatitude="48,51N"/>')
    text.add_text("Location", "48 51 N")
    (tmp_path / "in").mkdir()
    for suffix in (".jpg", ".png", ".webp", ".tif"):
        options: dict[str, Any] = {"pnginfo": text} if suffix == ".png" else {}
        picture(1).save(tmp_path / "in" / f"x{suffix}", exif=exif, comment=b"48 51 N", **options)
    translator = translate.load(make_checkpoint(), device="cpu")
    assert not translate_files(translator, plan_files([tmp_path / "in"], tmp_path / "out")).failed
    for path in (tmp_path / "out").iterdir():
        with Image.open(path) as made:
            assert not dict(made.getexif().get_ifd(0x8825))
            assert not {"exif", "xmp", "comment", "Location", "icc_profile"} & made.info.keys()
        assert b"48 51 N" not in path.read_bytes()
        assert b"GPS" not in path.read_bytes()
    with Image.open(tmp_path / "in" / "x.png") as source:
        assert "Location" in source.info


def test_depth_and_orientation_go_through_the_network(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    translator = translate.load(make_checkpoint(), device="cpu", precision="float32")
    levels = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    (tmp_path / "in").mkdir()
    for suffix in (".png", ".tif"):
        cv2.imwrite(str(tmp_path / "in" / f"deep{suffix}"), levels[:, :, ::-1])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    turned = picture(3, (30, 20))
    turned.save(tmp_path / "in" / "turned.png", exif=exif)
    translate_files(translator, plan_files([tmp_path / "in"], tmp_path / "out"))
    wanted = translator(levels)
    for suffix in (".png", ".tif"):
        made = np.asarray(cv2.imread(str(tmp_path / "out" / f"deep{suffix}"), cv2.IMREAD_UNCHANGED))[:, :, ::-1]
        assert np.abs(made.astype(int) - wanted).max() <= 1
    assert len(np.unique(wanted & 255)) > 100
    upright = translator(np.asarray(turned.rotate(-90, expand=True))).astype(int)
    assert np.abs(np.asarray(Image.open(tmp_path / "out" / "turned.png")) - upright).max() <= 1


def test_suffixes_that_are_written_can_be_read() -> None:
    for suffix in WRITABLE - {".npy"}:
        assert to_picture(read_raster(io.BytesIO(encode(Raster(np.asarray(picture(1))), suffix)), 3)).size == (40, 40)
