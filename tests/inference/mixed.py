"""A folder as people have them: every kind of image, large and small, and files that are none."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.conftest import picture

SIZES = [(24, 24), (24, 24), (32, 20), (1, 1), (7, 61), (40, 40)]
LARGE = {"huge.jpg": (4000, 1000), "wide.png": (4000, 3), "tall.tif": (5, 4000), "photo.webp": (1500, 1000)}

Good = Callable[[int, tuple[int, int]], bytes]


def _pillow(suffix: str, mode: str = "RGB", **options: object) -> Good:
    def make(seed: int, size: tuple[int, int]) -> bytes:
        image, file = picture(seed, size), io.BytesIO()
        if mode in ("RGBA", "LA"):
            image.putalpha(Image.linear_gradient("L").resize(size))
        image.convert(mode).save(file, Image.registered_extensions()[suffix], **options)
        return file.getvalue()

    return make


def _deep(suffix: str, channels: int) -> Good:
    def make(seed: int, size: tuple[int, int]) -> bytes:
        shape = (size[1], size[0], channels)
        levels = np.random.default_rng(seed).integers(0, 65536, shape, dtype=np.uint16)
        return cv2.imencode(suffix, levels)[1].tobytes()

    return make


def _turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90°
    exif.get_ifd(0x8825)[1] = "N"  # a place on Earth
    return exif.tobytes()


KINDS: list[tuple[str, Good]] = [
    (".jpg", _pillow(".jpg")),
    (".png", _pillow(".png")),
    (".webp", _pillow(".webp")),
    (".tif", _pillow(".tif")),
    (".bmp", _pillow(".bmp")),
    (".gif", _pillow(".gif", "P")),
    (".jpg", _pillow(".jpg", "CMYK")),
    (".jpeg", _pillow(".jpg", "L")),
    (".JPG", _pillow(".jpg", exif=_turned())),
    (".png", _pillow(".png", "RGBA")),
    (".png", _pillow(".png", "LA")),
    (".png", _pillow(".png", "P")),
    (".png", _pillow(".png", "1")),
    (".webp", _pillow(".webp", "RGBA")),
    (".tiff", _pillow(".tif", "CMYK")),
    (".png", _deep(".png", 1)),
    (".png", _deep(".png", 3)),
    (".png", _deep(".png", 4)),
    (".tif", _deep(".tif", 3)),
]


def bomb() -> bytes:
    """A PNG of a few bytes that says it has 2.5 gigapixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", 50000, 50000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


def _bad(index: int) -> tuple[str, bytes]:
    whole_jpg = _pillow(".jpg")(index, (64, 64))
    whole_png = _pillow(".png")(index, (64, 64))
    return [
        ("zero.png", b""),
        ("text.jpg", b"This is a letter, not a picture.\n" * 9),
        ("cut.jpg", whole_jpg[: len(whole_jpg) // 2]),
        ("cut.png", whole_png[: len(whole_png) // 2]),
        ("cut.tif", _pillow(".tif")(index, (64, 64))[:900]),
        ("bomb.png", bomb()),
        ("head.webp", _pillow(".webp")(index, (64, 64))[:20]),
    ][index % 7]


def make_folder(root: Path, count: int, large: bool = False) -> tuple[set[str], set[str]]:
    """Write `count` files, one in ten of them bad, in nested folders; large ones come first.

    Returns:
        names of the good files and of the bad ones, relative to `root`.
    """
    good: set[str] = set()
    bad: set[str] = set()
    for index in range(count):
        folder = Path(f"{index // 50:02}", *(["inner"] if index % 3 == 0 else []))
        if index % 10 == 9:
            name, data = _bad(index // 10)
            path, names = folder / f"{index:04}-{name}", bad
        elif large and index < len(LARGE):
            name = list(LARGE)[index]
            path, names, data = folder / name, good, _pillow(Path(name).suffix)(index, LARGE[name])
        else:
            suffix, make = KINDS[index % len(KINDS)]
            path, names, data = folder / f"{index:04}{suffix}", good, make(index, SIZES[index % len(SIZES)])
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
        names.add(str(path))
    return good, bad
