"""Bringing a coarse mask to the edges of its picture."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

RADIUS = 8
"""Half the side of the windows, in pixels of the picture that is filtered."""
SMOOTHNESS = 1e-3
"""Variance of the colours, from 0 to 1, below which a window counts as flat: the filter's epsilon."""

Plane = npt.NDArray[np.float32]


def guided_filter(guide: Plane, values: Plane) -> Plane:
    """Smooth values everywhere but across the edges of a picture (He et al. 2010, equations 19 to 21).

    In every window the result is the linear function of the picture's colours that is nearest to the values.

    Args:
        guide: the picture, (H, W, 3) from 0 to 1.
        values: (H, W).
    """
    mean = _mean(guide)
    mean_values = _mean(values)
    covariance = _mean(guide * values[:, :, None]) - mean * mean_values[:, :, None]
    products = guide[:, :, :, None] * guide[:, :, None, :]
    variance = _mean(products.reshape(*values.shape, 9)).reshape(*values.shape, 3, 3)
    variance = variance - mean[:, :, :, None] * mean[:, :, None, :] + SMOOTHNESS * np.eye(3, dtype=np.float32)
    slope = np.linalg.solve(variance, covariance[:, :, :, None])[:, :, :, 0]
    offset = mean_values - (slope * mean).sum(axis=2)
    filtered: Plane = (_mean(slope) * guide).sum(axis=2) + _mean(offset)
    return filtered


def _mean(planes: npt.NDArray[Any]) -> Plane:
    """The mean of the window around each pixel."""
    side = 2 * RADIUS + 1
    parts = np.atleast_3d(planes)
    means = [
        cv2.boxFilter(np.ascontiguousarray(parts[:, :, at]), -1, (side, side), borderType=cv2.BORDER_REFLECT)
        for at in range(parts.shape[2])
    ]
    stacked: Plane = np.stack(means, axis=2).reshape(planes.shape)
    return stacked
