"""LPIPS: the network of learned perceptual similarity, as torchmetrics has it."""

from __future__ import annotations

import warnings
from typing import Literal

from torch import nn

from translate.downloads.download import Progress
from translate.errors import UserError
from translate.features.weights import published_weights

LpipsNetwork = Literal["alexnet", "vgg16"]


def load_lpips(network: LpipsNetwork, progress: Progress | None = None) -> nn.Module:
    """The network (image, target, normalize=False) → (N, 1, 1, 1) distances of images (N, 3, H, W) in [-1, 1].

    Zhang et al. 2018, https://arxiv.org/abs/1801.03924, version 0.1 of the learned weights, which torchmetrics brings;
    those of the network beneath are torchvision's, downloaded at the first use.

    Args:
        network: beneath.
        progress: of the download.
    Raises:
        UserError: the weights cannot be had.
    """
    import torchvision.models
    from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity

    try:
        published_weights(torchvision.models.get_model_weights(network).DEFAULT.url, progress)
    except UserError as error:
        title = {"alexnet": "AlexNet", "vgg16": "VGG-16"}[network]
        raise UserError(f"The weights of {title}, which LPIPS needs, cannot be had. {error}") from error
    short: Literal["alex", "vgg"] = "alex" if network == "alexnet" else "vgg"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metric = LearnedPerceptualImagePatchSimilarity(short)
    return metric.net
