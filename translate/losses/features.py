"""Distances of images by the features of a frozen network: perceptual, content, style and LPIPS.

Images are (N, 1 or 3, H, W) in [-1, 1]. Gradients flow to the first image alone, never to the target or the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from translate.features import FeatureNetwork, Frozen, load_features
from translate.features.lpips import LpipsNetwork, load_lpips
from translate.losses.reconstruction import exact, full_precision, l1

PERCEPTUAL_STRIDES = (1, 2, 4, 8)
"""Strides of the compared feature maps: VGG-16's relu1_2, relu2_2, relu3_3 and relu4_3 (Johnson et al. 2016)."""
CONTENT_STRIDES = (4,)
"""Stride of the feature map that is compared for content: VGG-16's relu3_3 (Johnson et al. 2016)."""
EPSILON = 1e-5
"""Added to a variance before its root, whose gradient at zero is infinite; as in Huang & Belongie 2017."""

StyleStatistics = Literal["gram", "moments"]


def feature_distance(
    features: FeatureNetwork, image: Tensor, target: Tensor, strides: Sequence[int] = PERCEPTUAL_STRIDES
) -> Tensor:
    """Σ over strides of the mean absolute difference of feature maps.

    The feature reconstruction loss of Johnson et al. 2016, eq. 2, https://arxiv.org/abs/1603.08155, with L1 for L2.
    """
    distance = image.new_zeros(())
    for maps in features(torch.cat([image, target.detach()]), strides):
        distance = distance + l1(*maps.chunk(2))
    return distance


def content_loss(
    features: FeatureNetwork, image: Tensor, target: Tensor, strides: Sequence[int] = CONTENT_STRIDES
) -> Tensor:
    """Σ over strides of ‖φ(y) − φ(x)‖² / (C H W), averaged over images.

    Johnson et al. 2016, eq. 2; Gatys et al. 2016, eq. 1, without its division by the number of values.
    """
    distance = image.new_zeros(())
    for maps in features(torch.cat([image, target.detach()]), strides):
        made, wanted = exact(maps).chunk(2)
        distance = distance + (made - wanted).square().mean()
    return distance


def style_loss(
    features: FeatureNetwork,
    image: Tensor,
    paintings: Tensor,
    strides: Sequence[int] = PERCEPTUAL_STRIDES,
    statistics: StyleStatistics = "gram",
) -> Tensor:
    """Σ over strides of the distance of images' statistics to the mean statistics of pictures of the target domain.

    gram     ‖G(φ(y)) − G(φ(s))‖²_F, Gram matrices G        Johnson et al. 2016, eq. 4, after Gatys et al. 2016, eq. 4
    moments  (‖μ(φ(y)) − μ(φ(s))‖² + ‖σ(φ(y)) − σ(φ(s))‖²) / C      Huang & Belongie 2017, eq. 13, arXiv:1703.06868,
                                                            with squares, as in its code, whose gradient is finite at 0

    Args:
        image: y, (N, C, H, W).
        paintings: s, (M, C, H', W'); any number of any size. With one, the equations are those of the papers.
        strides: of the feature maps.
        statistics: what is compared. Moments are cheaper and do not look at which channels fire together.
    Returns:
        the mean over images, a scalar in float32 or float64.
    """
    with torch.no_grad():
        targets = [_statistics(maps, statistics).mean(dim=0) for maps in features(paintings, strides)]
    distance = image.new_zeros(())
    for maps, target in zip(features(image, strides), targets, strict=True):
        squares = (_statistics(maps, statistics) - target).square()
        distance = (
            distance + (squares.sum(dim=(1, 2)) if statistics == "gram" else squares.sum(dim=1).mean(dim=1)).mean()
        )
    return distance


def gram_matrix(maps: Tensor) -> Tensor:
    """G = F Fᵀ / (C H W) of maps (N, C, H, W), in float32 or float64: (N, C, C). Johnson et al. 2016, eq. 3."""
    flat = exact(maps).flatten(2)
    with full_precision(flat):  # sums over all pixels need float32
        return flat @ flat.transpose(1, 2) / (flat.shape[1] * flat.shape[2])


def channel_moments(maps: Tensor) -> Tensor:
    """Mean and standard deviation of each channel of maps (N, C, H, W), in float32 or float64: (N, 2, C)."""
    variance, mean = torch.var_mean(exact(maps), dim=(2, 3), correction=0)
    return torch.stack([mean, (variance + EPSILON).sqrt()], dim=1)


def _statistics(maps: Tensor, statistics: StyleStatistics) -> Tensor:
    return gram_matrix(maps) if statistics == "gram" else channel_moments(maps)


class PerceptualLoss(nn.Module):
    """L1 distance of VGG-16 features after relu1_2, relu2_2, relu3_3 and relu4_3, or of another network's.

    Johnson et al. 2016, eq. 2, https://arxiv.org/abs/1603.08155; see `feature_distance`.

    Args:
        weights: a state dict of the network, or none for its published weights.
        network: as `translate.features.load_features` takes it.
        strides: of the feature maps that are compared.
    Raises:
        UserError: the weights cannot be read or downloaded.
    """

    def __init__(
        self, weights: Path | None = None, network: str = "vgg16", strides: Sequence[int] = PERCEPTUAL_STRIDES
    ) -> None:
        super().__init__()
        self.features = load_features(network, weights)
        self.strides = tuple(strides)

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """Distance of `image` to `target`; the gradient flows to `image` alone."""
        return feature_distance(self.features, image, target, self.strides)


class LpipsLoss(Frozen):
    """Learned perceptual image patch similarity, Zhang et al. 2018, eq. 1, https://arxiv.org/abs/1801.03924.

    Args:
        network: `vgg16`, which the paper takes for optimisation, or `alexnet`, which it takes for judging.
    Raises:
        UserError: the network's weights cannot be had.
    """

    network: nn.Module

    def __init__(self, network: LpipsNetwork = "vgg16") -> None:
        super().__init__(network=load_lpips(network))

    def forward(self, image: Tensor, target: Tensor) -> Tensor:
        """The mean distance of images to their targets, both (N, 1 or 3, H, W) in [-1, 1]; a scalar."""
        pair = (each.expand(-1, 3, -1, -1) for each in (image, target.detach()))
        distances: Tensor = self.network(*pair)
        return exact(distances).mean()
