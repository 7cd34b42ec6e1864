"""The settings of tracking."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from pydantic import Field

from translate.settings import Settings


class TrackingConfig(Settings):
    """Weights & Biases. A local history.jsonl is written in every mode."""

    mode: Literal["auto", "online", "offline", "disabled"] = Field(
        "auto",
        description="auto: online where a W&B account is logged in, else offline; disabled where wandb is missing",
    )
    project: str = Field("translate", description="W&B project")
    entity: str | None = Field(None, description="W&B team or user")
    group: str | None = Field(None, description="W&B group")
    tags: list[str] = Field(default_factory=list, description="W&B tags")
    artifacts: bool | None = Field(
        None,
        description="keep every checkpoint as a version of a W&B artifact; not given: where online, "
        "as offline each would be on this disk twice",
    )
    gradients: bool = Field(False, description="log the norm of each network's gradients")


class TrackedSettings(Protocol):
    """What a tracker needs of a run's settings (`translate.config.TrainConfig`)."""

    name: str
    tracking: TrackingConfig

    def dump(self) -> dict[str, Any]:
        """All settings as plain nested data."""
        ...
