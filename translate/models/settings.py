"""What the settings of all models have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from translate.losses import Objective, StyleStatistics
from translate.networks import BY_KIND, AnyDiscriminator, AnyGenerator, DiscriminatorConfig
from translate.networks.diff_augment import Augmentation
from translate.networks.patchgan import PatchConfig
from translate.networks.resnet import ResNetConfig
from translate.settings import Settings


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

    if TYPE_CHECKING:  # the fields of a registered model are known to that model alone

        def __getattr__(self, name: str) -> Any: ...

    reconstructs: ClassVar[bool] = True
    """Whether the model has a reconstruction that the perceptual loss could compare with its original."""

    discriminator_defaults: ClassVar[dict[str, Any]] = {}
    """Settings of each discriminator that has them, where they are not given."""

    @model_validator(mode="after")
    def _perceptual_loss_has_something_to_compare(self) -> Self:
        if self.lambda_perceptual and not self.reconstructs:
            raise ValueError("lambda_perceptual compares reconstructions, and this model has none; use lambda_content")
        return self

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
