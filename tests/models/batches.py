"""Models and batches that the tests of models share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import tests.tiny_features  # noqa: F401 - registers `tiny`
from tests.conftest import TINY_GENERATOR
from translate.config import TrainConfig
from translate.models import build_model

PATCH: dict[str, Any] = {"width": 4, "layers": 1}
TINY: dict[str, Any] = {"generator": TINY_GENERATOR | {"dropout": False}, "discriminator": PATCH}
ALL_MODELS = ("pix2pix", "cyclegan", "cut", "fastcut")


def make(name: str, **settings: Any) -> Any:
    """A model with small networks and the same weights every time."""
    tree = TINY | {"name": name} | settings
    if "discriminators" in settings:
        tree = {key: value for key, value in tree.items() if key != "discriminator"}
    config = TrainConfig.build({"model": tree}).model
    torch.manual_seed(0)
    return build_model(config)


def masked_batch(count: int = 2) -> dict[str, Tensor]:
    """{"A", "B"} of (N, 3, 32, 32), and masks of a rectangle in each."""
    generator = torch.Generator().manual_seed(1)
    batch = {name: torch.rand(count, 3, 32, 32, generator=generator) * 2 - 1 for name in "AB"}
    for place, name in enumerate("AB"):
        batch[f"mask_{name}"] = torch.zeros(count, 1, 32, 32)
        for number in range(count):
            batch[f"mask_{name}"][number, :, 4 + 3 * number : 18, 6 : 16 + 4 * place] = 1
    return batch
