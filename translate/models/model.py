"""What a model is: a class that knows all facts about itself, so that nothing else needs to know it by name.

A model's file (`pix2pix.py`, `cyclegan.py`) holds its settings and a subclass of `Model`. The trainer, the saved state,
checkpoints, model cards, reports, the command line and the studio ask the class; docs/architecture.md says how to add
one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from translate.models.extras import extra_features
from translate.models.settings import ModelConfig
from translate.models.terms import Images, Losses, LossTerm
from translate.networks import GeneratorConfig
from translate.settings import Direction


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
    for_unequal_channels: ClassVar[Mapping[str, Any]] = {}
    """Settings that must be given where A and B have different numbers of channels, e.g. {"model.lambda_x": 0}."""
    imitates: ClassVar[bool] = False
    """Whether it learns from the translations of a checkpoint, its teacher."""
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
