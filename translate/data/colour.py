"""Colours: ICC profiles converted to sRGB, and pixels to the number of channels that is wanted.

Networks are trained on, and results are shown as, sRGB. A photograph in Adobe RGB, Display P3 or ProPhoto RGB that is
read as if it were sRGB comes out dull, and CMYK has no other meaning than its profile's. Little CMS (in Pillow)
converts images of 8 bits a channel; it has no 16-bit colour there, so the profiles that such images carry (three curves
and a matrix, or one curve for grey) are computed here.
Specification ICC.1:2022, sections 9.2 (tags), 10.6 (curves), 10.18 (parametric curves), E.3 (the matrix model).
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from translate.data.formats import Pixels
from translate.errors import UserError

SAME = 2
"""Levels of 255 that a profile may differ from sRGB and still be taken for it: its makers round differently."""
ROWS = 256
"""Rows that are converted at a time, so that memory is bounded."""

_LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, Pillow's weights for "L"
_SRGB_TO_XYZ = np.array(  # relative to D50, as profiles are: Lindbloom, http://www.brucelindbloom.com
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)


def to_srgb(image: Image.Image) -> Image.Image:
    """The image in sRGB: RGB, or RGBA where there is transparency, by the profile that it carries.

    Without a profile, with a damaged or misplaced one, with sRGB's, and in modes of 16 or more bits it is given back as
    it is.
    """
    profile = image.info.get("icc_profile")
    if not profile or image.mode in ("1", "I", "F") or image.mode.startswith("I;"):
        return image
    bare = {"LA": "L", "La": "L", "L": "L", "CMYK": "CMYK"}.get(image.mode, "RGB")
    transform = _transform(profile, bare)
    if transform is None:
        return image
    alpha = image.convert("RGBA").getchannel("A") if image.has_transparency_data else None
    converted = transform.apply(image.convert(bare))
    if alpha is not None:
        converted.putalpha(alpha)
    converted.info.pop("icc_profile", None)
    return converted


def levels_to_srgb(levels: npt.NDArray[np.uint16], profile: bytes | None) -> npt.NDArray[np.uint16] | None:
    """(H, W, C) levels of 16 bits in sRGB; alpha, the second or fourth channel, stays.

    Without a profile, and as `to_srgb` says, the levels come back as they are. None: the profile is tables of colours
    rather than curves and a matrix, and only 8 bits can be converted.
    """
    grey = levels.shape[2] < 3
    if not profile or _transform(profile, "L" if grey else "RGB") is None:
        return levels
    try:
        tags = _tags(profile)
        names = ["kTRC"] if grey else ["rTRC", "gTRC", "bTRC"]
        curves = [_curve(tags[name]) for name in names]
        matrix = np.eye(1)
        if not grey:
            colorants = [struct.unpack_from(">3i", tags[name], 8) for name in ("rXYZ", "gXYZ", "bXYZ")]
            matrix = np.linalg.inv(_SRGB_TO_XYZ) @ (np.array(colorants).T / 65536)
    except (KeyError, ValueError, struct.error):
        return None
    converted = levels.copy()
    colours = len(curves)
    for top in range(0, len(levels), ROWS):
        rows = levels[top : top + ROWS]
        linear = np.stack([curve[rows[:, :, channel]] for channel, curve in enumerate(curves)], axis=2)
        linear = np.clip(linear @ matrix.T.astype(np.float32), 0, 1)
        encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** np.float32(1 / 2.4) - 0.055)
        converted[top : top + ROWS, :, :colours] = np.rint(encoded * 65535)
    return converted


def fit_channels(array: Pixels, channels: int | None, name: str) -> Pixels:
    """Convert (H, W, N) pixels to (H, W, channels): 1 is grey, 2 grey and alpha, 3 RGB, 4 RGBA; None leaves them.

    Where alpha is not asked for, the image is laid over white. The dtype (uint8 or uint16) stays.

    Raises:
        UserError: there are, or should be, more than four channels and their number differs. It names the file, `name`.
    """
    present = array.shape[2]
    if channels is None or present == channels:
        return array
    if present > 4 or channels > 4:
        raise UserError(f"{name} has {present} channels, but {channels} are needed.")
    top = np.iinfo(array.dtype).max
    colour, alpha = (array[:, :, :-1], array[:, :, -1:]) if present in (2, 4) else (array, None)
    if alpha is not None and channels in (1, 3):
        colour = _over_white(colour, alpha)
    if colour.shape[2] == 3 and channels < 3:
        colour = np.rint(colour @ _LUMA).astype(array.dtype)[:, :, None]
    elif colour.shape[2] == 1 and channels > 2:
        colour = np.repeat(colour, 3, axis=2)
    if channels in (2, 4):
        colour = np.concatenate([colour, np.full_like(colour[:, :, :1], top) if alpha is None else alpha], axis=2)
    return np.ascontiguousarray(colour)


def _over_white(colour: Pixels, alpha: Pixels) -> Pixels:
    """(H, W, C) laid over white by (H, W, 1); rows at a time, because this needs four bytes for one."""
    top, result = int(np.iinfo(colour.dtype).max), np.empty_like(colour)
    for start in range(0, len(colour), ROWS):
        rows = slice(start, start + ROWS)
        opacity = alpha[rows].astype(np.uint32)
        result[rows] = (colour[rows] * opacity + top * (top - opacity) + top // 2) // top  # the nearest level
    return result


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile to sRGB, for images of a mode; None where there is nothing to convert, or it cannot be."""
    try:
        described = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(described, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
    if mode == "CMYK":
        return transform
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    grid = steps[:, None] if mode == "L" else np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(-1, 9, 3)
    probe = Image.fromarray(grid)
    apart = np.abs(np.asarray(transform.apply(probe)).astype(int) - np.asarray(probe.convert("RGB")))
    return transform if apart.max() > SAME else None


def _tags(profile: bytes) -> dict[str, bytes]:
    """A profile's data by the four letters of its tags."""
    (count,) = struct.unpack_from(">I", profile, 128)
    tags = {}
    for index in range(min(count, 100)):
        name, start, length = struct.unpack_from(">4sII", profile, 132 + 12 * index)
        tags[name.decode("latin-1")] = profile[start : start + length]
    return tags


def _curve(data: bytes) -> npt.NDArray[np.float32]:
    """A tone curve as the linear value, from 0 to 1, of each of the 65536 levels."""
    x = np.linspace(0, 1, 65536)
    if data[:4] == b"curv":
        (count,) = struct.unpack_from(">I", data, 8)
        if count < 2:
            y = x ** (struct.unpack_from(">H", data, 12)[0] / 256 if count else 1)
        else:
            y = np.interp(x, np.linspace(0, 1, count), np.array(struct.unpack_from(f">{count}H", data, 12)) / 65535)
    elif data[:4] == b"para":
        (kind,) = struct.unpack_from(">H", data, 8)
        if kind > 4:
            raise ValueError("an unknown kind of curve")
        given = np.array(struct.unpack_from(f">{(1, 3, 4, 5, 7)[kind]}i", data, 12)) / 65536
        g, a, b, c, d, e, f = np.pad(given, (0, 7 - len(given)))
        if kind == 0:
            a = 1.0
        elif kind < 3:
            e, f, c, d = c, c, 0.0, -b / a
        y = np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)
    else:
        raise ValueError("an unknown kind of curve")
    return np.clip(y, 0, 1).astype(np.float32)
