"""What losses are made of, and what is said of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

Images = Mapping[str, Tensor]
"""Images by the field's names (real_A, fake_B, rec_A, …), (N, C, H, W) in [-1, 1]; masks (N, 1, H, W) in [0, 1]."""
Losses = tuple[Tensor, dict[str, Tensor]]
"""What a player minimises, and its named parts."""


@dataclass(frozen=True)
class LossTerm:
    """A named loss, for those who draw, list or compare losses.

    Attributes:
        name: as in history.jsonl, e.g. cycle_A.
        label: for people; may hold {A} and {B}, the names of the domains.
        group: the figure that it is drawn in.
        better: "low" where a lower value means a better model; None where it hovers, as adversarial losses do.
        weighted: whether the value is multiplied by the weight in the settings.
    """

    name: str
    label: str
    group: str
    better: Literal["low"] | None = None
    weighted: bool = True
