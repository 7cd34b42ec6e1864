"""Distillation: a compact generator learns from the translations of a large one.

    L = λ_GAN L_GAN(S, D) + λ_pixel ‖S(x) − T(x)‖₁ + λ_feature L_content(S(x), T(x))

S is the student, T the frozen teacher. After Ren, Wu, Xiao, Yang: Online Multi-Granularity Distillation for GAN
Compression, ICCV 2021, https://arxiv.org/abs/2108.06908, whose student learns from its teacher's outputs by pixels and
by perceptual features as well. There the teacher is trained in the same run, and intermediate layers are compared;
here it is a finished checkpoint of any architecture, and the student also plays against discriminators that see real
pictures of the target domain, as in GAN Compression (Li et al. 2020, eq. 4, https://arxiv.org/abs/2003.08936). A step
updates D, then S.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from translate.errors import UserError
from translate.features import load_features
from translate.losses import composite, content_loss, l1
from translate.models.discriminators import Discriminators, View, one_sided_terms
from translate.models.extras import PERCEPTUAL_NETWORK, ExtraTerms, extra_terms, soft_masks
from translate.models.model import Model, Player, Rivalry
from translate.models.settings import ModelConfig
from translate.models.teachers import load_teacher
from translate.models.terms import Images, Losses, LossTerm
from translate.networks import build_generator
from translate.settings import Direction

WAYS = (("A", "B"),)
"""The one translation that is trained."""


class DistillationConfig(ModelConfig):
    """Distillation: a compact generator imitates a checkpoint (after Ren et al. 2021, https://arxiv.org/abs/2108.06908).

    The student reads the data's domain A. To learn from the b2a of a teacher, set `data.direction` to b2a as well.
    """

    reconstructs: ClassVar[bool] = False

    name: Literal["distillation"] = "distillation"
    teacher: str = Field("", description="name or folder of the checkpoint that is imitated")
    direction: Direction = Field("a2b", description="which of the teacher's generators is imitated")
    lambda_GAN: float = Field(1.0, ge=0, description="weight of the adversarial loss")
    lambda_pixel: float = Field(10.0, ge=0, description="weight of the L1 distance to the teacher's output")
    lambda_feature: float = Field(
        0.0, ge=0, description="weight of the content loss between the student's and the teacher's outputs; 0 is off"
    )
    feature_network: str = Field("vgg16", description="feature network of that loss")
    feature_strides: list[int] = Field(
        default_factory=lambda: [4], min_length=1, description="strides of its feature maps, in pixels"
    )
    teacher_inside: bool = Field(
        False,
        description="where there are masks: imitate the teacher inside of them and leave the picture as it is outside",
    )

    @model_validator(mode="after")
    def _composite_needs_like_channels(self) -> Self:
        if self.teacher_inside and self.generator.in_channels != self.generator.out_channels:
            raise ValueError("teacher_inside needs as many channels in A as in B")
        return self


class Distillation(Model):
    """The student G: A → B, its discriminators D, and the frozen teacher."""

    Config = DistillationConfig
    title = "Distillation"
    imitates = True
    needs = "unpaired images and a checkpoint to imitate"
    paired = False
    needs_teacher = True
    sheet_columns = ("input", "translation")
    citation = """@inproceedings{ren2021online,
  title     = {Online Multi-Granularity Distillation for GAN Compression},
  author    = {Ren, Yuxi and Wu, Jie and Xiao, Xuefeng and Yang, Jianchao},
  booktitle = {IEEE/CVF International Conference on Computer Vision (ICCV)},
  year      = {2021}
}"""

    def __init__(self, config: DistillationConfig, merge: bool = True) -> None:
        super().__init__()
        self.config = config
        self.G = build_generator(config.generator)
        self.D = Discriminators(config, config.generator.out_channels, merge)
        self.teacher = load_teacher(config.teacher, config.direction)
        weights = config.perceptual_weights if config.feature_network == PERCEPTUAL_NETWORK else None
        self.imitated = load_features(config.feature_network, weights) if config.lambda_feature else None
        self.extras = ExtraTerms(config, WAYS)

    @classmethod
    def terms(cls, config: DistillationConfig) -> list[LossTerm]:
        """D_real, D_fake and their penalties; G_GAN, G_pixel and, where asked for, G_feature."""
        group = "Distance to the teacher"
        feature = LossTerm("G_feature", f"Distance to the teacher ({config.feature_network})", group, better="low")
        return [
            *one_sided_terms(config),
            LossTerm("G_GAN", "Generator, adversarial loss", "Generators"),
            LossTerm("G_pixel", "Distance to the teacher (L1)", group, better="low"),
            *([feature] if config.lambda_feature else []),
            *extra_terms(config, WAYS),
        ]

    @classmethod
    def rivalries(cls, config: DistillationConfig) -> list[Rivalry]:
        """The discriminator plays against the student."""
        return [Rivalry("The discriminator", "the student", ("D_real", "D_fake"), "G_GAN")]

    @classmethod
    def features(cls, config: DistillationConfig) -> list[str]:
        """With the network that compares the outputs."""
        own = [config.feature_network] if config.lambda_feature else []
        return list(dict.fromkeys([*super().features(config), *own]))

    @classmethod
    def teachers(cls, config: DistillationConfig) -> list[tuple[str, Direction]]:
        """The checkpoint that is imitated."""
        return [(config.teacher, config.direction)]

    @property
    def players(self) -> Sequence[Player]:
        """D first, then G."""
        return (
            Player("discriminators", {"D": self.D}, discriminates=True),
            Player("generators", {"G": self.G}),
        )

    @property
    def generators(self) -> dict[Direction, nn.Module]:
        """The student, whichever way of the teacher it learns."""
        return {"a2b": self.G}

    def forward(self, batch: Images) -> dict[str, Tensor]:
        """Translate A by the student and by the teacher."""
        A = batch["A"]
        images = {"real_A": A, "real_B": batch["B"], "fake_B": self.G(A)} | soft_masks(batch)
        taught = self.teacher(A)
        if taught.shape != images["fake_B"].shape:
            raise UserError(
                f"The teacher {self.config.teacher} makes images of {taught.shape[1]} channels, {taught.shape[2]}×"
                f"{taught.shape[3]} pixels, where the student makes {tuple(images['fake_B'].shape[1:])}; set "
                "model.generator and data.crop_size to suit both."
            )
        if self.config.teacher_inside and "soft_A" in images:
            taught = composite(taught, A, images["soft_A"])
        return images | {"taught_B": taught}

    def losses(self, player: str, images: Images) -> Losses:
        """What D or G minimises, and its named parts."""
        real = View(images["real_B"], images.get("soft_B"))
        fake = View(images["fake_B"], images.get("soft_A"), behind=images["real_A"])
        return self._generator(images, fake) if player == "generators" else self.D.total(real, fake)

    def _generator(self, images: Images, fake: View) -> Losses:
        config, made, taught = self.config, images["fake_B"], images["taught_B"]
        losses = {
            "G_GAN": self.D.generator_loss(fake) * config.lambda_GAN,
            "G_pixel": l1(made, taught) * config.lambda_pixel,
        }
        if self.imitated is not None:
            distance = content_loss(self.imitated, made, taught, config.feature_strides)
            losses["G_feature"] = distance * config.lambda_feature
        losses |= self.extras(images)
        return torch.stack(list(losses.values())).sum(), losses

    @staticmethod
    def sheet(generators: Mapping[Direction, nn.Module], batch: Images) -> list[tuple[Tensor, ...]]:
        """Rows of a sheet of samples: real_A, fake_B."""
        return [(batch["A"], generators["a2b"](batch["A"]))]
