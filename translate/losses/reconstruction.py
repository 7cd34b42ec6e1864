"""Distances of images pixel by pixel: cycle, identity and paired reconstruction."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor


def exact(values: Tensor) -> Tensor:
    """The values in float32 where they are of half precision; float64 stays."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def l1(image: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of (N, C, H, W) images.

    The cycle consistency ‖F(G(x)) − x‖₁ (Zhu et al. 2017, eq. 2), the identity loss ‖G(y) − y‖₁ (section 5.2) and
    pix2pix's ‖y − G(x)‖₁ (Isola et al. 2017, eq. 3) are all this.
    """
    return F.l1_loss(exact(image), exact(target))


def full_precision(values: Tensor) -> AbstractContextManager[object]:
    """Around matrix products that bfloat16 would be too coarse for: switches autocast off on the tensor's device."""
    if values.is_meta:  # shapes only, and autocast does not know that device
        return nullcontext()
    return torch.autocast(values.device.type, enabled=False)
