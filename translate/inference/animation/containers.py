"""Writing several pictures to one file, one at a time: Pillow encodes each, and the container is put together here.

Pillow's own `save_all` collects all frames before it writes the first, so a long animation would fill the memory.
GIF89a specification (CompuServe, 1990); WebP container specification (Google); PNG third edition (W3C, 2025), section
11.3.6 on animation.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from PIL import Image, TiffImagePlugin

from translate.errors import UserError
from translate.inference.animation.reading import Frame
from translate.inference.raster import Raster, encode, to_picture

_BEYOND = "A GIF holds pictures of up to 65535 pixels a side"
_OPAQUE_FROM = 128
"""Alpha, of 255, from which a pixel of a GIF is opaque: it knows nothing in between."""


class Container(Protocol):
    """A file that pictures are added to."""

    def add(self, frame: Frame) -> None:
        """Write a picture."""
        ...

    def close(self) -> None:
        """Write what comes after the last picture; the file stays open."""
        ...


class Gif:
    """An animated GIF with a palette of its own for each frame. Each frame replaces the one before."""

    def __init__(self, file: BinaryIO, plays: int) -> None:
        self.file, self.plays = file, plays
        self.begun = False
        self.milliseconds, self.hundredths = 0.0, 0  # asked for, and written

    def add(self, frame: Frame) -> None:
        """Write a frame; durations are rounded to hundredths of a second without adding up to an error."""
        picture = to_picture(frame.raster)
        if max(picture.size) > 65535:
            raise UserError(f"{_BEYOND}, not {picture.width}×{picture.height}.")
        if not self.begun:
            self.file.write(b"GIF89a" + struct.pack("<HHBBB", *picture.size, 0x70, 0, 0))
            if self.plays != 1:
                repetitions = self.plays - 1 if self.plays else 0
                self.file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<HB", repetitions, 0))
            self.begun = True
        indexed, transparent = _indexed(picture)
        self.milliseconds += frame.duration
        delay = min(max(round(self.milliseconds / 10) - self.hundredths, 0), 65535)
        self.hundredths += delay
        restore = 2 << 2  # to the background before the next frame, so that nothing shines through
        self.file.write(struct.pack("<BBBBHBB", 0x21, 0xF9, 4, restore | transparent, delay, 255 * transparent, 0))
        self.file.write(_gif_image(indexed))

    def close(self) -> None:
        """Write the trailer."""
        self.file.write(b"\x3b")


class Webp:
    """An animated WebP. Each frame replaces the one before."""

    def __init__(self, file: BinaryIO, plays: int) -> None:
        self.file, self.plays = file, plays
        self.start = file.tell()
        self.size = (0, 0)
        self.alpha = False
        self.milliseconds, self.written = 0.0, 0

    def add(self, frame: Frame) -> None:
        """Write a frame; durations are whole milliseconds."""
        data = encode(frame.raster, ".webp")
        if self.size == (0, 0):
            self.size = (frame.raster.colour.shape[1], frame.raster.colour.shape[0])
            self.file.write(bytes(30))  # the header is written at the end, when it is known
            self.file.write(_riff(b"ANIM", struct.pack("<IH", 0, self.plays)))
        images = [(name, body) for name, body in _riff_chunks(data) if name in (b"ALPH", b"VP8 ", b"VP8L")]
        self.alpha |= frame.raster.alpha is not None
        self.milliseconds += frame.duration
        duration = max(round(self.milliseconds) - self.written, 0)
        self.written += duration
        overwrite = 0b10
        width, height = self.size
        head = bytes(6) + _three(width - 1) + _three(height - 1) + _three(duration) + bytes([overwrite])
        self.file.write(_riff(b"ANMF", head + b"".join(_riff(name, body) for name, body in images)))

    def close(self) -> None:
        """Write the header."""
        end = self.file.tell()
        width, height = self.size
        flags = 0x02 | 0x10 * self.alpha
        extended = _riff(b"VP8X", bytes([flags, 0, 0, 0]) + _three(width - 1) + _three(height - 1))
        self.file.seek(self.start)
        self.file.write(b"RIFF" + struct.pack("<I", end - self.start - 8) + b"WEBP" + extended)
        self.file.seek(end)


class Apng:
    """An animated PNG with 8 bits a channel and alpha. Each frame replaces the one before."""

    def __init__(self, file: BinaryIO, plays: int) -> None:
        self.file, self.plays = file, plays
        self.sequence = self.frames = self.control = 0

    def add(self, frame: Frame) -> None:
        """Write a frame; all have an alpha channel, because all frames of a file are of one kind."""
        raster = frame.raster
        if raster.alpha is None and raster.colour.shape[2] in (1, 3):
            raster = Raster(raster.colour, np.full_like(raster.colour[:, :, :1], 255))
        chunks = list(_png_chunks(encode(raster, ".png")))
        if not self.frames:
            self.file.write(
                b"\x89PNG\r\n\x1a\n" + _png(b"IHDR", next(body for name, body in chunks if name == b"IHDR"))
            )
            self.control = self.file.tell()
            self.file.write(_png(b"acTL", bytes(8)))  # written again when the number of frames is known
        height, width = raster.colour.shape[:2]
        delay, per_second = round(frame.duration), 1000
        while delay > 65535:
            delay, per_second = delay // 10, max(per_second // 10, 1)
        times = struct.pack(">HHBB", min(delay, 65535), per_second, 0, 0)
        self.file.write(_png(b"fcTL", struct.pack(">IIIII", self._next(), width, height, 0, 0) + times))
        for name, body in chunks:
            if name == b"IDAT" and self.frames:
                self.file.write(_png(b"fdAT", struct.pack(">I", self._next()) + body))
            elif name == b"IDAT":
                self.file.write(_png(b"IDAT", body))
        self.frames += 1

    def close(self) -> None:
        """Write the number of frames, and the end."""
        self.file.write(_png(b"IEND", b""))
        end = self.file.tell()
        self.file.seek(self.control)
        self.file.write(_png(b"acTL", struct.pack(">II", self.frames, self.plays)))
        self.file.seek(end)

    def _next(self) -> int:
        self.sequence += 1
        return self.sequence - 1


class Pages:
    """A TIFF of several pages, each of its own size, depth and number of channels."""

    def __init__(self, file: BinaryIO, plays: int) -> None:
        self.pages = TiffImagePlugin.AppendingTiffWriter(file, new=True)

    def add(self, frame: Frame) -> None:
        """Write a page."""
        self.pages.write(encode(frame.raster, ".tif"))
        self.pages.newFrame()

    def close(self) -> None:
        """Link the last page to those before."""
        self.pages.finalize()


CONTAINERS: dict[str, type[Gif] | type[Webp] | type[Apng] | type[Pages]] = {
    ".gif": Gif,
    ".webp": Webp,
    ".apng": Apng,
    ".png": Apng,
    ".tif": Pages,
    ".tiff": Pages,
}
"""By suffix what holds several pictures."""


def holds_several(suffix: str, format: str) -> bool:
    """Whether several pictures of a file in Pillow's `format` go into one file of this suffix.

    A PNG is taken for a still picture, unless an animated PNG is translated or the suffix is `.apng`.
    """
    return suffix.lower() in CONTAINERS and (suffix.lower() != ".png" or format == "PNG")


def first_of(source: Path, count: int, suffix: str) -> str:
    """The sentence on a file of several pictures of which only the first is translated."""
    return (
        f"{source} holds {count} pictures and {suffix} one: the first was translated. For all of them, call the output "
        "NAME.webp, NAME.gif or NAME.apng (animations), NAME.tif (pages) or NAME.mp4 (a film)."
    )


def _indexed(picture: Image.Image) -> tuple[Image.Image, bool]:
    """A picture with a palette, and whether its colour 255 is transparent."""
    alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
    hidden = alpha < _OPAQUE_FROM
    if not hidden.any():
        return picture.convert("RGB").quantize(256), False
    indexed = picture.convert("RGB").quantize(255)
    levels = np.asarray(indexed).copy()
    levels[hidden] = 255
    masked = Image.fromarray(levels, "P")
    palette = (indexed.getpalette() or [])[: 3 * 255]
    masked.putpalette(palette + [0] * (3 * 256 - len(palette)))
    return masked, True


def _gif_image(indexed: Image.Image) -> bytes:
    """The image descriptor, palette and data of a picture, out of the GIF of it that Pillow writes."""
    file = _saved(indexed)
    (flags,) = file[10:11]
    table = file[13 : 13 + 3 * (2 << (flags & 7))]
    position = 13 + len(table)
    while file[position] == 0x21:  # extensions
        position = _after_blocks(file, position + 2)
    descriptor, own = file[position : position + 10], file[position + 9]
    data = position + 10
    if own & 0x80:  # it has the palette itself
        table = file[data : data + 3 * (2 << (own & 7))]
        data += len(table)
        size = own & 7
    else:
        size = flags & 7
    end = _after_blocks(file, data + 1)
    return descriptor[:9] + bytes([0x80 | own & 0x40 | size]) + table + file[data:end]


def _saved(indexed: Image.Image) -> bytes:
    file = io.BytesIO()
    indexed.save(file, "GIF", optimize=False)
    return file.getvalue()


def _after_blocks(file: bytes, position: int) -> int:
    """Where a chain of sub-blocks ends."""
    while length := file[position]:
        position += 1 + length
    return position + 1


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")


def _riff(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _riff_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 12
    while position + 8 <= len(data):
        (length,) = struct.unpack_from("<I", data, position + 4)
        yield data[position : position + 4], data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2


def _png(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        yield data[position + 4 : position + 8], data[position + 8 : position + 8 + length]
        position += 12 + length
