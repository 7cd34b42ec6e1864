"""HDR frames to SDR, which is what networks know: BT.2100's PQ and HLG signals become BT.709.

1. The signal becomes light, in cd/m²: PQ by its EOTF (SMPTE ST 2084, BT.2100 table 4), which is absolute; HLG by its
   inverse OETF and the OOTF of a display of 1000 cd/m² with gamma 1.2 (BT.2100 table 5).
2. Light is compressed from 1000 cd/m² to 203, the level of white in HDR films (BT.2408), by the curve of BT.2390
   (section 5.4.1): what is darker than some 90 cd/m² stays as it is, what is brighter rolls off. The curve is applied
   to the largest of the three channels and the others keep their ratio to it, so hues stay.
3. Colours go from the film's primaries to those of BT.709; what lies outside is clipped.
4. 203 cd/m² becomes white, and light becomes levels by the inverse of BT.1886's EOTF (gamma 2.4).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from translate.data.formats import Pixels

PQ, HLG = 16, 18
"""Transfer characteristics as ITU-T H.273 numbers them."""
PEAK = 1000.0
"""Brightest light of the film that is told apart, in cd/m²: what most HDR films are graded for."""
WHITE = 203.0
"""Light that becomes white, in cd/m²: HDR reference white (BT.2408)."""
ROWS = 128
"""Rows that are converted at a time, so that memory is bounded."""

Floats = npt.NDArray[np.floating[Any]]

_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128  # constants of ST 2084
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)  # of BT.2020's primaries
_D65 = (0.3127, 0.3290)
_PRIMARIES = {  # (x, y) of red, green and blue, by H.273's number; white is D65
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060)),  # BT.709
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # Display P3
}


def is_hdr(transfer: int) -> bool:
    """Whether a transfer characteristic, as H.273 numbers it, is one of HDR."""
    return transfer in (PQ, HLG)


def to_sdr(levels: npt.NDArray[np.uint16], transfer: int, primaries: int) -> Pixels:
    """Tone-map a frame.

    Args:
        levels: (H, W, 3) RGB signal, 0 to 65535.
        transfer: PQ or HLG.
        primaries: H.273's number of the primaries; unknown ones are taken for BT.2020's.
    Returns:
        (H, W, 3) uint8 in BT.709.
    """
    table, matrix = _light(transfer), _to_bt709(primaries)
    signal, factors = _compression()
    made = np.empty(levels.shape, np.uint8)
    for top in range(0, len(levels), ROWS):
        light = table[levels[top : top + ROWS]]
        if transfer == HLG:  # the OOTF: light of the scene, from 0 to 1, to that of the display
            light *= PEAK * np.power(light @ _LUMINANCE, 0.2)[:, :, None]
        brightest = pq_signal(light.max(axis=2))
        light *= np.interp(brightest, signal, factors).astype(np.float32)[:, :, None]
        linear = np.clip(light @ matrix.T / WHITE, 0, 1)
        made[top : top + ROWS] = np.rint(255 * np.power(linear, 1 / 2.4))
    return made


def pq_light(signal: Any) -> Any:
    """Light in cd/m², 0 to 10000, of a PQ signal from 0 to 1 (BT.2100 table 4, EOTF)."""
    root = np.power(signal, 1 / _M2)
    return 10000 * np.power(np.maximum(root - _C1, 0) / (_C2 - _C3 * root), 1 / _M1)


def pq_signal(light: Any) -> Any:
    """The PQ signal from 0 to 1 of light in cd/m² (BT.2100 table 4, inverse EOTF)."""
    root = np.power(np.maximum(light, 0) / 10000, _M1)
    return np.power((_C1 + _C2 * root) / (1 + _C3 * root), _M2)


def compress(light: Any) -> Any:
    """BT.2390's curve (section 5.4.1): light in cd/m² up to PEAK becomes light up to WHITE; black stays black."""
    scale = pq_signal(PEAK)
    e1 = np.clip(pq_signal(light) / scale, 0, 1)
    top = pq_signal(WHITE) / scale
    knee = 1.5 * top - 0.5
    t = np.maximum((e1 - knee) / (1 - knee), 0)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * top
    return pq_light(np.where(e1 < knee, e1, spline) * scale)


@lru_cache(maxsize=2)
def _light(transfer: int) -> npt.NDArray[np.float32]:
    """For each level, 0 to 65535: light of the display in cd/m² (PQ), or of the scene from 0 to 1 (HLG)."""
    signal = np.arange(65536) / 65535
    if transfer == PQ:
        return np.asarray(pq_light(signal), np.float32)
    a, b, c = 0.17883277, 0.28466892, 0.55991073  # BT.2100 table 5
    return np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12).astype(np.float32)


@lru_cache(maxsize=1)
def _compression() -> tuple[Floats, Floats]:
    """Signals from 0 to 1 (PQ), and what light of each is multiplied by; beyond PEAK the result stays WHITE."""
    signal = np.linspace(0, 1, 4096)
    light = pq_light(signal)
    light[0] = light[1]  # black has no ratio
    return signal, compress(light) / light


@lru_cache(maxsize=4)
def _to_bt709(primaries: int) -> npt.NDArray[np.float32]:
    """The matrix from linear light of the given primaries to that of BT.709's."""
    source = _PRIMARIES.get(primaries, _PRIMARIES[9])
    return (np.linalg.inv(_to_xyz(_PRIMARIES[1])) @ _to_xyz(source)).astype(np.float32)


def _to_xyz(primaries: tuple[tuple[float, float], ...]) -> Floats:
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    x, y = _D65
    return columns * np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))
