"""Images that Pillow does not read, or not in full: `.npy`, colour of 16 bits, and TIFF files of many channels.

The latter are what satellites and microscopes make, and OpenCV does not read them either. But a row of W pixels with N
interleaved samples is, byte for byte, a grey row of N·W pixels. So the file's directory is rewritten to say that,
libtiff (in Pillow) undoes whatever compression there is, and the result is reshaped.
TIFF 6.0 specification, Adobe 1992, sections 2, 14 and 15.
"""

from __future__ import annotations

import io
import struct
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.unsignedinteger[Any]]
"""(H, W, C) pixels: uint8 from 0 to 255, or uint16 from 0 to 65535."""

_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SAMPLES, _ROWS, _PLANAR = 256, 257, 258, 262, 277, 278, 284
_PREDICTOR, _TILE_WIDTH, _EXTRA_SAMPLES, _SAMPLE_FORMAT = 317, 322, 338, 339
_BLACK_IS_ZERO, _SEPARATE_PLANES, _DIFFERENCES, _UNSIGNED = 1, 2, 2, 1
_SHORT, _LONG = 3, 4
_UNUSED = 65535  # a private tag that no reader looks at


def read_samples(data: bytes) -> Pixels:
    """Decode a TIFF with any number of uint8 or uint16 samples a pixel to (H, W, N).

    Raises:
        ValueError: it is not such a file (the text says what is unusual about it), or it is damaged.
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        raise ValueError("it is not a TIFF of this kind")
    try:
        entries, values = _directory(data, order)
        width, height, samples = values[_WIDTH], values[_HEIGHT], values[_SAMPLES]
        bits, planar, predictor = values[_BITS], values.get(_PLANAR, 1), values.get(_PREDICTOR, 1)
    except (struct.error, KeyError) as error:
        raise ValueError("its directory is damaged") from error
    if bits not in (8, 16) or values.get(_SAMPLE_FORMAT, _UNSIGNED) != _UNSIGNED:
        raise ValueError("only unsigned samples of 8 or 16 bits are supported")
    if width * height * samples * bits // 8 > 2**32:
        raise ValueError("it is too large")
    separate = planar == _SEPARATE_PLANES
    if separate and (_TILE_WIDTH in values or (values.get(_ROWS, height) < height and height % values[_ROWS])):
        raise ValueError("its channels are stored separately, in pieces that do not line up")

    changed = {_BITS: bits, _PHOTOMETRIC: _BLACK_IS_ZERO, _SAMPLES: 1, _PLANAR: 1, _SAMPLE_FORMAT: _UNSIGNED}
    if separate:  # one plane below the other
        changed[_HEIGHT] = height * samples
        changed[_ROWS] = min(values.get(_ROWS, height), height)
    else:
        changed[_WIDTH] = width * samples
        changed[_PREDICTOR] = 1  # differences are to the pixel before, N samples back: undone below
        if _TILE_WIDTH in values:
            changed[_TILE_WIDTH] = values[_TILE_WIDTH] * samples
    patched = bytearray(data)
    for tag, position in entries.items():
        if tag == _EXTRA_SAMPLES:
            struct.pack_into(order + "H", patched, position, _UNUSED)
        elif tag in changed:
            kind = _LONG if changed[tag] > 65535 or tag in (_WIDTH, _HEIGHT, _ROWS, _TILE_WIDTH) else _SHORT
            value = struct.pack(order + ("I" if kind == _LONG else "H"), changed[tag]).ljust(4, b"\0")
            struct.pack_into(order + "HHI4s", patched, position, tag, kind, 1, value)
    try:
        grey = np.asarray(Image.open(io.BytesIO(patched)))
    except Exception as error:  # Pillow's decoders raise many kinds
        raise ValueError(f"it is damaged, or of an unusual kind ({error})") from error
    grey = grey.astype(np.uint8 if bits == 8 else np.uint16)
    if separate:
        return np.ascontiguousarray(grey.reshape(samples, height, width).transpose(1, 2, 0))
    array = grey.reshape(height, width, samples)
    if predictor == _DIFFERENCES:
        tile = values.get(_TILE_WIDTH, width)
        for left in range(0, width, tile):
            array[:, left : left + tile] = np.cumsum(array[:, left : left + tile], axis=1, dtype=array.dtype)
    elif predictor != 1:
        raise ValueError("its compression predictor is not supported")
    return array


def read_pages(image: Image.Image) -> Pixels:
    """The grey pages of an opened TIFF as the channels of one image, (H, W, N).

    Raises:
        ValueError: the pages differ in size or kind, or are neither 8 nor 16-bit grey.
    """
    pages = []
    for index in range(getattr(image, "n_frames", 1)):
        image.seek(index)
        pages.append(np.array(image))
    if len({(page.shape, page.dtype) for page in pages}) > 1 or pages[0].dtype.newbyteorder("=") not in (
        np.uint8,
        np.uint16,
    ):
        raise ValueError("its pages differ in size or kind, or are not grey with 8 or 16 bits")
    stack = np.stack(pages, axis=2)
    return stack.astype(np.uint8 if stack.dtype == np.uint8 else np.uint16, copy=False)


def read_npy(file: BinaryIO) -> Pixels:
    """An `.npy` file as (H, W, C).

    Raises:
        ValueError: it is not one, or holds something else than an (H, W) or (H, W, C) array of uint8 or uint16.
    """
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError("it is not a NumPy array file, or it is cut short") from error
    if not isinstance(array, np.ndarray) or array.dtype not in (np.uint8, np.uint16) or array.ndim not in (2, 3):
        raise ValueError("it should hold an (H, W) or (H, W, C) array of uint8 or uint16")
    if 0 in array.shape:
        raise ValueError("it holds no pixels")
    return array if array.ndim == 3 else array[:, :, None]


def read_colour_16(file: BinaryIO, orientation: int, page: int = 0) -> npt.NDArray[np.uint16] | None:
    """16-bit RGB, RGBA or grey + alpha by OpenCV: Pillow drops the lower 8 bits. None where OpenCV fails too.

    Args:
        orientation: EXIF's number, 1 to 8; it is applied.
        page: of a TIFF, counted from 0.
    """
    import cv2  # half a second of import, for a rare kind of file

    position = file.tell()
    file.seek(0)
    data = np.frombuffer(file.read(), np.uint8)
    file.seek(position)
    if page:
        _, pages = cv2.imdecodemulti(data, cv2.IMREAD_UNCHANGED, range=(page, page + 1))
        array = pages[0] if pages else None
    else:
        array = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if array is None or array.dtype != np.uint16 or array.ndim != 3:
        return None
    array = array[:, :, [2, 1, 0, 3][: array.shape[2]]]  # OpenCV has BGR(A)
    if orientation in (5, 6, 7, 8):
        array = array.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def _directory(data: bytes, order: str) -> tuple[dict[int, int], dict[int, int]]:
    """Read the first image's directory: each tag's position in the file, and the first value of integer tags."""
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    entries, values = {}, {}
    for index in range(count):
        position = start + 2 + 12 * index
        tag, kind, number = struct.unpack_from(order + "HHI", data, position)
        entries[tag] = position
        if kind in (_SHORT, _LONG) and number:
            size, code = (2, "H") if kind == _SHORT else (4, "I")
            where = position + 8
            if number * size > 4:
                (where,) = struct.unpack_from(order + "I", data, position + 8)
            (values[tag],) = struct.unpack_from(order + code, data, where)
    return entries, values
