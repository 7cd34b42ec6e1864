"""What a model is: a class that knows all facts about itself, so that nothing else needs to know it by name.

A model's file (`pix2pix.py`, `cyclegan.py`) holds its settings and a subclass of `Model`. The trainer, the saved state,
checkpoints, model cards, reports, the command line and the studio ask the class; docs/architecture.md says how to add
one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from translate.losses import Objective, StyleStatistics
from translate.models.extras import extra_features
from translate.models.terms import Images, Losses, LossTerm
from translate.networks import (
    BY_KIND,
    AnyDiscriminator,
    AnyGenerator,
    DiscriminatorConfig,
    GeneratorConfig,
)
from translate.networks.diff_augment import Augmentation
from translate.networks.patchgan import PatchConfig
from translate.networks.resnet import ResNetConfig
from translate.settings import Direction, Settings


@dataclass(frozen=True)
class Player:
    """Networks that are updated together, by one backward pass and one optimiser.

    Attributes:
        name: e.g. "generators"; part of the names of the optimiser's state.
        networks: the networks by the field's names, e.g. G_A; each is an attribute of the model with that name.
        discriminates: its networks judge: they learn at the discriminators' rate, and get no gradient while others do.
    """

    name: str
    networks: Mapping[str, nn.Module]
    discriminates: bool = False


@dataclass(frozen=True)
class Rivalry:
    """A discriminator and the generator whose translations it judges, for the warning that one has won.

    Attributes:
        discriminator, generator: what people call them.
        judged: the discriminator's losses; their mean counts.
        played: the generator's adversarial loss.
    """

    discriminator: str
    generator: str
    judged: tuple[str, ...]
    played: str


@dataclass(frozen=True)
class Published:
    """Weights of this model that its authors published: one generator a file.

    Attributes:
        folder: below the authors' server.
        files: file name without .pth → (what the generator reads, what it makes, the data set).
    """

    folder: str
    files: Mapping[str, tuple[str, str, str]]


def _one_patchgan() -> list[DiscriminatorConfig]:
    return [PatchConfig()]


class ModelConfig(Settings):
    """What the settings of all models have in common."""

    name: str = Field("", description="name of the model")
    generator: AnyGenerator = Field(
        default_factory=ResNetConfig, description="the generator, the same for each direction"
    )
    discriminators: list[AnyDiscriminator] = Field(
        default_factory=_one_patchgan,
        min_length=1,
        description="the discriminators of each domain; --model.discriminator.NAME is a setting of the first",
    )
    objective: Objective = Field("lsgan", description="adversarial objective")
    lambda_gp: float = Field(10.0, ge=0, description="wgan_gp: weight of the gradient penalty")
    lambda_r1: float = Field(0.0, ge=0, description="weight of the R1 penalty (Mescheder 2018); 0 is off")
    lambda_perceptual: float = Field(0.0, ge=0, description="weight of the perceptual (VGG-16) loss; 0 is off")
    perceptual_weights: Path | None = Field(
        None, description="file of VGG-16 weights; torchvision's are downloaded if none"
    )

    lambda_outside: float = Field(
        0.0, ge=0, description="where there are masks: weight of the L1 change outside of them; 0 is off"
    )
    lambda_content: float = Field(0.0, ge=0, description="weight of the content loss between input and translation")
    content_features: str = Field("vgg16", description="feature network of the content loss")
    lambda_style: float = Field(0.0, ge=0, description="weight of the style loss against the target domain's pictures")
    style_features: str = Field("vgg16", description="feature network of the style loss")
    style_strides: list[int] = Field(
        default_factory=lambda: [1, 2, 4, 8], min_length=1, description="strides of its feature maps, in pixels"
    )
    style_statistics: StyleStatistics = Field(
        "moments", description="gram: Gram matrices (Gatys 2016); moments: means and deviations (Huang 2017)"
    )
    style_of: tuple[Literal["A", "B"], ...] = Field(
        ("A", "B"), description="domains whose style translations are to have"
    )
    diff_augment: list[Augmentation] = Field(
        default_factory=list,
        description="DiffAugment of what discriminators see (Zhao 2020), for few images: [color, translation, cutout]",
    )

    discriminator_defaults: ClassVar[dict[str, Any]] = {}
    """Settings of each discriminator that has them, where they are not given."""

    @model_validator(mode="before")
    @classmethod
    def _list_discriminators(cls, given: Any) -> Any:
        """Take `discriminator: {…}`, the spelling for one, as the first of the list."""
        if not isinstance(given, dict):
            return given
        filled = dict(given)
        listed = filled.get("discriminators") or [{}]
        first = filled.pop("discriminator", None)
        if not isinstance(listed, Sequence) or not isinstance(first, Mapping | None):
            return given  # pydantic says what is wrong with it
        described = [one if isinstance(one, Mapping) else one.model_dump(mode="python") for one in listed]
        described[0] = {**described[0], **_today(first or {})}
        filled["discriminators"] = [BY_KIND.fill(one, cls.discriminator_defaults) for one in described]
        return filled


def _today(discriminator: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a discriminator as files of format version 1 have them: `architecture` is called `kind` now."""
    renamed = dict(discriminator)
    if "architecture" in renamed:
        renamed["kind"] = renamed.pop("architecture")
    return renamed


class Model(nn.Module):
    """Networks, and the losses that they play for. A model knows no files, devices or optimisers.

    Every subclass is made from its settings and `merge`: whether several batches may share a pass through a network
    where that gives the same result.
    """

    Config: ClassVar[type[ModelConfig]]
    """Its settings; their field `name` holds the name that it is registered by."""
    title: ClassVar[str]
    """What people call it, e.g. CycleGAN."""
    needs: ClassVar[str]
    """What it learns from, e.g. «unpaired images»."""
    paired: ClassVar[bool]
    """Whether A and B of a batch must show the same thing."""
    citation: ClassVar[str]
    """The paper, as BibTeX."""
    enough_images: ClassVar[int] = 200
    """Images of each domain below which a report on the data says that they are few."""
    changes_input: ClassVar[bool] = True
    """Whether an output that equals its input, or its negative, is a failure; with paired images it may be right."""
    needs_teacher: ClassVar[bool] = False
    """Whether it also needs a checkpoint to learn from, so that pictures alone are not enough."""
    sheet_columns: ClassVar[tuple[str, ...]]
    """What the columns of a sheet of samples show, for people."""
    published: ClassVar[Published | None] = None
    """Weights that its authors published."""

    @classmethod
    def directions(cls, config: Any) -> dict[Direction, GeneratorConfig]:
        """The settings of the generator of each direction that is trained."""
        return {"a2b": config.generator}

    @classmethod
    def terms(cls, config: Any) -> list[LossTerm]:
        """The losses that these settings give, in the order in which they are logged."""
        raise NotImplementedError

    @classmethod
    def rivalries(cls, config: Any) -> list[Rivalry]:
        """Which discriminators play against which generators, for warnings."""
        raise NotImplementedError

    @classmethod
    def features(cls, config: Any) -> list[str]:
        """Names of the frozen feature networks that these settings train against; they may not judge the result."""
        frozen = [name for one in config.discriminators if (name := getattr(one, "features", None))]
        perceptual = ["vgg16"] if config.lambda_perceptual else []
        return list(dict.fromkeys([*frozen, *perceptual, *extra_features(config)]))

    @classmethod
    def teachers(cls, config: Any) -> list[tuple[str, Direction]]:
        """(name or folder, direction) of the checkpoints that these settings imitate; none by default."""
        return []

    @property
    def players(self) -> Sequence[Player]:
        """Who is updated in a step, in this order."""
        raise NotImplementedError

    @property
    def generators(self) -> dict[Direction, nn.Module]:
        """The generator of each direction: what is averaged, saved and used."""
        raise NotImplementedError

    def pooled(self, images: Images) -> dict[str, tuple[str, ...]]:
        """Pools of past translations that the discriminators see (Shrivastava et al. 2017, section 2.3).

        Returns:
            name of the pool → names of the images that it keeps together; none by default.
        """
        return {}

    def forward(self, batch: Images) -> dict[str, Tensor]:
        """Translate a batch {"A", "B"}, with masks {"mask_A", "mask_B"} where there are any.

        Returns the images that the losses are made of.
        """
        raise NotImplementedError

    def losses(self, player: str, images: Images) -> Losses:
        """What a player minimises. The discriminators' images have gone through the pools."""
        raise NotImplementedError

    @staticmethod
    def sheet(generators: Mapping[Direction, nn.Module], batch: Images) -> list[tuple[Tensor, ...]]:
        """Rows of a sheet of samples: input and translation first, one direction after the other."""
        raise NotImplementedError
