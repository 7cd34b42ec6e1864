"""pix2pix. Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017,
https://arxiv.org/abs/1611.07004.

    G* = arg min_G max_D  L_cGAN(G, D) + λ L_L1(G)            (eq. 4)

The discriminator sees the pair: D(A, B) real, D(A, G(A)) fake. A step updates D, then G (section 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from translate.config import Direction, Pix2PixConfig
from translate.losses import PerceptualLoss, discriminator_terms, generator_term, gradient_penalty, l1, r1_penalty
from translate.models.passes import can_merge, together
from translate.networks import build_discriminator, build_generator


class Pix2Pix(nn.Module):
    """Generator G: A → B, and a discriminator D of pairs (A, B)."""

    players: ClassVar[tuple[str, ...]] = ("discriminators", "generators")
    """Who is updated in a step, in this order."""
    pooled: ClassVar[tuple[str, ...]] = ()
    """Images that the discriminators see through an image pool."""

    def __init__(self, config: Pix2PixConfig, merge: bool = True) -> None:
        super().__init__()
        self.config = config
        self.G = build_generator(config.generator)
        self.D = build_discriminator(config.discriminator, config.generator.in_channels + config.generator.out_channels)
        self.perceptual = PerceptualLoss(config.perceptual_weights) if config.lambda_perceptual else None
        self.merge_D = merge and can_merge(config.discriminator)

    @property
    def generators(self) -> dict[Direction, nn.Module]:
        """The generator of each direction."""
        return {"a2b": self.G}

    @property
    def discriminators(self) -> dict[str, nn.Module]:
        """The discriminators by the field's names."""
        return {"D": self.D}

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translate a batch {"A", "B"} of (N, C, H, W) in [-1, 1]: the images the losses are made of."""
        return {"real_A": batch["A"], "real_B": batch["B"], "fake_B": self.G(batch["A"])}

    def discriminator_losses(self, images: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """What D minimises, and its named parts: D_real, D_fake."""
        config = self.config
        real = torch.cat((images["real_A"], images["real_B"]), 1)
        fake = torch.cat((images["real_A"], images["fake_B"].detach()), 1)
        on_fake, on_real = together(self.D, (fake, real), self.merge_D)
        losses = dict(zip(("D_real", "D_fake"), discriminator_terms(config.objective, on_real, on_fake), strict=True))
        total = (losses["D_real"] + losses["D_fake"]) * 0.5
        if config.objective == "wgan_gp" and config.lambda_gp:
            mix = torch.rand(len(real), 1, 1, 1, device=real.device)
            losses["D_gp"] = gradient_penalty(self.D, real, fake, mix) * config.lambda_gp
            total = total + losses["D_gp"]
        if config.lambda_r1:
            losses["D_r1"] = r1_penalty(self.D, real) * config.lambda_r1
            total = total + losses["D_r1"]
        return total, losses

    def generator_losses(self, images: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """What G minimises, and its named parts: G_GAN, G_L1 and, where asked for, G_perceptual."""
        config = self.config
        on_fake = self.D(torch.cat((images["real_A"], images["fake_B"]), 1))
        losses = {
            "G_GAN": generator_term(config.objective, on_fake),
            "G_L1": l1(images["fake_B"], images["real_B"]) * config.lambda_L1,
        }
        if self.perceptual is not None:
            losses["G_perceptual"] = self.perceptual(images["fake_B"], images["real_B"]) * config.lambda_perceptual
        return torch.stack(list(losses.values())).sum(), losses

    @staticmethod
    def sheet(generators: Mapping[Direction, nn.Module], batch: Mapping[str, Tensor]) -> list[tuple[Tensor, ...]]:
        """Rows of a sheet of samples: real_A, fake_B, real_B."""
        return [(batch["A"], generators["a2b"](batch["A"]), batch["B"])]
