"""Which feature network a name means.

A room that adds one registers it: a name by `register_features`, a kind of file or folder by `register_file_format`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from translate.downloads.download import Progress
from translate.errors import UserError
from translate.features import timm_models, torchvision_models
from translate.features.lite import load_lite
from translate.features.network import FeatureNetwork
from translate.registry import load_plugins

Loader = Callable[[Path | None, Progress | None], FeatureNetwork]
"""(file of weights or None for the published ones, progress of a download) → the network."""

TIMM = "timm/"
"""Before the name of a model of timm."""
SUFFIXES = (".safetensors", ".pth", ".json")
_LOADERS: dict[str, Loader] = {
    "lite0": lambda weights, _: load_lite(0, weights),
    "lite1": lambda weights, _: load_lite(1, weights),
}
_FORMATS: dict[str, Callable[[Path], FeatureNetwork]] = {}


def register_features(name: str, loader: Loader) -> None:
    """Let `load_features(name)` call a loader."""
    _LOADERS[name] = loader


def register_file_format(file_name: str, opener: Callable[[Path], FeatureNetwork]) -> None:
    """Let `load_features` open folders that hold a file of this name, and files that lie beside one."""
    _FORMATS[file_name] = opener


def feature_names() -> list[str]:
    """The names that are registered; those of torchvision's and timm's models are understood too."""
    load_plugins()
    return sorted(_LOADERS)


def canonical_name(name: str | Path) -> str:
    """One name for each network that `load_features` knows by several: `timm/tf_efficientnet_lite1` is `lite1`."""
    bare = str(name).removeprefix(TIMM)
    if bare.startswith("tf_efficientnet_lite"):
        return bare.partition(".")[0].removeprefix("tf_efficientnet_")
    return str(name) if torchvision_models.has(bare) else bare


def is_file(name: str | Path) -> bool:
    """Whether a name means a file or folder, there or missing, and not a network of the registry or of a library."""
    name, path = str(name), Path(name)
    if name in _LOADERS or name.startswith(TIMM):
        return False
    return path.exists() or len(path.parts) > 1 or path.suffix in SUFFIXES


def load_features(
    name: str | Path, weights: str | Path | None = None, *, progress: Progress | None = None
) -> FeatureNetwork:
    """Open a frozen feature network, on the CPU, or without values where torch's default device is "meta".

    Args:
        name: a registered name (`lite0`, `lite1`); a classification model of torchvision (`vgg16`, `alexnet`,
            `resnet18`); a model of timm (`convnext_nano.in12k_ft_in1k`; `timm/NAME` where torchvision has one of that
            name too); or the folder or file of a registered format, such as a domain classifier.
        weights: a file (.pth or .safetensors) instead of the published weights. Those of Lite are in packages; those of
            torchvision and timm are downloaded at the first use and kept.
        progress: of a download.
    Raises:
        UserError: there is no such network, a package is missing, or the weights cannot be had or do not fit.
    """
    if torch.get_default_device().type == "meta":  # for shapes only; weights are read on the CPU all the same
        with torch.device("cpu"):
            return load_features(name, weights, progress=progress).to("meta")
    load_plugins()
    path, name = Path(name), str(name)
    weights = Path(weights) if weights is not None else None
    if name in _LOADERS:
        return _LOADERS[name](weights, progress)
    if name.startswith(TIMM):
        return timm_models.load(name.removeprefix(TIMM), weights)
    if is_file(name):
        if weights is not None:
            raise UserError(f"{path} has its own weights; a file of weights is for networks that are named.")
        return _open(path)
    if torchvision_models.has(name):
        return torchvision_models.load(name, weights, progress)
    if timm_models.has(name):
        return timm_models.load(name, weights)
    raise UserError(
        f"There is no feature network {name}: it is {', '.join(feature_names())}, a torchvision model such as "
        "resnet18, a timm model, or the folder of a domain classifier."
    )


def _open(path: Path) -> FeatureNetwork:
    folder = path if path.is_dir() else path.parent
    for file_name, opener in _FORMATS.items():
        if (folder / file_name).is_file():
            return opener(path)
    raise UserError(
        f"{path} is no domain classifier and no other feature network that is known here: it should hold "
        f"{' or '.join(_FORMATS) or 'one'}; make one with: translate classifier DATA -o FOLDER."
    )
