"""The size of an image before any cropping: scaling as `data.preprocess` says, with nothing drawn at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from translate.data.formats import Pixels
from translate.data.settings import DataConfig
from translate.errors import UserError


def check_sizes(config: DataConfig, multiple: int, training: bool) -> None:
    """Raise UserError where load_size, crop_size and the generator's `multiple` do not go together."""
    if training and config.object_crop.share and not crops(config):
        raise UserError(
            f"data.object_crop chooses crops, but data.preprocess is {config.preprocess}, which does not crop; set it "
            "to resize_and_crop, scale_shorter_and_crop or crop."
        )
    if not training or not crops(config):
        return
    if config.crop_size % multiple:
        raise UserError(f"data.crop_size is {config.crop_size}, but this generator needs a multiple of {multiple}.")
    if config.preprocess != "crop" and config.load_size < config.crop_size:
        raise UserError(
            f"data.load_size is {config.load_size}, smaller than data.crop_size, {config.crop_size}: images are scaled "
            "to the former, and the latter is cut out of them."
        )


def crops(config: DataConfig) -> bool:
    """Whether every image ends up as a square of crop_size pixels."""
    return "crop" in config.preprocess


def target_size(config: DataConfig, width: int, height: int, *, training: bool, multiple: int) -> tuple[int, int]:
    """Width and height that an image is scaled to, before any cropping.

    In training, the sizes of the reference implementation's modes (`get_transform` in its data/base_dataset.py), and
    scale_shorter. Without a crop, sides are rounded to the nearest multiple of `multiple`; the reference has 4 there.
    Otherwise (validation) there is no crop, and sides are rounded down to `multiple`.
    """
    mode = config.preprocess.removesuffix("_and_crop")
    if mode == "resize":
        size = (config.load_size, config.load_size)
    elif mode == "scale_width":
        size = (config.load_size, int(max(config.load_size * height / width, config.crop_size)))
        if width == config.load_size and height >= config.crop_size:
            size = (width, height)
    elif mode == "scale_shorter":
        scale = config.load_size / min(width, height)
        size = (max(config.load_size, round(width * scale)), max(config.load_size, round(height * scale)))
    else:  # crop, none
        size = (width, height)
    if training and crops(config):
        return size
    rounded = [int(side // multiple if not training else round(side / multiple)) * multiple for side in size]
    return max(multiple, rounded[0]), max(multiple, rounded[1])


def prepare(array: Pixels, config: DataConfig, path: Path, *, training: bool, multiple: int) -> Pixels:
    """Scale decoded (H, W, C) pixels as `data.preprocess` says.

    Raises:
        UserError: the image is smaller than the crop.
    """
    height, width = array.shape[:2]
    size = target_size(config, width, height, training=training, multiple=multiple)
    if training and crops(config) and min(size) < config.crop_size:
        raise UserError(
            f"{path} is {width}×{height}, smaller than data.crop_size, {config.crop_size}; lower it, or set "
            "data.preprocess to resize_and_crop or scale_shorter_and_crop."
        )
    return resize(array, size)


def resize(array: Pixels, size: tuple[int, int]) -> Pixels:
    """Scale (H, W, C) pixels to (width, height) by Pillow's antialiased bicubic filter; the same array if it fits."""
    if array.shape[1::-1] == size:
        return array
    if array.dtype == np.uint8 and array.shape[2] == 3:
        return np.asarray(Image.fromarray(array).resize(size, Image.Resampling.BICUBIC))
    # Any other kind channel by channel: 8-bit ones as grey, 16-bit ones in floating point, by the same filter.
    top = np.iinfo(array.dtype).max
    planes = []
    for channel in range(array.shape[2]):
        plane = np.ascontiguousarray(array[:, :, channel])
        grey = Image.fromarray(plane if array.dtype == np.uint8 else plane.astype(np.float32))
        planes.append(np.asarray(grey.resize(size, Image.Resampling.BICUBIC)))
    stack = np.stack(planes, axis=2)
    return stack if array.dtype == np.uint8 else np.rint(stack).clip(0, top).astype(array.dtype)
