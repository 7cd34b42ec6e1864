"""From decoded pixels to the pixels of a sample, in two stages.

`prepare` scales as `data.preprocess` says; it draws nothing at random, so its result is what the cache keeps.
`Augment` then draws: the preset's Albumentations, crop and mirroring, with the same geometry for both of a pair.
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from translate.data.formats import Pixels
from translate.data.pipelines import build_pipeline
from translate.data.settings import DataConfig
from translate.errors import UserError


def check_sizes(config: DataConfig, multiple: int, training: bool) -> None:
    """Raise UserError where load_size, crop_size and the generator's `multiple` do not go together."""
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


class Augment:
    """What is drawn at random for a sample: `augment`, crop, mirroring, then `augment_A` and `augment_B`.

    The two of a pair get the same geometry and the same colours from `augment`; unpaired images are drawn apart.
    An image of 16 bits is float32 from 0 to 1 inside the user's transforms, the other kind that Albumentations knows.

    Args:
        config: its augment, augment_A, augment_B, flip, preprocess and crop_size. `augment_A` belongs to the A on disk,
            as `domain_A` does, whichever `direction` is trained.
        paired: whether A and B belong together.
    Raises:
        UserError: a transform is unknown, or its arguments are wrong.
    """

    def __init__(self, config: DataConfig, paired: bool) -> None:
        os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it would ask the network for its newest version
        import albumentations
        import cv2

        own = [("data.augment_A", config.augment_A), ("data.augment_B", config.augment_B)]
        if config.direction == "b2a":
            own.reverse()
        self.paired = paired
        self.as_float = [bool(config.augment or specs) for _, specs in own]
        self.transformed = any(self.as_float)
        last = []
        if crops(config):
            # The padding is for transforms that leave less than a crop; `prepare` refuses images that are too small.
            last.append(
                albumentations.RandomCrop(
                    config.crop_size, config.crop_size, pad_if_needed=True, border_mode=cv2.BORDER_REFLECT_101
                )
            )
        if config.flip:
            last.append(albumentations.HorizontalFlip(p=0.5))
        shared = [*build_pipeline(config.augment, "data.augment"), *last]
        self.shared = albumentations.Compose(shared, additional_targets={"B": "image"} if paired else None)
        self.own = [albumentations.Compose(build_pipeline(specs, name)) if specs else None for name, specs in own]

    def __call__(
        self, A: Pixels, B: Pixels, draws: tuple[np.random.SeedSequence, np.random.SeedSequence]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Two (H, W, C) arrays of a sample; the result depends on the arguments only, not on what was drawn before."""
        images: list[npt.NDArray[Any]] = [
            image.astype(np.float32) / 65535 if floating and image.dtype == np.uint16 else image
            for image, floating in zip((A, B), self.as_float, strict=True)
        ]
        if self.paired:
            _seed(self.shared, draws[0])
            made = self.shared(image=images[0], B=images[1])
            images = [made["image"], made["B"]]
        else:
            for index in (0, 1):
                _seed(self.shared, draws[index])
                images[index] = self.shared(image=images[index])["image"]
        for index, pipeline in enumerate(self.own):
            if pipeline is not None:
                _seed(pipeline, draws[index].spawn(1)[0])
                images[index] = pipeline(image=images[index])["image"]
        return images[0], images[1]


def _seed(pipeline: Any, draw: np.random.SeedSequence) -> None:
    """One stream of random numbers for all transforms of a pipeline.

    `Compose.set_random_seed` would give each transform its own stream from the same number: those applied with the same
    probability would always be applied together.
    """
    pipeline.set_random_state(np.random.default_rng(draw), random.Random(int(draw.generate_state(1, np.uint64)[0])))
