"""Colours by their profile: what a viewer that knows profiles shows is what a network sees."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from tests.conftest import picture
from translate.data.colour import levels_to_srgb, to_srgb
from translate.data.images import read_array

ADOBE = [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
"""Adobe RGB (1998), section 4.3.4: columns are the primaries relative to D50."""
GAMMA = 563 / 256
"""Section 4.3.4.2."""


def curve(gamma: float, kind: str) -> bytes:
    """The same tone curve in four spellings."""
    if kind == "gamma":
        return struct.pack(">4sIIH2x", b"curv", 0, 1, round(gamma * 256))
    if kind == "table":
        levels = np.rint(np.linspace(0, 1, 1024) ** gamma * 65535).astype(int)
        return struct.pack(f">4sII{len(levels)}H", b"curv", 0, len(levels), *levels)
    number, parameters = {"power": (0, [gamma]), "parametric": (3, [gamma, 1, 0, 0, 0])}[kind]
    return struct.pack(f">4sIHH{len(parameters)}i", b"para", 0, number, 0, *[round(p * 65536) for p in parameters])


def profile(kind: str = "gamma", grey: bool = False, matrix: list[list[float]] = ADOBE, gamma: float = GAMMA) -> bytes:
    """An ICC profile: header, table of tags, data."""
    white = struct.pack(">4sI3i", b"XYZ ", 0, *[round(v * 65536) for v in (0.9642, 1.0, 0.8249)])
    text = struct.pack(">4sIII12sII", b"mluc", 0, 1, 12, b"enUS" + struct.pack(">II", 8, 28), 0, 0)
    tags = {b"desc": text, b"cprt": text, b"wtpt": white}
    if grey:
        tags[b"kTRC"] = curve(gamma, kind)
    else:
        for index, name in enumerate((b"r", b"g", b"b")):
            tags[name + b"TRC"] = curve(gamma, kind)
            column = [round(row[index] * 65536) for row in matrix]
            tags[name + b"XYZ"] = struct.pack(">4sI3i", b"XYZ ", 0, *column)
    table, data = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += struct.pack(">4sII", name, start + len(data), len(content))
        data += content
    body = struct.pack(">I", len(tags)) + table + data
    head = struct.pack(
        ">I4sI4s4s4s12s4s4s28s3i44x",
        128 + len(body),
        b"lcms",
        0x04000000,
        b"mntr",
        b"GRAY" if grey else b"RGB ",
        b"XYZ ",
        bytes(12),
        b"acsp",
        bytes(4),
        bytes(28),
        round(0.9642 * 65536),
        65536,
        round(0.8249 * 65536),
    )
    return head + body


def with_profile(image: Image.Image, data: bytes) -> Image.Image:
    image.info["icc_profile"] = data
    return image


def by_formula(colour: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Adobe RGB to sRGB as the two standards say."""
    srgb = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])
    linear = np.clip((colour / 255) ** GAMMA @ (np.linalg.inv(srgb) @ np.array(ADOBE)).T, 0, 1)
    return np.asarray(255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055))


def test_wide_colours_become_what_they_mean() -> None:
    image = picture(1, (32, 32))
    wanted = by_formula(np.asarray(image))
    made = to_srgb(with_profile(image.copy(), profile()))
    assert np.abs(np.asarray(made) - wanted).max() < 2
    assert np.abs(np.asarray(image) - wanted).mean() > 3
    assert "icc_profile" not in made.info


@pytest.mark.parametrize("kind", ["gamma", "table", "power", "parametric"])
def test_16_bits_are_converted_as_8_are(kind: str) -> None:
    colour = np.asarray(picture(1, (32, 32)))
    deep = levels_to_srgb(colour.astype(np.uint16) * 257, profile(kind))
    assert deep is not None
    assert np.abs(deep / 257 - by_formula(colour)).max() < 1.2
    four = np.dstack([colour, colour[:, :, :1]]).astype(np.uint16) * 257
    with_alpha = levels_to_srgb(four, profile(kind))
    assert with_alpha is not None
    np.testing.assert_array_equal(with_alpha[:, :, :3], deep)
    np.testing.assert_array_equal(with_alpha[:, :, 3], four[:, :, 3])


def test_grey_has_one_curve() -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    linear = (ramp / 255) ** 1.75
    wanted = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    data = profile(grey=True, gamma=1.75)
    eight = np.asarray(to_srgb(with_profile(Image.fromarray(ramp), data)).convert("L"))
    sixteen = levels_to_srgb(ramp.astype(np.uint16)[:, :, None] * 257, data)
    assert sixteen is not None
    assert np.abs(eight - wanted).max() < 2
    assert np.abs(sixteen[:, :, 0] / 257 - wanted).max() < 0.1


def test_transparency_stays() -> None:
    image = picture(1).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize((40, 40)))
    made = to_srgb(with_profile(image, profile()))
    assert made.mode == "RGBA"
    assert made.getchannel("A").tobytes() == image.getchannel("A").tobytes()
    grey = picture(1).convert("LA")
    grey.putalpha(128)
    assert to_srgb(with_profile(grey, profile(grey=True))).getchannel("A").getextrema() == (128, 128)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), id="sRGB"),
        pytest.param(b"no profile at all", id="damaged"),
        pytest.param(profile()[:200], id="cut short"),
        pytest.param(profile(grey=True), id="for grey images"),
    ],
)
def test_what_cannot_or_need_not_be_converted_stays(data: bytes) -> None:
    image = with_profile(picture(1), data)
    assert to_srgb(image) is image
    levels = np.asarray(picture(1)).astype(np.uint16) * 257
    assert levels_to_srgb(levels, data) is levels
    assert levels_to_srgb(levels, None) is levels


def test_files_are_converted_where_it_is_asked_for(tmp_path: Path) -> None:
    """Training reads the numbers as they are, as the reference implementation does."""
    image, data = picture(1, (32, 32)), profile()
    wanted = by_formula(np.asarray(image))
    image.save(tmp_path / "x.png", icc_profile=data)
    assert np.abs(read_array(tmp_path / "x.png", 3, srgb=True) - wanted).max() < 2
    np.testing.assert_array_equal(read_array(tmp_path / "x.png", 3), np.asarray(image))

    deep = cv2.imencode(".png", np.asarray(image)[:, :, ::-1].astype(np.uint16) * 257)[1].tobytes()
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG", icc_profile=data)
    small = file.getvalue()
    start = small.index(b"iCCP") - 4
    (length,) = struct.unpack(">I", small[start : start + 4])
    chunk = small[start : start + 12 + length]
    (tmp_path / "deep.png").write_bytes(deep[:33] + chunk + deep[33:])
    made = read_array(tmp_path / "deep.png", 3, srgb=True)
    assert made.dtype == np.uint16
    assert np.abs(made / 257 - wanted).max() < 1.2
