"""How alike two pictures of the same thing are: SSIM, PSNR, L1 and LPIPS, image by image, by torchmetrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from translate.data.formats import Pixels
from translate.download import Progress
from translate.errors import UserError
from translate.features.lpips import load_lpips

SMALLEST_SIDE = 11
"""Pixels; SSIM's window."""
PSNR_TOP = 100.0
"""Decibels that an identical picture counts as; it would be infinite, and so would any mean that it is in."""


def ssim(images: Sequence[Pixels], targets: Sequence[Pixels]) -> list[float]:
    """Structural similarity of each pair (Wang et al. 2004), 1 for identical pictures; σ 1.5, window 11.

    Images are (H, W, C), uint8 or uint16; the two of a pair have the same size and number of channels.
    """
    from torchmetrics.functional.image import structural_similarity_index_measure

    values = []
    for image, target in zip(images, targets, strict=True):
        if min(image.shape[:2]) < SMALLEST_SIDE:
            raise UserError(f"SSIM needs images of at least {SMALLEST_SIDE} pixels; these have {image.shape[:2]}.")
        found = structural_similarity_index_measure(_levels(image), _levels(target), data_range=1.0)
        values.append(float(cast(Tensor, found)))
    return values


def psnr(images: Sequence[Pixels], targets: Sequence[Pixels]) -> list[float]:
    """Peak signal-to-noise ratio of each pair, in decibels, at most PSNR_TOP."""
    from torchmetrics.functional.image import peak_signal_noise_ratio

    pairs = zip(images, targets, strict=True)
    values = [float(peak_signal_noise_ratio(_levels(one), _levels(other), data_range=1.0)) for one, other in pairs]
    return [min(value, PSNR_TOP) for value in values]


def l1(images: Sequence[Pixels], targets: Sequence[Pixels]) -> list[float]:
    """Mean absolute difference of each pair, of values from 0 to 1: half of what the losses in [-1, 1] say."""
    from torchmetrics.functional import mean_absolute_error

    return [
        float(mean_absolute_error(_levels(image), _levels(target)))
        for image, target in zip(images, targets, strict=True)
    ]


class LPIPS:
    """Learned perceptual similarity (Zhang et al. 2018, https://arxiv.org/abs/1801.03924), 0 for identical pictures.

    torchmetrics brings the learned weights of its layers; those of AlexNet beneath are downloaded at the first use.

    Raises:
        UserError: they cannot be had.
    """

    name = "LPIPS 0.1, AlexNet"

    def __init__(self, device: torch.device | None = None, progress: Progress | None = None) -> None:
        self.device = device or torch.device("cpu")
        self.network = load_lpips("alexnet", progress).to(self.device)

    @torch.inference_mode()
    def __call__(self, images: Sequence[Pixels], targets: Sequence[Pixels]) -> list[float]:
        """The distance of each pair of (H, W, C) images, C 1 or 3."""
        values = []
        for image, target in zip(images, targets, strict=True):
            one, other = (_levels(each).expand(-1, 3, -1, -1).to(self.device) for each in (image, target))
            values.append(float(self.network(one, other, normalize=True)))
        return values


def _levels(image: Pixels) -> Tensor:
    """(H, W, C) pixels as (1, C, H, W) from 0 to 1."""
    levels = torch.from_numpy(image.astype(np.float32) / np.iinfo(image.dtype).max)
    return levels.permute(2, 0, 1)[None].contiguous()
