"""A model, a generator and a discriminator that only the tests know, registered as a plug-in registers them.

    TRANSLATE_PLUGINS=tests.toys translate train whisper …

Nothing under translate/ knows anything about them, and they are unlike what is there: the model has players, networks
and losses of other names and number, the generator describes no layers and has neither width nor norm, and neither has
the discriminator. `toys_registered` in tests/conftest.py registers them for one test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from translate.models import MODELS, LossTerm, Model, ModelConfig, Player, Rivalry
from translate.models.discriminators import Discriminators, View
from translate.networks import DISCRIMINATORS, GENERATORS, DiscriminatorConfig, GeneratorConfig, build_generator
from translate.networks.generator import Generator
from translate.settings import Direction


class TintConfig(GeneratorConfig):
    """A generator that gives every pixel another colour."""

    architecture: Literal["tint"] = "tint"
    tones: int = Field(6, ge=1, description="colours that it mixes")
    contrast: float = Field(1.0, gt=0, description="factor of what goes into the tanh")


class TintGenerator(Generator):
    """Two 1×1 convolutions with a sine between them. It describes no layers."""

    Config = TintConfig
    multiple = 1

    def __init__(self, config: TintConfig) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.contrast = config.in_channels, config.out_channels, config.contrast
        self.mix = nn.Conv2d(config.in_channels, config.tones, 1)
        self.paint = nn.Conv2d(config.tones, config.out_channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        return torch.tanh(self.contrast * self.paint(torch.sin(self.mix(image))))


class GlanceConfig(DiscriminatorConfig):
    """A discriminator that looks at the whole image once."""

    kind: Literal["glance"] = "glance"
    cells: int = Field(2, ge=1, description="rows and columns of the averages that it sees")


class GlanceDiscriminator(nn.Module):
    """A linear layer on averages of the image."""

    Config = GlanceConfig

    def __init__(self, config: GlanceConfig, in_channels: int) -> None:
        super().__init__()
        self.cells = config.cells
        self.verdict = nn.Linear(in_channels * config.cells**2, 1)

    def forward(self, image: Tensor) -> Tensor:
        seen = nn.functional.adaptive_avg_pool2d(image, self.cells)
        verdict: Tensor = self.verdict(seen.flatten(1))
        return verdict[..., None, None]


class WhisperConfig(ModelConfig):
    """A translation from which a third network can guess the input's colour."""

    name: Literal["whisper"] = "whisper"
    loudness: float = Field(2.0, ge=0, description="weight of what the ear has to guess")


class Whisper(Model):
    """A mouth that translates, judges of its translations, and an ear that guesses the input's average colour."""

    Config = WhisperConfig
    title = "Whisper"
    needs = "hearsay"
    paired = False
    sheet_columns = ("said", "understood")
    citation = "@misc{whisper, title = {A Toy}, year = {2026}}"

    def __init__(self, config: WhisperConfig, merge: bool = True) -> None:
        super().__init__()
        self.config = config
        self.mouth = build_generator(config.generator)
        self.ear = nn.Linear(config.generator.out_channels, config.generator.in_channels)
        self.judges = Discriminators(config, config.generator.out_channels, merge)

    @classmethod
    def terms(cls, config: WhisperConfig) -> list[LossTerm]:
        return [
            LossTerm("applause", "The judges, on {B}", "Judges"),
            LossTerm("boos", "The judges, on translations", "Judges"),
            LossTerm("guess", "The ear's guess", "Hearing", better="low"),
            LossTerm("charm", "The mouth, before the judges", "Speaking"),
            LossTerm("mumble", "What the ear cannot understand of {A}", "Speaking", better="low"),
        ]

    @classmethod
    def rivalries(cls, config: WhisperConfig) -> list[Rivalry]:
        return [Rivalry("The jury", "the mouth", ("applause", "boos"), "charm")]

    @property
    def players(self) -> Sequence[Player]:
        return (
            Player("jury", {"judges": self.judges}, discriminates=True),
            Player("listener", {"ear": self.ear}, discriminates=True),
            Player("speaker", {"mouth": self.mouth}),
        )

    @property
    def generators(self) -> dict[Direction, nn.Module]:
        return {"a2b": self.mouth}

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {"said": batch["A"], "wanted": batch["B"], "heard": self.mouth(batch["A"])}

    def losses(self, player: str, images: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        heard, said = images["heard"], images["said"].mean((2, 3))
        if player == "jury":
            applause, boos = self.judges.losses(View(images["wanted"]), View(heard))
            return applause + boos, {"applause": applause, "boos": boos}
        if player == "listener":
            guess = (self.ear(heard.detach().mean((2, 3))) - said).square().mean()
            return guess, {"guess": guess}
        charm = self.judges.generator_loss(View(heard))
        mumble = self.config.loudness * (self.ear(heard.mean((2, 3))) - said).square().mean()
        return charm + mumble, {"charm": charm, "mumble": mumble}

    @staticmethod
    def sheet(generators: Mapping[Direction, nn.Module], batch: Mapping[str, Tensor]) -> list[tuple[Tensor, ...]]:
        return [(batch["A"], generators["a2b"](batch["A"]))]


LOSSES = ("applause", "boos", "guess", "charm", "mumble", "G_total")
TOYS: dict[str, Any] = {
    "name": "whisper",
    "generator": {"architecture": "tint", "tones": 5},
    "discriminators": [{"kind": "glance", "cells": 3}],
}
"""Settings of a model of toys alone."""

MODELS.register("whisper", Whisper)
GENERATORS.register("tint", TintGenerator)
DISCRIMINATORS.register("glance", GlanceDiscriminator)
