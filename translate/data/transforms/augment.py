"""What is drawn at random for a sample: the user's Albumentations, the crop, mirroring."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from translate.data.formats import Pixels
from translate.data.masks import Mask
from translate.data.settings import DataConfig
from translate.data.transforms.pipelines import build_pipeline
from translate.data.transforms.placement import crop_sides, pair_sides
from translate.data.transforms.sizes import crops

_TARGETS_OF_B = {"image": "image_B", "mask": "mask_B"}
"""What the image and the mask of B are called in a pipeline that transforms both of a pair."""


class Augment:
    """What is drawn at random for a sample: `augment`, crop, mirroring, then `augment_A` and `augment_B`.

    The two of a pair get the same geometry and the same colours from `augment`; unpaired images are drawn apart.
    A mask gets the geometry of its image, interpolated linearly, and none of its colours.
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
        targets = {name: target for target, name in _TARGETS_OF_B.items()} if paired else None
        self.shared = []
        for domain in ("A", "B") if config.direction == "a2b" else ("B", "A"):
            shared = build_pipeline(config.augment, "data.augment")
            if crops(config):
                shared.append(_crop(config, domain, paired))
            if config.flip:
                shared.append(albumentations.HorizontalFlip(p=0.5))
            self.shared.append(
                albumentations.Compose(shared, additional_targets=targets, mask_interpolation=cv2.INTER_LINEAR)
            )
        self.own = [
            albumentations.Compose(build_pipeline(specs, name), mask_interpolation=cv2.INTER_LINEAR) if specs else None
            for name, specs in own
        ]

    def __call__(
        self,
        images: Sequence[Pixels],
        masks: Sequence[Mask | None],
        draws: Sequence[np.random.SeedSequence],
    ) -> tuple[list[npt.NDArray[Any]], list[Mask | None]]:
        """The two images of a sample and their masks, transformed.

        Args:
            images: A and B, (H, W, C).
            masks: of A and of B, (H, W) as its image has them, or None.
            draws: of A and of B. The result depends on the arguments only, not on what was drawn before; the images do
                not depend on whether there are masks.
        """
        layers: list[dict[str, npt.NDArray[Any]]] = []
        for image, mask, floating in zip(images, masks, self.as_float, strict=True):
            deep = floating and image.dtype == np.uint16
            layer: dict[str, npt.NDArray[Any]] = {"image": image.astype(np.float32) / 65535 if deep else image}
            layers.append(layer if mask is None else {**layer, "mask": mask})
        if self.paired:
            A, B = layers
            _seed(self.shared[0], draws[0])
            made = self.shared[0](**A, **{_TARGETS_OF_B[target]: array for target, array in B.items()})
            layers = [
                {target: made[target] for target in A},
                {target: made[_TARGETS_OF_B[target]] for target in B},
            ]
        else:
            for index in (0, 1):
                _seed(self.shared[index], draws[index])
                layers[index] = self.shared[index](**layers[index])
        for index, pipeline in enumerate(self.own):
            if pipeline is not None:
                _seed(pipeline, draws[index].spawn(1)[0])
                layers[index] = pipeline(**layers[index])
        return [layer["image"] for layer in layers], [layer.get("mask") for layer in layers]


def _crop(config: DataConfig, domain: str, paired: bool) -> Any:
    """The transform that crops images of a domain, "A" or "B" as they lie on disk, to crop_size."""
    import albumentations
    import cv2

    size, share = config.crop_size, config.object_crop.share
    if share is not None:
        from translate.data.transforms.object_crop import ObjectCrop

        return ObjectCrop(size, share, pair_sides(config) if paired else crop_sides(config, domain))
    # The padding is for transforms that leave less than a crop; `prepare` refuses images that are too small.
    return albumentations.RandomCrop(size, size, pad_if_needed=True, border_mode=cv2.BORDER_REFLECT_101)


def _seed(pipeline: Any, draw: np.random.SeedSequence) -> None:
    """One stream of random numbers for all transforms of a pipeline.

    `Compose.set_random_seed` would give each transform its own stream from the same number: those applied with the same
    probability would always be applied together.
    """
    pipeline.set_random_state(np.random.default_rng(draw), random.Random(int(draw.generate_state(1, np.uint64)[0])))
