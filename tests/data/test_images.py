"""Every kind of image file becomes the right pixels; every kind of damage becomes one sentence."""

from __future__ import annotations

import io
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from tests.data.pictures import noise
from translate.data.images import UnreadableImage, image_size, open_image, read_array, to_array
from translate.errors import UserError

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "I;16", "I;16B"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_white_is_white_in_every_mode(mode: str, channels: int) -> None:
    white = {"I;16": 65535, "I;16B": 65535}.get(mode, "white")
    image = Image.new("RGB", (3, 2), "white").convert(mode) if white == "white" else Image.new(mode, (3, 2), white)
    array = to_array(image, channels)
    assert array.shape == (2, 3, channels)
    assert (array == np.iinfo(array.dtype).max).all()


def test_transparent_pixels_lie_over_white() -> None:
    image = Image.new("RGBA", (1, 3))
    for y, alpha in enumerate((0, 128, 255)):
        image.putpixel((0, y), (255, 0, 0, alpha))
    array = to_array(image, 3)[:, 0]
    assert array[0].tolist() == [255, 255, 255]
    assert array[1].tolist() == pytest.approx([255, 127, 127], abs=1)
    assert array[2].tolist() == [255, 0, 0]
    assert to_array(image, 4)[1, 0].tolist() == [255, 0, 0, 128]
    assert to_array(Image.new("LA", (1, 1), (0, 0)), 1).item() == 255


@pytest.mark.parametrize("transparency", [None, 1])
def test_palette(transparency: int | None, tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    options: dict[str, Any] = {} if transparency is None else {"transparency": transparency}
    image.save(tmp_path / "x.png", **options)
    assert read_array(tmp_path / "x.png", 3).tolist() == [[list(RED), list(WHITE if transparency else GREEN)]]


def test_rgb_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("RGB", (1, 1), RED)
    image.save(tmp_path / "x.png", transparency=RED)
    assert read_array(tmp_path / "x.png", 3).ravel().tolist() == list(WHITE)


def test_cmyk_jpeg_has_the_colours_of_the_rgb_it_came_from(tmp_path: Path) -> None:
    # Pillow writes CMYK JPEGs inverted with an Adobe marker, as Photoshop does.
    Image.new("RGB", (16, 16), (250, 30, 60)).convert("CMYK").save(tmp_path / "x.jpg", quality=100)
    assert b"Adobe" in (tmp_path / "x.jpg").read_bytes()
    assert read_array(tmp_path / "x.jpg", 3)[8, 8].tolist() == pytest.approx([250, 30, 60], abs=4)


def test_cmyk_ignores_a_profile_that_is_not_for_cmyk() -> None:
    image = Image.new("RGB", (2, 2), (250, 30, 60)).convert("CMYK")
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert to_array(image, 3)[0, 0].tolist() == pytest.approx([250, 30, 60], abs=2)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_to_both_bit_depths(orientation: int, tmp_path: Path) -> None:
    upright = noise(4, 6, 3, dtype=np.uint16)
    # How a camera held that way stores it: the inverse of what the tag tells a reader to do.
    inverses: dict[int, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    stored = np.ascontiguousarray(inverses[orientation](upright))
    exif = Image.Exif()
    exif[0x0112] = orientation
    eight = (stored >> 8).astype(np.uint8)
    Image.fromarray(eight).save(tmp_path / "x.png", exif=exif)
    np.testing.assert_array_equal(read_array(tmp_path / "x.png", 3), upright >> 8)
    np.testing.assert_array_equal(to_array(open_image(tmp_path / "x.png"), 3), upright >> 8)
    assert image_size(tmp_path / "x.png") == (6, 4)

    deep = bytearray(cv2.imencode(".png", stored[:, :, ::-1])[1].tobytes())
    eight_png = (tmp_path / "x.png").read_bytes()
    chunk = eight_png.index(b"eXIf") - 4
    (length,) = struct.unpack(">I", eight_png[chunk : chunk + 4])
    end_of_header = 8 + 25  # signature and IHDR
    deep[end_of_header:end_of_header] = eight_png[chunk : chunk + 12 + length]
    (tmp_path / "deep.png").write_bytes(deep)
    np.testing.assert_array_equal(read_array(tmp_path / "deep.png", 3), upright)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("depth", [1, 3, 4])
def test_sixteen_bits_stay_sixteen(suffix: str, depth: int, tmp_path: Path) -> None:
    pixels = noise(5, 4, depth, dtype=np.uint16)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[depth]
    assert cv2.imwrite(str(tmp_path / f"x{suffix}"), pixels[:, :, order])
    array = read_array(tmp_path / f"x{suffix}", depth)
    assert array.dtype == np.uint16
    np.testing.assert_array_equal(array, pixels)


def test_sixteen_bit_colour_becomes_grey_and_loses_its_alpha_properly(tmp_path: Path) -> None:
    pixels = np.array([[[65535, 0, 0, 65535], [0, 0, 0, 0]]], np.uint16)  # red, transparent
    cv2.imwrite(str(tmp_path / "x.png"), pixels[:, :, [2, 1, 0, 3]])
    assert read_array(tmp_path / "x.png", 3).tolist() == [[[65535, 0, 0], [65535, 65535, 65535]]]
    assert read_array(tmp_path / "x.png", 1).ravel().tolist() == pytest.approx([0.299 * 65535, 65535], abs=1)


def test_grey_of_32_bits_and_floats() -> None:
    assert to_array(Image.fromarray(np.array([[0, 300, 65535]], np.int32)), 1).ravel().tolist() == [0, 300, 65535]
    assert to_array(Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), 1).ravel().tolist() == [0, 32768, 65535]
    assert to_array(Image.fromarray(np.array([[0, 255]], np.float32)), 1).ravel().tolist() == [0, 65535]
    assert to_array(Image.fromarray(np.array([[0, 4000]], np.float32)), 1).ravel().tolist() == [0, 4000]
    for bad in (-1.0, 1e6, np.nan):
        with pytest.raises(UserError, match="levels"):
            to_array(Image.fromarray(np.array([[0, bad]], np.float32)), 1)


def tiff(
    pixels: npt.NDArray[Any], *, separate: bool = False, byteorder: Literal["<", ">"] = "<", deflate: bool = False
) -> bytes:
    """A TIFF of any number of channels, as GDAL writes it; with `deflate`, also the horizontal predictor."""
    height, width, samples = pixels.shape
    stored = pixels.copy()
    if deflate:
        stored[:, 1:] = pixels[:, 1:] - pixels[:, :-1]
    block = (stored.transpose(2, 0, 1) if separate else stored).astype(pixels.dtype.newbyteorder(byteorder)).tobytes()
    if deflate:
        import zlib

        block = zlib.compress(block)
    bits = pixels.dtype.itemsize * 8
    plane = len(block) // samples
    offsets = [8 + plane * i for i in range(samples)] if separate else [8]
    entries = [
        (256, "H", [width]),
        (257, "H", [height]),
        (258, "H", [bits] * samples),
        (259, "H", [8 if deflate else 1]),
        (262, "H", [1]),
        (273, "I", offsets),
        (277, "H", [samples]),
        (278, "H", [height]),
        (279, "I", [plane] * samples if separate else [len(block)]),
        (284, "H", [2 if separate else 1]),
        (317, "H", [2 if deflate else 1]),
        (338, "H", [0] * (samples - 1)),
    ]
    directory, overflow = struct.pack(byteorder + "H", len(entries)), b""
    start = 8 + len(block)
    after = start + 2 + 12 * len(entries) + 4
    for tag, code, values in entries:
        raw = struct.pack(f"{byteorder}{len(values)}{code}", *values)
        if len(raw) > 4:
            raw, overflow = struct.pack(byteorder + "I", after + len(overflow)), overflow + raw
        directory += struct.pack(byteorder + "HHI", tag, 3 if code == "H" else 4, len(values)) + raw.ljust(4, b"\0")
    magic = b"II*\0" if byteorder == "<" else b"MM\0*"
    return magic + struct.pack(byteorder + "I", start) + block + directory + bytes(4) + overflow


@pytest.mark.parametrize(
    "options",
    [{}, {"separate": True}, {"byteorder": ">"}, {"deflate": True}],
    ids=["plain", "planes", "big", "deflate"],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiff_of_many_channels_is_read_as_it_is(options: dict[str, Any], dtype: Any, tmp_path: Path) -> None:
    pixels = noise(6, 9, 5, dtype=dtype)
    (tmp_path / "x.tif").write_bytes(tiff(pixels, **options))
    array = read_array(tmp_path / "x.tif", 5)
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, pixels)
    assert image_size(tmp_path / "x.tif") == (9, 6)
    with pytest.raises(UserError, match=r"x\.tif has 5 channels, but 3 are needed"):
        read_array(tmp_path / "x.tif", 3)


def test_damaged_tiff_of_many_channels(tmp_path: Path) -> None:
    whole = tiff(noise(6, 9, 5))
    for length in (9, len(whole) // 2, len(whole) - 20):
        (tmp_path / "x.tif").write_bytes(whole[:length])
        with pytest.raises(UnreadableImage, match=r"x\.tif"):
            read_array(tmp_path / "x.tif", 5)


def test_grey_pages_are_channels_and_arrays_are_images(tmp_path: Path) -> None:
    pixels = noise(6, 9, 4)
    pages = [Image.fromarray(pixels[:, :, i]) for i in range(4)]
    pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
    np.testing.assert_array_equal(read_array(tmp_path / "x.tif", 4), pixels)
    assert read_array(tmp_path / "x.tif", 3).shape == (6, 9, 3)  # another count: the first page, as grey
    deep = noise(3, 2, 7, dtype=np.uint16)
    np.save(tmp_path / "x.npy", deep)
    np.testing.assert_array_equal(read_array(tmp_path / "x.npy", 7), deep)
    assert image_size(tmp_path / "x.npy") == (2, 3)
    np.save(tmp_path / "f.npy", np.zeros((2, 2)))
    with pytest.raises(UnreadableImage, match="uint8 or uint16"):
        read_array(tmp_path / "f.npy", 1)


def test_pil_image_and_open_file_are_sources_too() -> None:
    image = Image.new("RGB", (2, 1), RED)
    file = io.BytesIO()
    image.save(file, "PNG")
    file.seek(0)
    assert open_image(file).getpixel((0, 0)) == RED
    assert not file.closed
    assert read_array(image, 3).tolist() == [[list(RED)] * 2]


def damaged(kind: str, folder: Path) -> Path:
    path = folder / f"{kind}.jpg"
    Image.fromarray(noise(64, 64, 3)).save(path, quality=95)
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        path.write_bytes(path.read_bytes()[:-1000])
    elif kind == "header":
        path.write_bytes(path.read_bytes()[:12])
    elif kind == "text":
        path.write_text("404: Not Found")
    elif kind == "missing":
        path.unlink()
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("empty", "empty"),
        ("truncated", "cut short"),
        ("header", "damaged|known format"),
        ("text", "known format"),
        ("missing", "no such file"),
        ("folder", "is a directory"),
    ],
)
def test_damage_is_one_sentence_that_names_the_file(kind: str, reason: str, tmp_path: Path) -> None:
    path = damaged(kind, tmp_path)
    for read in (lambda: open_image(path), lambda: read_array(path, 3)):
        with pytest.raises(UnreadableImage, match=reason) as caught:
            read()
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        copy = pickle.loads(pickle.dumps(caught.value))  # as on the way from a worker
        assert str(copy) == str(caught.value)
        assert (copy.source, copy.reason) == (str(path), caught.value.reason)


def test_truncated_png_and_tiff(tmp_path: Path) -> None:
    for suffix in (".png", ".tif"):
        path = tmp_path / f"x{suffix}"
        Image.fromarray(noise(64, 64, 3)).save(path)
        path.write_bytes(path.read_bytes()[:-6000])
        with pytest.raises(UnreadableImage, match=r"cut short|damaged|known format"):
            read_array(path, 3)


def test_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (100, 100)).save(tmp_path / "x.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadableImage, match=r"x\.png.*MAX_IMAGE_PIXELS"):
        open_image(tmp_path / "x.png")
