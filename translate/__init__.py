"""Image-to-image translation with pix2pix and CycleGAN.

>>> import translate
>>> zebra = translate.load("horse2zebra")("horse.jpg")          # a PIL image in, a PIL image of the same size out
>>> translate.train(translate.TrainConfig.load("train.yaml"))   # the run folder's path comes back
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from translate._version import __version__

if TYPE_CHECKING:
    from translate.config import TrainConfig
    from translate.inference.translator import Translator, load
    from translate.training.trainer import train

__all__ = ["TrainConfig", "Translator", "__version__", "load", "train"]

_HOME = {
    "load": "translate.inference.translator",
    "Translator": "translate.inference.translator",
    "train": "translate.training.trainer",
    "TrainConfig": "translate.config",
}


def __getattr__(name: str) -> Any:
    """Import the public names on first use (PEP 562), so that `import translate` does not load torch."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
