"""`config.json` of a checkpoint folder: all that is needed to use the weights beside it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from translate.networks import AnyGenerator
from translate.settings import Direction, Settings

SMALLEST_BEST_SIZE = 512
"""Pixels: smaller results look poor on a screen, and generators trained on crops work at this size too."""
FORMAT_VERSION = 1
"""Version of the checkpoint folder's format; a reader refuses a newer one."""

Colour = Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$"), BeforeValidator(lambda text: str(text).lower())]


class DrawingConfig(Settings):
    """How to draw what a checkpoint reads, where that is a drawing: the studio's Draw tab offers just these colours.

    As YAML: `drawing: {background: "#ffffff", palette: {line: "#000000"}}`; one colour is drawn with a pen, several are
    the labels of areas. It describes the input of a2b.
    """

    background: Colour = Field(description="#rrggbb of the empty sheet")
    palette: dict[str, Colour] = Field(description="#rrggbb of each colour that has a meaning, by its name")

    @model_validator(mode="after")
    def _something_shows(self) -> Self:
        if not set(self.palette.values()) - {self.background}:
            raise ValueError("palette: a colour other than the background is needed")
        return self


class Provenance(Settings):
    """Where a checkpoint's weights come from."""

    dataset: str = Field("", description="name of the data set")
    license: str = Field("", description="licence of the data")
    model: str = Field("", description="name of the model, or what it was imported from")
    start: str = Field("", description="the checkpoint whose generators training began with")
    teacher: str = Field("", description="the checkpoint that it learned to imitate")
    teacher_digest: str = Field("", description="SHA-256 of the weights of that generator")
    features: list[str] = Field(
        default_factory=list,
        description="frozen feature networks that it, its start or its teacher was trained against; they may not judge",
    )
    steps: int = Field(0, description="updates of the weights")
    epochs: float = Field(0.0, description="passes over the data")
    batch_size: int = Field(0, description="images a step")
    seed: int | None = Field(None, description="seed of the run")
    seconds: float = Field(0.0, description="time spent training")
    machine: str = Field("", description="processor or GPU it was trained on")
    commit: str = Field("", description="commit of this project, where it was a checkout")
    version: str = Field("", description="version of this project")
    created: str = Field("", description="ISO 8601 date and time, UTC")


class SideConfig(Settings):
    """What the images of a domain are like, as learned from the data that a checkpoint was trained on."""

    channels: int = Field(ge=1, description="channels of the images")
    depth: Literal[8, 16, "float"] = Field(description="bits a channel, or float for floating-point numbers")
    range: tuple[float, float] = Field(description="levels in the files that are the networks' -1 and 1")


class CheckpointConfig(Settings):
    """`config.json` of a checkpoint folder: all that is needed to use the weights beside it. No flag repeats it."""

    format_version: int = Field(FORMAT_VERSION, description="version of this format")
    name: str = Field(description="short name, as in `translate run NAME`")
    title: str = Field("", description="what people see")
    summary: str = Field("", description="one line on what it does")
    limits: str = Field("", description="one line on what it cannot do")
    domains: dict[Literal["a", "b"], str] = Field(
        description="names of the domains: what a2b reads is a, what it makes is b"
    )
    generators: dict[Direction, AnyGenerator] = Field(description="architecture for each direction with weights")
    image_size: int = Field(256, description="pixels of the squares it was trained on")
    working_size: int | None = Field(
        None,
        ge=32,
        description="pixels of the longer side at which it works best; not given: twice image_size, at least 512",
    )
    value_range: tuple[float, float] = Field(
        (-1.0, 1.0), description="range of the pixel values the networks read and make"
    )
    sides: dict[Literal["a", "b"], SideConfig] = Field(
        default_factory=dict,
        description="what the images of each domain are like; without, results have the depth of what is translated",
    )
    statistics: Literal["running", "image"] = Field(
        "running",
        description="batch norm: running averages, or the image's own statistics (Isola et al. 2017, §3.3)",
    )
    examples: list[str] = Field(default_factory=list, description="files in the folder to try it on, for the studio")
    drawing: DrawingConfig | None = Field(
        None, description="colours to draw with, where a2b reads drawings, for the studio"
    )
    metrics: dict[str, Any] = Field(
        default_factory=dict, description="as `translate evaluate` gives them, by direction"
    )
    provenance: Provenance = Field(default_factory=Provenance)

    @property
    def best_size(self) -> int:
        """Pixels of the longer side that large pictures are reduced to."""
        return self.working_size or max(SMALLEST_BEST_SIZE, 2 * self.image_size)

    @model_validator(mode="after")
    def _has_a_generator(self) -> Self:
        if not self.generators:
            raise ValueError("generators: at least one direction is needed")
        if set(self.domains) != {"a", "b"}:
            raise ValueError("domains: names for a and b are needed")
        return self

    def ends(self, direction: str) -> tuple[str, str]:
        """Names of the domains a direction leads from and to."""
        return (self.domains["a"], self.domains["b"]) if direction == "a2b" else (self.domains["b"], self.domains["a"])
