"""Models: which networks, which losses, in which order. One file a model, readable next to its paper.

A model turns a batch into named losses and says everything that the rest of the project needs to know about it.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from translate.models.model import Model, Player, Rivalry
from translate.models.settings import ModelConfig
from translate.models.terms import LossTerm
from translate.registry import Registry
from translate.settings import ChosenByName

__all__ = [
    "DEFAULT_MODEL",
    "MODELS",
    "AnyModel",
    "LossTerm",
    "Model",
    "ModelConfig",
    "Player",
    "Rivalry",
    "build_model",
    "imitating_model",
    "model_class",
    "model_names",
    "model_terms",
    "named_model",
    "suggest_model",
]

DEFAULT_MODEL = "cyclegan"
"""The model of settings that name none."""

MODELS: Registry[type[Model]] = Registry(
    "model",
    {
        "cyclegan": "translate.models.cyclegan:CycleGAN",
        "pix2pix": "translate.models.pix2pix:Pix2Pix",
        "cut": "translate.models.cut:CUT",
        "fastcut": "translate.models.cut:FastCUT",
        "distillation": "translate.models.distillation:Distillation",
    },
)

AnyModel = Annotated[ModelConfig, ChosenByName(MODELS, "name", default=DEFAULT_MODEL)]
"""Type of a field that holds the settings of any registered model."""


def model_names() -> list[str]:
    """The names of all models, as in `translate train NAME`."""
    return MODELS.names()


def model_class(name: str) -> type[Model]:
    """The model of a name. Raises UserError where there is none."""
    return MODELS[name]


def named_model(text: str) -> type[Model] | None:
    """The only model whose name stands in a text, e.g. in a checkpoint's provenance; None for none or several."""
    words = set(re.findall(r"[a-z0-9]+", text.lower()))
    named = [name for name in model_names() if name in words]
    return MODELS[named[0]] if len(named) == 1 else None


def model_terms(config: ModelConfig) -> list[LossTerm]:
    """The losses that settings give, in the order they are logged in, then G_total, which the generators minimise."""
    total = LossTerm("G_total", "All that the generators minimise", "Sum of the generators' losses")
    return [*MODELS[config.name].terms(config), total]


def imitating_model() -> str:
    """The name of the model that `translate distil` trains: the first one that imitates a checkpoint."""
    return next(name for name in model_names() if MODELS[name].imitates)


def suggest_model(paired: bool) -> str:
    """The name of the model to begin with: the first one for pairs, or the first one that needs none."""
    return next(name for name in model_names() if MODELS[name].paired == paired)


def build_model(config: ModelConfig, merge: bool = True) -> Any:
    """The model that settings describe, with freshly initialised weights.

    Args:
        config: of any registered model.
        merge: send several batches through a network in one pass where that gives the same result.
    """
    return MODELS[config.name](config, merge)
