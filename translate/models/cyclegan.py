"""CycleGAN. Zhu, Park, Isola, Efros: Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks,
ICCV 2017, https://arxiv.org/abs/1703.10593.

    L(G, F, D_X, D_Y) = L_GAN(G, D_Y) + L_GAN(F, D_X) + λ L_cyc(G, F)            (eq. 3)

Names are the reference implementation's: G_A is the paper's G (A → B), G_B its F (B → A), D_A judges images of B (D_Y),
D_B images of A (D_X). A step updates both generators, then both discriminators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from translate.losses import PerceptualLoss, l1
from translate.models.discriminators import Discriminators, View, penalised
from translate.models.extras import ExtraTerms, extra_terms, soft_masks
from translate.models.merging import images_together
from translate.models.model import Model, Player, Published, Rivalry
from translate.models.settings import ModelConfig
from translate.models.terms import Images, Losses, LossTerm
from translate.networks import GeneratorConfig, build_generator
from translate.settings import Direction

WAYS = (("A", "B"), ("B", "A"))
"""Both translations are trained."""


class CycleGANConfig(ModelConfig):
    """CycleGAN: unpaired images (Zhu et al. 2017, https://arxiv.org/abs/1703.10593); the defaults are the paper's."""

    name: Literal["cyclegan"] = "cyclegan"
    lambda_A: float = Field(10.0, ge=0, description="weight of the cycle A → B → A")
    lambda_B: float = Field(10.0, ge=0, description="weight of the cycle B → A → B")
    lambda_identity: float = Field(0.5, ge=0, description="weight of the identity loss, relative to the cycle's")
    cycle_inside: float = Field(
        1.0, ge=0, description="where there are masks: weight of the cycle inside of them, relative to outside"
    )
    pool_size: int = Field(50, ge=0, description="past translations shown to the discriminators (Shrivastava 2017)")

    @model_validator(mode="after")
    def _identity_needs_like_channels(self) -> Self:
        if self.lambda_identity > 0 and self.generator.in_channels != self.generator.out_channels:
            raise ValueError("the identity loss needs as many channels in A as in B; set model.lambda_identity to 0")
        return self


class CycleGAN(Model):
    """Generators G_A: A → B and G_B: B → A with discriminators of each one's translations."""

    Config = CycleGANConfig
    title = "CycleGAN"
    needs = "unpaired images"
    paired = False
    for_unequal_channels = {"model.lambda_identity": 0}  # noqa: RUF012 - it compares what G reads with what it makes
    sheet_columns = ("input", "translation", "back again")
    citation = """@inproceedings{zhu2017unpaired,
  title     = {Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks},
  author    = {Zhu, Jun-Yan and Park, Taesung and Isola, Phillip and Efros, Alexei A.},
  booktitle = {IEEE International Conference on Computer Vision (ICCV)},
  year      = {2017}
}"""
    published = Published(
        "cyclegan/pretrained_models",
        {
            "apple2orange": ("apple", "orange", "apple2orange"),
            "orange2apple": ("orange", "apple", "apple2orange"),
            "summer2winter_yosemite": ("summer", "winter", "summer2winter_yosemite"),
            "winter2summer_yosemite": ("winter", "summer", "summer2winter_yosemite"),
            "horse2zebra": ("horse", "zebra", "horse2zebra"),
            "zebra2horse": ("zebra", "horse", "horse2zebra"),
            "monet2photo": ("Monet painting", "photo", "monet2photo"),
            "style_monet": ("photo", "Monet painting", "monet2photo"),
            "style_cezanne": ("photo", "Cézanne painting", "cezanne2photo"),
            "style_ukiyoe": ("photo", "ukiyo-e print", "ukiyoe2photo"),
            "style_vangogh": ("photo", "Van Gogh painting", "vangogh2photo"),
            "sat2map": ("aerial photo", "map", "maps"),
            "map2sat": ("map", "aerial photo", "maps"),
            "cityscapes_photo2label": ("street photo", "labels", "cityscapes"),
            "cityscapes_label2photo": ("labels", "street photo", "cityscapes"),
            "facades_photo2label": ("façade photo", "labels", "facades"),
            "facades_label2photo": ("labels", "façade photo", "facades"),
            "iphone2dslr_flower": ("iPhone photo", "DSLR photo", "iphone2dslr_flower"),
        },
    )

    def __init__(self, config: CycleGANConfig, merge: bool = True) -> None:
        super().__init__()
        self.config = config
        forth, back = self.directions(config).values()
        self.G_A = build_generator(forth)
        self.G_B = build_generator(back)
        self.D_A = Discriminators(config, forth.out_channels, merge)
        self.D_B = Discriminators(config, forth.in_channels, merge)
        self.perceptual = PerceptualLoss(config.perceptual_weights) if config.lambda_perceptual else None
        self.extras = ExtraTerms(config, WAYS)
        self.merge_G = merge and forth.separates_images

    @classmethod
    def directions(cls, config: CycleGANConfig) -> dict[Direction, GeneratorConfig]:
        """There, and back with the channels exchanged."""
        forth = config.generator
        channels = {"in_channels": forth.out_channels, "out_channels": forth.in_channels}
        return {"a2b": forth, "b2a": forth.model_copy(update=channels)}

    @classmethod
    def terms(cls, config: CycleGANConfig) -> list[LossTerm]:
        """G_A, G_B, cycle_A, cycle_B, idt_A, idt_B; D_A, D_B and their penalties."""
        ways = {"A": ("{A}", "{B}"), "B": ("{B}", "{A}")}
        names = penalised(config)
        return [
            *(
                LossTerm(f"G_{at}", f"Generator of {to}, adversarial loss", "Generators")
                for at, (_, to) in ways.items()
            ),
            *(
                LossTerm(f"cycle_{at}", f"Lost on the way {one} → {to} → {one}", "Cycle consistency", better="low")
                for at, (one, to) in ways.items()
            ),
            *(
                LossTerm(f"idt_{at}", f"Change of a picture that is {to} already", "Identity", better="low")
                for at, (_, to) in ways.items()
                if config.lambda_identity
            ),
            *(
                [LossTerm("G_perceptual", "Lost on the way there and back (VGG-16)", "Cycle consistency", better="low")]
                if config.lambda_perceptual
                else []
            ),
            *extra_terms(config, WAYS),
            *(LossTerm(f"D_{at}", f"Discriminator of {to}", "Discriminators") for at, (_, to) in ways.items()),
            *(
                LossTerm(f"D_{at}_{name}", f"Penalty of the discriminator of {to} ({name})", "Penalties")
                for at, (_, to) in ways.items()
                for name in names
            ),
        ]

    @classmethod
    def rivalries(cls, config: CycleGANConfig) -> list[Rivalry]:
        """D_A judges what G_A makes, and D_B what G_B makes."""
        return [Rivalry("D_A", "G_A", ("D_A",), "G_A"), Rivalry("D_B", "G_B", ("D_B",), "G_B")]

    @property
    def players(self) -> Sequence[Player]:
        """Both generators together, then both discriminators."""
        return (
            Player("generators", {"G_A": self.G_A, "G_B": self.G_B}),
            Player("discriminators", {"D_A": self.D_A, "D_B": self.D_B}, discriminates=True),
        )

    @property
    def generators(self) -> dict[Direction, nn.Module]:
        """The generator of each direction."""
        return {"a2b": self.G_A, "b2a": self.G_B}

    def pooled(self, images: Images) -> dict[str, tuple[str, ...]]:
        """The discriminators see translations of the last steps too, each with the mask and image it was made from."""
        if "soft_A" not in images:
            return {"fake_B": ("fake_B",), "fake_A": ("fake_A",)}
        return {
            "fake_B": ("fake_B", "soft_of_fake_B", "behind_fake_B"),
            "fake_A": ("fake_A", "soft_of_fake_A", "behind_fake_A"),
        }

    def forward(self, batch: Images) -> dict[str, Tensor]:
        """Translate a batch {"A", "B"} of (N, C, H, W) in [-1, 1] there and back: the images the losses are made of."""
        A, B = batch["A"], batch["B"]
        images = {"real_A": A, "real_B": B} | soft_masks(batch)
        for source, target in WAYS if "soft_A" in images else ():
            images[f"soft_of_fake_{target}"] = images[f"soft_{source}"]
            images[f"behind_fake_{target}"] = images[f"real_{source}"]
        if self.config.lambda_identity and self.merge_G:
            images["fake_B"], images["idt_A"] = images_together(self.G_A, (A, B))
            images["fake_A"], images["idt_B"] = images_together(self.G_B, (B, A))
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

    def losses(self, player: str, images: Images) -> Losses:
        """What the two generators or the two discriminators minimise, and its named parts."""
        return self._generators(images) if player == "generators" else self._discriminators(images)

    def _generators(self, images: Images) -> Losses:
        config = self.config
        losses = {
            "G_A": self.D_A.generator_loss(_fake(images, "B")),
            "G_B": self.D_B.generator_loss(_fake(images, "A")),
            # Forward cycle ‖G_B(G_A(A)) − A‖ and backward cycle ‖G_A(G_B(B)) − B‖ (eq. 2).
            "cycle_A": self._cycle(images, "A") * config.lambda_A,
            "cycle_B": self._cycle(images, "B") * config.lambda_B,
        }
        if config.lambda_identity:
            # G_A leaves B as it is, and G_B leaves A (section 5.2).
            losses["idt_A"] = l1(images["idt_A"], images["real_B"]) * config.lambda_B * config.lambda_identity
            losses["idt_B"] = l1(images["idt_B"], images["real_A"]) * config.lambda_A * config.lambda_identity
        if self.perceptual is not None:
            there = self.perceptual(images["rec_A"], images["real_A"])
            back = self.perceptual(images["rec_B"], images["real_B"])
            losses["G_perceptual"] = (there + back) * config.lambda_perceptual
        losses |= self.extras(images)
        return torch.stack(list(losses.values())).sum(), losses

    def _cycle(self, images: Images, domain: str) -> Tensor:
        """‖rec − real‖₁, inside of the mask times `cycle_inside` where there are masks."""
        real, rec = images[f"real_{domain}"], images[f"rec_{domain}"]
        if self.config.cycle_inside == 1 or f"soft_{domain}" not in images:
            return l1(rec, real)
        weight = 1 - (1 - self.config.cycle_inside) * images[f"soft_{domain}"]
        return l1(rec * weight, real * weight)

    def _discriminators(self, images: Images) -> Losses:
        losses = {}
        for name, discriminators, domain in (("D_A", self.D_A, "B"), ("D_B", self.D_B, "A")):
            real, fake = View(images[f"real_{domain}"], images.get(f"soft_{domain}")), _fake(images, domain)
            losses[name] = sum(discriminators.losses(real, fake), real.image.new_zeros(())) * 0.5
            for penalty, value in discriminators.penalties(real, fake).items():
                losses[f"{name}_{penalty}"] = value
        return torch.stack(list(losses.values())).sum(), losses

    @staticmethod
    def sheet(generators: Mapping[Direction, nn.Module], batch: Images) -> list[tuple[Tensor, ...]]:
        """Rows of a sheet of samples: real_A, fake_B, rec_A and real_B, fake_A, rec_B."""
        there, back = generators["a2b"], generators["b2a"]
        fake_B, fake_A = there(batch["A"]), back(batch["B"])
        return [(batch["A"], fake_B, back(fake_B)), (batch["B"], fake_A, there(fake_A))]


def _fake(images: Images, domain: str) -> View:
    """The translation into a domain, with the mask and the image that it was made from where there are masks."""
    return View(images[f"fake_{domain}"], images.get(f"soft_of_fake_{domain}"), images.get(f"behind_fake_{domain}"))
