"""pix2pix. Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017,
https://arxiv.org/abs/1611.07004.

    G* = arg min_G max_D  L_cGAN(G, D) + λ L_L1(G)            (eq. 4)

The discriminator sees the pair: D(A, B) real, D(A, G(A)) fake. A step updates D, then G (section 3.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from translate.losses import Objective, PerceptualLoss, l1
from translate.models.discriminators import Discriminators, View, one_sided_terms
from translate.models.extras import ExtraTerms, extra_terms, soft_masks
from translate.models.model import Model, Player, Published, Rivalry
from translate.models.settings import ModelConfig
from translate.models.terms import Images, Losses, LossTerm
from translate.networks import build_generator
from translate.settings import Direction

WAYS = (("A", "B"),)
"""The one translation that is trained."""


class Pix2PixConfig(ModelConfig):
    """pix2pix: paired images (Isola et al. 2017, https://arxiv.org/abs/1611.07004); the defaults are the paper's."""

    nested_defaults: ClassVar[dict[str, dict[str, Any]]] = {
        "generator": {"architecture": "unet", "norm": "batch", "dropout": True},
    }
    discriminator_defaults: ClassVar[dict[str, Any]] = {"norm": "batch"}

    name: Literal["pix2pix"] = "pix2pix"
    objective: Objective = Field("bce", description="adversarial objective")
    lambda_L1: float = Field(100.0, ge=0, description="weight of the L1 distance to the target")


class Pix2Pix(Model):
    """Generator G: A → B, and discriminators D of pairs (A, B)."""

    Config = Pix2PixConfig
    title = "pix2pix"
    needs = "paired images"
    paired = True
    enough_images = 100
    changes_input = False
    sheet_columns = ("input", "translation", "target")
    citation = """@inproceedings{isola2017image,
  title     = {Image-to-Image Translation with Conditional Adversarial Networks},
  author    = {Isola, Phillip and Zhu, Jun-Yan and Zhou, Tinghui and Efros, Alexei A.},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year      = {2017}
}"""
    published = Published(
        "pix2pix/models-pytorch",
        {
            "edges2shoes": ("edges", "shoe photo", "edges2shoes"),
            "sat2map": ("aerial photo", "map", "maps"),
            "map2sat": ("map", "aerial photo", "maps"),
            "facades_label2photo": ("labels", "façade photo", "facades"),
            "day2night": ("day", "night", "night2day"),
        },
    )

    def __init__(self, config: Pix2PixConfig, merge: bool = True) -> None:
        super().__init__()
        self.config = config
        self.G = build_generator(config.generator)
        self.D = Discriminators(config, config.generator.in_channels + config.generator.out_channels, merge)
        self.perceptual = PerceptualLoss(config.perceptual_weights) if config.lambda_perceptual else None
        self.extras = ExtraTerms(config, WAYS)

    @classmethod
    def terms(cls, config: Pix2PixConfig) -> list[LossTerm]:
        """D_real, D_fake and their penalties; G_GAN, G_L1 and, where asked for, G_perceptual."""
        return [
            *one_sided_terms(config),
            LossTerm("G_GAN", "Generator, adversarial loss", "Generators"),
            LossTerm("G_L1", "Distance to the target (L1)", "Distance to the target", better="low"),
            *(
                [LossTerm("G_perceptual", "Distance to the target (VGG-16)", "Distance to the target", better="low")]
                if config.lambda_perceptual
                else []
            ),
            *extra_terms(config, WAYS),
        ]

    @classmethod
    def rivalries(cls, config: Pix2PixConfig) -> list[Rivalry]:
        """The discriminator of pairs plays against the one generator."""
        return [Rivalry("The discriminator", "the generator", ("D_real", "D_fake"), "G_GAN")]

    @property
    def players(self) -> Sequence[Player]:
        """D first, then G (section 3.3)."""
        return (
            Player("discriminators", {"D": self.D}, discriminates=True),
            Player("generators", {"G": self.G}),
        )

    @property
    def generators(self) -> dict[Direction, nn.Module]:
        """The generator of the one direction."""
        return {"a2b": self.G}

    def forward(self, batch: Images) -> dict[str, Tensor]:
        """Translate a batch {"A", "B"} of (N, C, H, W) in [-1, 1]: the images the losses are made of."""
        return {"real_A": batch["A"], "real_B": batch["B"], "fake_B": self.G(batch["A"])} | soft_masks(batch)

    def losses(self, player: str, images: Images) -> Losses:
        """What D or G minimises, and its named parts."""
        A = images["real_A"]
        real = View(images["real_B"], images.get("soft_B"), condition=A)
        fake = View(images["fake_B"], images.get("soft_A"), behind=A, condition=A)
        return self._generator(images, fake) if player == "generators" else self.D.total(real, fake)

    def _generator(self, images: Images, fake: View) -> Losses:
        config = self.config
        losses = {
            "G_GAN": self.D.generator_loss(fake),
            # ‖y − G(x)‖₁ (eq. 3).
            "G_L1": l1(images["fake_B"], images["real_B"]) * config.lambda_L1,
        }
        if self.perceptual is not None:
            losses["G_perceptual"] = self.perceptual(images["fake_B"], images["real_B"]) * config.lambda_perceptual
        losses |= self.extras(images)
        return torch.stack(list(losses.values())).sum(), losses

    @staticmethod
    def sheet(generators: Mapping[Direction, nn.Module], batch: Images) -> list[tuple[Tensor, ...]]:
        """Rows of a sheet of samples: real_A, fake_B, real_B."""
        return [(batch["A"], generators["a2b"](batch["A"]), batch["B"])]
