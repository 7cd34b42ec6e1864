"""CycleGAN. Zhu, Park, Isola, Efros: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
ICCV 2017, https://arxiv.org/abs/1703.10593.

    L(G, F, D_X, D_Y) = L_GAN(G, D_Y) + L_GAN(F, D_X) + λ L_cyc(G, F)            (eq. 3)

Names are the reference implementation's: G_A is the paper's G (A → B), G_B its F (B → A), D_A judges images of B (D_Y),
D_B images of A (D_X). A step updates both generators, then both discriminators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from translate.config import CycleGANConfig, Direction
from translate.losses import PerceptualLoss, discriminator_terms, generator_term, gradient_penalty, l1, r1_penalty
from translate.models.passes import can_merge, together
from translate.networks import build_discriminator, build_generator


class CycleGAN(nn.Module):
    """Generators G_A: A → B and G_B: B → A with a discriminator of each one's translations."""

    players: ClassVar[tuple[str, ...]] = ("generators", "discriminators")
    """Who is updated in a step, in this order."""
    pooled: ClassVar[tuple[str, ...]] = ("fake_B", "fake_A")
    """Images that the discriminators see through an image pool (Shrivastava et al. 2017, section 2.3)."""

    def __init__(self, config: CycleGANConfig, merge: bool = True) -> None:
        super().__init__()
        self.config = config
        forth = config.generator
        back = forth.model_copy(update={"in_channels": forth.out_channels, "out_channels": forth.in_channels})
        self.G_A = build_generator(forth)
        self.G_B = build_generator(back)
        self.D_A = build_discriminator(config.discriminator, forth.out_channels)
        self.D_B = build_discriminator(config.discriminator, forth.in_channels)
        self.perceptual = PerceptualLoss(config.perceptual_weights) if config.lambda_perceptual else None
        self.merge_G = merge and can_merge(forth)
        self.merge_D = merge and can_merge(config.discriminator)

    @property
    def generators(self) -> dict[Direction, nn.Module]:
        """The generator of each direction."""
        return {"a2b": self.G_A, "b2a": self.G_B}

    @property
    def discriminators(self) -> dict[str, nn.Module]:
        """The discriminators by the field's names."""
        return {"D_A": self.D_A, "D_B": self.D_B}

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Translate a batch {"A", "B"} of (N, C, H, W) in [-1, 1] there and back: the images the losses are made of."""
        A, B = batch["A"], batch["B"]
        images = {"real_A": A, "real_B": B}
        if self.config.lambda_identity and self.merge_G:
            images["fake_B"], images["idt_A"] = together(self.G_A, (A, B), merge=True)
            images["fake_A"], images["idt_B"] = together(self.G_B, (B, A), merge=True)
            images["rec_A"] = self.G_B(images["fake_B"])
            images["rec_B"] = self.G_A(images["fake_A"])
            return images
        # In the reference's order: gradients are then summed in its order, and a step is the same to the last bit.
        images["fake_B"] = self.G_A(A)
        images["rec_A"] = self.G_B(images["fake_B"])
        images["fake_A"] = self.G_B(B)
        images["rec_B"] = self.G_A(images["fake_A"])
        if self.config.lambda_identity:
            images["idt_A"], images["idt_B"] = self.G_A(B), self.G_B(A)
        return images

    def generator_losses(self, images: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """What G_A and G_B minimise, and its named parts: G_A, G_B, cycle_A, cycle_B, idt_A, idt_B."""
        config = self.config
        losses = {
            "G_A": generator_term(config.objective, self.D_A(images["fake_B"])),
            "G_B": generator_term(config.objective, self.D_B(images["fake_A"])),
            # Forward cycle ‖G_B(G_A(A)) − A‖ and backward cycle ‖G_A(G_B(B)) − B‖ (eq. 2).
            "cycle_A": l1(images["rec_A"], images["real_A"]) * config.lambda_A,
            "cycle_B": l1(images["rec_B"], images["real_B"]) * config.lambda_B,
        }
        if config.lambda_identity:
            # G_A leaves B as it is, and G_B leaves A (section 5.2).
            losses["idt_A"] = l1(images["idt_A"], images["real_B"]) * config.lambda_B * config.lambda_identity
            losses["idt_B"] = l1(images["idt_B"], images["real_A"]) * config.lambda_A * config.lambda_identity
        if self.perceptual is not None:
            there = self.perceptual(images["rec_A"], images["real_A"])
            back = self.perceptual(images["rec_B"], images["real_B"])
            losses["G_perceptual"] = (there + back) * config.lambda_perceptual
        return torch.stack(list(losses.values())).sum(), losses

    def discriminator_losses(self, images: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """What D_A and D_B minimise, and its named parts: D_A, D_B. `images` hold the pool's fake_A and fake_B."""
        config = self.config
        losses = {}
        for name, discriminator, domain in (("D_A", self.D_A, "B"), ("D_B", self.D_B, "A")):
            real, fake = images[f"real_{domain}"], images[f"fake_{domain}"].detach()
            on_real, on_fake = together(discriminator, (real, fake), self.merge_D)
            losses[name] = sum(discriminator_terms(config.objective, on_real, on_fake), real.new_zeros(())) * 0.5
            if config.objective == "wgan_gp" and config.lambda_gp:
                mix = torch.rand(len(real), 1, 1, 1, device=real.device)
                losses[f"{name}_gp"] = gradient_penalty(discriminator, real, fake, mix) * config.lambda_gp
            if config.lambda_r1:
                losses[f"{name}_r1"] = r1_penalty(discriminator, real) * config.lambda_r1
        return torch.stack(list(losses.values())).sum(), losses

    @staticmethod
    def sheet(generators: Mapping[Direction, nn.Module], batch: Mapping[str, Tensor]) -> list[tuple[Tensor, ...]]:
        """Rows of a sheet of samples: real_A, fake_B, rec_A and real_B, fake_A, rec_B."""
        there, back = generators["a2b"], generators["b2a"]
        fake_B, fake_A = there(batch["A"]), back(batch["B"])
        return [(batch["A"], fake_B, back(fake_B)), (batch["B"], fake_A, there(fake_A))]
