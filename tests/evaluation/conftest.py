"""Judges that need neither downloads nor training."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from translate.data.formats import Pixels
from translate.evaluation.extractors import Extractor
from translate.evaluation.images import ImageSet
from translate.evaluation.judges import Judges


class _Colours(nn.Module):
    """Mean and spread of each channel: six features that anyone can check."""

    def forward(self, images: Tensor) -> Tensor:
        levels = images.float() / 255
        return torch.cat([levels.mean(dim=(2, 3)), levels.std(dim=(2, 3))], dim=1)


@pytest.fixture
def colours() -> Extractor:
    return Extractor("colours", "none", _Colours(), torch.device("cpu"))


@pytest.fixture
def judges(colours: Extractor) -> Judges:
    return Judges(colours, None, None, [])


def tinted(colour: Sequence[int], count: int, size: int = 40, seed: int = 0) -> list[Pixels]:
    """Cloudy pictures of about one colour, (size, size, 3) uint8."""
    rng = np.random.default_rng(seed)
    shades = (np.array(colour) + rng.normal(0, 12, (count, 1, 1, 3)) + rng.normal(0, 12, (count, 6, 6, 3))).clip(0, 255)
    clouds = [Image.fromarray(each) for each in shades.astype(np.uint8)]
    return [np.asarray(cloud.resize((size, size), Image.Resampling.BICUBIC)) for cloud in clouds]


def image_set(images: Sequence[Pixels]) -> ImageSet:
    return ImageSet([f"{at}.png" for at in range(len(images))], list(images), len(images))
