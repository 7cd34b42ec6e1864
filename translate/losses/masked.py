"""Terms with masks (N, 1, H, W) of what may change: 1 where the object is, 0 where the picture is to stay."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from translate.losses.reconstruction import exact

DILATION = 7
"""Pixels of the square by which a mask grows before its edge is blurred."""
BLUR = 5
"""Pixels of the square over which the edge is averaged."""


def soften(mask: Tensor) -> Tensor:
    """The mask, grown by 3 pixels and its edge blurred over 5, in [0, 1].

    Masks by hand or by a network miss hair and shadow, and an edge that is sharp would be learned as one. Beyond the
    border of the picture nothing is averaged, so a full mask stays full.
    """
    grown = F.max_pool2d(mask, DILATION, stride=1, padding=DILATION // 2)
    return F.avg_pool2d(grown, BLUR, stride=1, padding=BLUR // 2, count_include_pad=False)


def outside_change(output: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """mean |y − x| (1 − m): how much a translation changes what lies outside of a (softened) mask.

    Args:
        output, source: y and x, (N, C, H, W).
        mask: m, (N, 1, H, W) in [0, 1].
    Returns:
        the mean over all pixels and channels, also those inside, which count as unchanged; a scalar.
    """
    return (exact(output - source).abs() * (1 - exact(mask))).mean()


def composite(output: Tensor, source: Tensor, mask: Tensor) -> Tensor:
    """y m + x (1 − m): the translation inside a (softened) mask (N, 1, H, W), the source outside of it."""
    return output * mask + source * (1 - mask)
