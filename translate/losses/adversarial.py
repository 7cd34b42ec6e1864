"""What discriminators and generators minimise against one another, and penalties of a discriminator's gradients.

`logits` are a PatchGAN's raw outputs (N, 1, h, w), one a patch, no sigmoid; the average is over images and patches.
With D(x) the logits of a real and D(x̂) those of a translated image, σ the sigmoid, each objective is written as
what its player minimises. As in the reference implementation a discriminator minimises half the sum of its two terms.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from translate.losses.reconstruction import exact

Objective = Literal["lsgan", "bce", "bce_minimax", "hinge", "wgan_gp"]


def discriminator_terms(objective: Objective, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """What a discriminator minimises on real and on translated images.

    lsgan        (D(x) − 1)²,          D(x̂)²              Mao et al. 2017, eq. 9, https://arxiv.org/abs/1611.04076
    bce          −log σ(D(x)),         −log(1 − σ(D(x̂)))  Goodfellow et al. 2014, eq. 1, arXiv:1406.2661
    bce_minimax  the same
    hinge        max(0, 1 − D(x)),     max(0, 1 + D(x̂))   Lim & Ye 2017, https://arxiv.org/abs/1705.02894
    wgan_gp      −D(x),                D(x̂)               Arjovsky et al. 2017, https://arxiv.org/abs/1701.07875
    """
    real, fake = exact(real), exact(fake)
    match objective:
        case "lsgan":
            return (real - 1).square().mean(), fake.square().mean()
        case "bce" | "bce_minimax":
            return _cross_entropy(real, 1.0), _cross_entropy(fake, 0.0)
        case "hinge":
            return F.relu(1 - real).mean(), F.relu(1 + fake).mean()
        case "wgan_gp":
            return -real.mean(), fake.mean()


def generator_term(objective: Objective, fake: Tensor) -> Tensor:
    """What a generator minimises on its own translations.

    lsgan        (D(x̂) − 1)²
    bce          −log σ(D(x̂))          the non-saturating form, Goodfellow et al. 2014, section 3
    bce_minimax  log(1 − σ(D(x̂)))      the minimax form, eq. 1
    hinge        −D(x̂)
    wgan_gp      −D(x̂)
    """
    fake = exact(fake)
    match objective:
        case "lsgan":
            return (fake - 1).square().mean()
        case "bce":
            return _cross_entropy(fake, 1.0)
        case "bce_minimax":
            return -_cross_entropy(fake, 0.0)
        case "hinge" | "wgan_gp":
            return -fake.mean()


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    """−log σ(logits) for label 1, −log(1 − σ(logits)) for label 0."""
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))


def gradient_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """WGAN-GP: (‖∇ D(x̃)‖₂ − 1)² at x̃ between real and translated images.

    Gulrajani et al. 2017, algorithm 1, https://arxiv.org/abs/1704.00028.

    Args:
        real, fake: (N, C, H, W).
        mix: (N, 1, 1, 1) in [0, 1], drawn uniformly by the caller: the share of `real` in x̃.
    """
    between = torch.lerp(fake.detach().to(real.dtype), real, mix).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(between).sum(), between, create_graph=True)
    penalty: Tensor = (exact(gradient.flatten(1)).norm(dim=1) - 1).square().mean()
    return penalty


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """R1: ½ ‖∇ D(x)‖² at real images (N, C, H, W). Mescheder et al. 2018, eq. 9, https://arxiv.org/abs/1801.04406."""
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return 0.5 * exact(gradient).square().sum(dim=(1, 2, 3)).mean()
