"""Registers `tiny`, a feature network with random weights and maps at strides 2 and 4, which needs no package.

It is a plug-in: TRANSLATE_PLUGINS=tests.tiny_features registers it in a process of its own.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from translate.downloads.download import Progress
from translate.features import FeatureNetwork, register_features
from translate.features.torchvision_models import TorchvisionBackbone

NAME = "tiny"
STRIDES = (2, 4)


class TinyClassifier(nn.Module):
    """Two stride-2 convolutions and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU())
        self.head = nn.Linear(8, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, 5)."""
        scores: torch.Tensor = self.head(self.second(self.first(images)).mean((2, 3)))
        return scores


def load(weights: Path | None = None, progress: Progress | None = None) -> FeatureNetwork:
    """The network; its weights are the same every time, and nobody's random numbers are drawn for them."""
    del weights, progress
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        network = TinyClassifier().eval()
    return FeatureNetwork(
        TorchvisionBackbone(network, 32),
        name=NAME,
        title="two layers of random weights",
        licence="MIT",
        source="drawn at random",
        size=32,
    )


register_features(NAME, load)
