"""Small folders of images, drawn on the fly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from translate.data.cache import DecodedCache
from translate.data.settings import DataConfig


def picture(seed: int, width: int = 24, height: int = 20, channels: int = 3) -> npt.NDArray[np.uint8]:
    """Noise, different for every seed."""
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def noise(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> npt.NDArray[Any]:
    """Random levels of any shape and integer type, over its whole range."""
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def write(path: Path, array: npt.NDArray[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return path


def unpaired(root: Path, count_A: int = 5, count_B: int = 8, split: str = "train") -> Path:
    for side, count in (("A", count_A), ("B", count_B)):
        for index in range(count):
            write(root / f"{split}{side}" / f"{index:03}.png", picture(1000 * (side == "B") + index))
    return root


def negatives(root: Path, count: int = 6, split: str = "train", layout: str = "side_by_side") -> Path:
    """Pairs whose B is the negative of A, so that whatever happens to both, A + B stays 255."""
    for index in range(count):
        A = picture(index)
        if layout == "side_by_side":
            write(root / split / f"{index:03}.png", np.concatenate([A, 255 - A], axis=1))
        else:
            write(root / f"{split}A" / f"{index:03}.png", A)
            write(root / f"{split}B" / f"{index:03}.png", 255 - A)
    return root


def settings(root: Path, **values: Any) -> DataConfig:
    return DataConfig(**{"root": root, "load_size": 18, "crop_size": 16, "cache_gb": 0.01, **values})


def fill(cache: DecodedCache, first: int, count: int) -> None:
    """Put pictures into the slots from `first` on; here, so that a spawned process need not import torch for it."""
    for slot in range(first, first + count):
        cache.put(slot, picture(slot))
