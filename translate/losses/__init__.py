"""What networks minimise: pure functions of tensors that every model shares, each beside its paper's equation.

adversarial     what discriminators and generators minimise, gradient penalties
reconstruction  pixel by pixel
features        by a frozen network: perceptual, content, style, LPIPS
contrastive     PatchNCE
masked          with masks of what may change
"""

from translate.losses.adversarial import (
    Objective,
    discriminator_terms,
    generator_term,
    gradient_penalty,
    r1_penalty,
)
from translate.losses.contrastive import patch_nce
from translate.losses.features import (
    LpipsLoss,
    PerceptualLoss,
    channel_moments,
    content_loss,
    feature_distance,
    gram_matrix,
    style_loss,
)
from translate.losses.masked import composite, outside_change, soften
from translate.losses.reconstruction import l1

__all__ = [
    "LpipsLoss",
    "Objective",
    "PerceptualLoss",
    "channel_moments",
    "composite",
    "content_loss",
    "discriminator_terms",
    "feature_distance",
    "generator_term",
    "gradient_penalty",
    "gram_matrix",
    "l1",
    "outside_change",
    "patch_nce",
    "r1_penalty",
    "soften",
    "style_loss",
]
