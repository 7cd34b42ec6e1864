"""Where in a picture a frozen classifier sees an object: class activation maps, at several scales and mirrored."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.features import FeatureNetwork

SIZES = (256, 384, 512)
"""Sides, in pixels, of the squares that a picture is scaled to: small objects are seen at large ones."""


def class_evidence(network: FeatureNetwork, image: Tensor, classes: Sequence[int], side: int) -> Tensor:
    """How much speaks for the classes at each place: log-odds against all others, averaged over scales and mirroring.

    Args:
        network: a classifier of ImageNet with class activation maps.
        image: (1, 3, H, W) in [-1, 1].
        classes: numbers of the classes that count as the object.
        side: height and width of the result.
    Returns:
        (side, side); above 0 the classes together are more likely than all others.
    """
    maps = []
    for size in SIZES:
        scaled = scale(image, size)
        scores = network.logits_by_place(torch.cat([scaled, scaled.flip(3)]))
        scores = (scores[:1] + scores[1:].flip(3)) / 2
        own = torch.zeros(scores.shape[1], dtype=torch.bool)
        own[list(classes)] = True
        odds = torch.logsumexp(scores[:, own], 1) - torch.logsumexp(scores[:, ~own], 1)
        maps.append(F.interpolate(odds[:, None], (side, side), mode="bicubic", align_corners=False))
    return torch.stack(maps).mean(0)[0, 0]


def scale(image: Tensor, size: int) -> Tensor:
    """(1, 3, H, W) as a square of so many pixels."""
    return F.interpolate(image, (size, size), mode="bicubic", antialias=True, align_corners=False).clamp(-1, 1)
