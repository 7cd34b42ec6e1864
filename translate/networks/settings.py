"""What the settings of all generators and of all discriminators have in common; each network's own stand beside it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from translate.losses.adversarial import Objective
from translate.settings import Settings

Norm = Literal["batch", "instance", "none", "sync_batch"]
Init = Literal["normal", "xavier", "kaiming", "orthogonal"]
Padding = Literal["reflect", "replicate", "zeros"]

log = logging.getLogger(__name__)


class GeneratorConfig(Settings):
    """A generator: maps an image in [-1, 1] to an image of the same size in [-1, 1]."""

    architecture: str = Field(description="name of the generator, e.g. resnet or unet")
    in_channels: int = Field(3, ge=1, description="channels of the images it reads")
    out_channels: int = Field(3, ge=1, description="channels of the images it makes")
    init: Init = Field("normal", description="initialisation of the weights")
    init_gain: float = Field(0.02, gt=0, description="standard deviation (normal) or gain of the initialisation")

    if TYPE_CHECKING:  # the fields of a registered class are known to that class alone

        def __getattr__(self, name: str) -> Any: ...

    strangers: ClassVar[dict[str, Any]] = {}
    """Fields of other generators, with their defaults: files of format version 1 list them for every generator.

    They are dropped, with a warning where the value is another one. A flag that is switched on is an error, like every
    unknown name.
    """

    @property
    def multiple(self) -> int:
        """Height and width of the input must be multiples of this many pixels."""
        return 1

    @property
    def separates_images(self) -> bool:
        """Whether an image's result is independent of the other images of a batch and of its place in the batch."""
        return False

    @property
    def has_batch_norm(self) -> bool:
        """Whether running averages of batch norm are among its weights."""
        return False

    def describe(self) -> str:
        """The network in a few words for people, e.g. «ResNet with 9 blocks, instance norm»."""
        return self.architecture

    @model_validator(mode="before")
    @classmethod
    def _drop_strangers(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        kept = dict(given)
        if kept.get("attention") is True:
            raise ValueError(
                "attention is no longer supported; a generator with residual: true keeps its input's colours"
            )
        for name, default in cls.strangers.items():
            if name in kept and kept[name] is not True:
                value = kept.pop(name)
                if value != default:
                    log.warning("The setting generator.%s: %s means nothing to this generator.", name, value)
        return kept


class DiscriminatorConfig(Settings):
    """A discriminator: tells real images from translated ones.

    A model has a list of them, and their losses are summed by `weight`.
    """

    penalised: ClassVar[bool] = True
    """Whether penalties of gradients (gradient penalty, R1) are of its gradients too."""
    conditional: ClassVar[bool] = True
    """Whether it sees the input beside the image where the model shows that, as pix2pix does."""

    kind: str = Field(description="name of the discriminator, e.g. patch or pixel")
    weight: float = Field(1.0, gt=0, description="of its part in the generators' loss, where there are several")
    objective: Objective | None = Field(None, description="its own adversarial objective; not given: the model's")
    sees: Literal["image", "composite", "object"] = Field(
        "image",
        description="what it judges where there are masks: the whole image; the translated object in front of the "
        "unchanged background; or the object alone on grey",
    )

    if TYPE_CHECKING:  # the fields of a registered class are known to that class alone

        def __getattr__(self, name: str) -> Any: ...

    @property
    def separates_images(self) -> bool:
        """Whether an image's result is independent of the other images of a batch and of its place in the batch."""
        return False


class ConvolutionalDiscriminatorConfig(DiscriminatorConfig):
    """What the discriminators made of plain convolutions have in common."""

    width: int = Field(64, ge=1, description="filters of the first convolution (the reference's ndf)")
    norm: Norm = Field("instance", description="normalisation")
    spectral_norm: bool = Field(False, description="spectral normalisation of every convolution (Miyato 2018)")
    init: Init = Field("normal", description="initialisation of the weights")
    init_gain: float = Field(0.02, gt=0, description="standard deviation (normal) or gain of the initialisation")

    @property
    def separates_images(self) -> bool:
        """Batch norm mixes images, and spectral norm iterates once a pass; instance norm works image by image."""
        return self.norm in ("instance", "none") and not self.spectral_norm


class ConvolutionalGeneratorConfig(GeneratorConfig):
    """What the ResNet and the U-Net have in common."""

    width: int = Field(64, ge=1, description="filters of the first convolution (the reference's ngf)")
    norm: Norm = Field("instance", description="normalisation; sync_batch is batch over all processes")
    bias: bool | None = Field(
        None, description="biases before norms; if not given as in the published weights: with instance norm only"
    )
    upsample: Literal["transposed", "resize"] = Field(
        "transposed",
        description="transposed convolution, or nearest-neighbour resize and convolution (no checkerboard)",
    )
    spectral_norm: bool = Field(False, description="spectral normalisation of every convolution (Miyato 2018)")
    dropout: bool = Field(False, description="dropout 0.5: in every ResNet block, in the U-Net's inner levels")

    @property
    def separates_images(self) -> bool:
        """Batch norm mixes images, dropout draws its noise by position, and spectral norm iterates once a pass."""
        return self.norm in ("instance", "none") and not self.dropout and not self.spectral_norm

    @property
    def has_batch_norm(self) -> bool:
        """Whether running averages of batch norm are among its weights."""
        return self.norm in ("batch", "sync_batch")

    @property
    def norm_in_words(self) -> str:
        """«instance norm», «no norm»."""
        return f"{'no' if self.norm == 'none' else self.norm.replace('_', ' ')} norm"
