"""The crop that `placement` chooses, as a transform of Albumentations."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from albumentations import DualTransform

from translate.data.transforms.placement import Square, place_crop

_CHANNELS = 4
"""OpenCV scales no more channels at a time."""


class ObjectCrop(DualTransform):  # type: ignore[misc]  # Albumentations has no types
    """A square that shows the object of the mask, scaled to a size; its image and masks get the same.

    An image without a mask, or with an empty one, is cropped to that size at a random place.

    Args:
        size: pixels of the result's side.
        share: limits of the object's share of the square, as in `place_crop`.
        sides: limits of the square's side in pixels of the image.
    """

    def __init__(self, size: int, share: tuple[float, float], sides: tuple[int, int]) -> None:
        super().__init__(p=1.0)
        self.size, self.share, self.sides = size, share, sides

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        """Choose the square; Albumentations hands it to `apply` for each image and mask."""
        height, width = params["shape"][:2]
        mask = data.get("mask")
        square = None if mask is None else place_crop(mask, self.share, self.sides, self.py_random)
        if square is None:
            side = min(self.size, height, width)  # the user's transforms may have left less than a crop
            square = self.py_random.randint(0, height - side), self.py_random.randint(0, width - side), side
        return {"square": square}

    def apply(self, img: npt.NDArray[Any], square: Square, **_: Any) -> npt.NDArray[Any]:
        """(H, W) or (H, W, C) pixels of the square, averaged where there are more than wanted, else interpolated."""
        top, left, side = square
        part = img[top : top + side, left : left + side]
        if side == self.size:
            return np.ascontiguousarray(part)
        planes = part.reshape(side, side, -1)
        size = (self.size, self.size)
        filtering = cv2.INTER_AREA if side > self.size else cv2.INTER_CUBIC
        blocks = [planes[:, :, at : at + _CHANNELS] for at in range(0, planes.shape[2], _CHANNELS)]
        parts = [cv2.resize(block, size, interpolation=filtering).reshape(*size, -1) for block in blocks]
        whole = np.concatenate(parts, axis=2).reshape(*size, *img.shape[2:])
        return whole.clip(0, 1) if whole.dtype.kind == "f" else whole  # cubic interpolation overshoots
