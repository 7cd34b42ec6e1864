"""Networks of timm by name; their weights are downloaded from the Hugging Face hub at the first use."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from translate.errors import UserError
from translate.features.imagenet import CLASSES, EXTRA, imagenet_labels
from translate.features.network import Backbone, FeatureNetwork
from translate.features.weights import first_words, read_weights


class TimmBackbone(Backbone):
    """A model of timm. Transformers, whose layers all have one stride, offer the last of them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network: Any = network
        stages: Any = network.feature_info if hasattr(network, "forward_intermediates") else []
        # Of the layers of one stride, the last.
        self.stages: dict[int, int] = {int(stage["reduction"]): index for index, stage in enumerate(stages)}
        self.channels = {stride: int(stages[index]["num_chs"]) for stride, index in self.stages.items()}

    def maps(self, images: Tensor, strides: Sequence[int]) -> list[Tensor]:
        wanted = sorted({self.stages[stride] for stride in strides})
        made = self.network.forward_intermediates(images, indices=wanted, stop_early=True, intermediates_only=True)
        by_stage = dict(zip(wanted, made, strict=True))
        return [by_stage[self.stages[stride]] for stride in strides]

    def embedding(self, images: Tensor) -> Tensor:
        made: Tensor = self.network.forward_head(self.network.forward_features(images), pre_logits=True)
        return made.flatten(1)

    def classify(self, embedding: Tensor) -> Tensor:
        made: Tensor = self.network.get_classifier()(embedding)
        return made

    def logits_by_place(self, images: Tensor) -> Tensor:
        features: Tensor = self.network.forward_features(images)
        number, channels, height, width = features.shape
        places = features.permute(0, 2, 3, 1).reshape(-1, channels, 1, 1)  # the pooling of one place leaves it as it is
        made: Tensor = self.network.forward_head(places)
        return made.reshape(number, height, width, -1).permute(0, 3, 1, 2)


def import_timm() -> Any:
    """The package. Raises UserError, with what to install, where it is missing."""
    try:
        return importlib.import_module("timm")
    except ImportError as error:
        raise UserError(f"This feature network needs timm: {EXTRA}.") from error


def has(name: str) -> bool:
    """Whether timm is installed and has a model of this name (`resnet18`, or with its weights `resnet18.a1_in1k`)."""
    try:
        timm = import_timm()
    except UserError:
        return False
    return bool(timm.is_model(name.partition(".")[0]))


def load(name: str, weights: Path | None = None) -> FeatureNetwork:
    """A model of timm with its published weights, or with those of a file.

    Raises:
        UserError: timm is missing or has no such model, or the weights cannot be had or do not fit.
    """
    timm = import_timm()
    if not has(name):
        raise UserError(f"timm {timm.__version__} has no model {name}; timm.list_models() names those that it has.")
    try:
        network = timm.create_model(name, pretrained=weights is None)
        if weights is not None:
            network.load_state_dict(read_weights(weights))
    except (OSError, RuntimeError, ValueError) as error:
        source = weights or "the Hugging Face hub"
        raise UserError(f"timm cannot get the weights of {name} from {source}: {first_words(error)}") from error
    about = network.pretrained_cfg
    tag = f".{about['tag']}" if about.get("tag") and weights is None else ""
    return FeatureNetwork(
        TimmBackbone(network),
        name=f"timm/{name}",
        title=f"timm {about['architecture']}{tag}",
        licence=about.get("license") or "unknown",
        source=weights.name if weights else f"{about.get('hf_hub_id') or about.get('url') or 'timm'}",
        size=about["input_size"][-1],
        mean=about["mean"],
        deviation=about["std"],
        interpolation="bicubic" if about["interpolation"] == "bicubic" else "bilinear",
        labels=imagenet_labels() if network.num_classes == CLASSES else (),
    )
