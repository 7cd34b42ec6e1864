"""How alike two pictures are, image by image: SSIM, PSNR, L1 and LPIPS by torchmetrics, changes by mask, structure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.data.formats import Pixels
from translate.data.masks import Mask, object_pixels
from translate.downloads.download import Progress
from translate.errors import UserError
from translate.features import FeatureNetwork
from translate.features.lpips import load_lpips

SMALLEST_SIDE = 11
"""Pixels; SSIM's window."""
SMALLEST_OBJECT = 0.02
"""Share of a picture below which a mask counts as one that missed the object."""
MARGIN = 6
"""Pixels around the object that count neither as object nor as background: hair, shadow, and what a mask misses."""
VISIBLE = 40
"""Grey levels by which a pixel has to change to be seen as changed."""
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


def change(image: Pixels, source: Pixels, mask: Mask) -> dict[str, float]:
    """How much a translation changes inside and outside of the mask of what may change.

    Args:
        image, source: the translation and what it was made of, (H, W, C) uint8 or uint16.
        mask: (H, W) uint8, white where the object is.
    Returns:
        `change_inside` and `change_outside`: the mean difference in grey levels from 0 to 255, over channels, of the
        pixels of the object and of the background, which is what lies MARGIN pixels and more away from it; and
        `background_changed`, the share of the background's pixels that differ by more than VISIBLE levels. What has no
        pixels is left out, and so is everything where the object fills less than SMALLEST_OBJECT: such masks have
        mostly missed it.
    """
    inside = object_pixels(mask)
    if inside.mean() < SMALLEST_OBJECT:
        return {}
    grown = F.max_pool2d(torch.from_numpy(inside).float()[None, None], 2 * MARGIN + 1, 1, MARGIN)[0, 0].numpy()
    outside = grown == 0
    difference = 255 * (_levels(image) - _levels(source)).abs().mean(dim=1)[0].numpy()
    found = {"change_inside": float(difference[inside].mean())}
    if outside.any():
        found["change_outside"] = float(difference[outside].mean())
        found["background_changed"] = float((difference[outside] > VISIBLE).mean())
    return found


@torch.inference_mode()
def structure_distance(features: FeatureNetwork, images: Sequence[Pixels], sources: Sequence[Pixels]) -> list[float]:
    """Difference in layout: how differently the parts of two pictures resemble one another; 0 for equal pictures.

    The mean squared difference of the cosine similarities of all pairs of tokens. Tumanyan et al. 2022, eq. 3 and 4,
    https://arxiv.org/abs/2201.00424, who take the keys of DINO's last layer; here the tokens are the network's deepest
    feature map, whatever the network (`timm/vit_small_patch8_224.dino` is theirs).

    Args:
        features: the network; images are scaled to its own size.
        images, sources: (H, W, C) uint8 or uint16, C 1 or 3.
    """
    device = next(features.backbone.parameters()).device
    stride = features.strides[-1:]
    if not stride:
        raise UserError(f"The feature network {features.name} has no feature maps to see structure by; use another.")

    def similarities(image: Pixels) -> Tensor:
        (made,) = features(features.scale(_levels(image).to(device) * 2 - 1), stride)
        tokens = F.normalize(made.float().flatten(2), dim=1)
        return tokens.transpose(1, 2) @ tokens

    pairs = zip(images, sources, strict=True)
    return [float((similarities(image) - similarities(source)).square().mean()) for image, source in pairs]


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
