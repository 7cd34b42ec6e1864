"""Projected discriminators: small heads on the features of a frozen network.

Sauer, Chitta, Müller, Geiger: Projected GANs Converge Faster, NeurIPS 2021, https://arxiv.org/abs/2111.01007.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from translate.features import load_features
from translate.losses import Objective
from translate.networks.blocks import LEAK
from translate.networks.settings import DiscriminatorConfig


class ProjectedConfig(DiscriminatorConfig):
    """Judges by the features of a frozen network at several strides. It wants images of three channels."""

    penalised: ClassVar[bool] = False
    """The heads have spectral normalisation instead of a penalty, which would be of the frozen network's gradient."""

    conditional: ClassVar[bool] = False
    """The frozen network was trained on pictures, so it is shown the image alone."""

    kind: Literal["projected"] = "projected"
    objective: Objective | None = Field("hinge", description="its own adversarial objective; none: the model's")
    features: str = Field("lite0", description="the frozen feature network; it must not judge the result")
    features_weights: Path | None = Field(None, description="file of the feature network's weights")
    strides: list[int] = Field(
        default_factory=lambda: [4, 8, 16], min_length=1, description="strides of the feature maps, in pixels"
    )
    width: int = Field(64, ge=1, description="channels of the heads")

    @property
    def separates_images(self) -> bool:
        """Spectral norm iterates once a pass, so merged and separate passes differ by an iteration."""
        return False


class ProjectedDiscriminator(nn.Module):
    """A head on each of the feature maps; every head judges by itself (section 3.1 of the paper, eq. 4).

    A head is a 1×1, a 3×3 and a 1×1 convolution, spectrally normalised, with LeakyReLU between them. The paper's random
    mixing of features across channels and scales (section 3.2) is left out.
    """

    Config = ProjectedConfig

    def __init__(self, config: ProjectedConfig, in_channels: int) -> None:
        super().__init__()
        del in_channels  # the feature network says what it can read
        self.features = load_features(config.features, config.features_weights)
        self.strides = tuple(config.strides)
        self.heads = nn.ModuleList(_head(self.features.channels(stride), config.width) for stride in self.strides)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, C, H, W) in [-1, 1] -> logits (N, 1, H / stride, W / stride) for each stride."""
        maps: Sequence[Tensor] = self.features(image, self.strides)
        return [head(features) for head, features in zip(self.heads, maps, strict=True)]


def _head(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        spectral_norm(nn.Conv2d(channels, width, 1)),
        nn.LeakyReLU(LEAK),
        spectral_norm(nn.Conv2d(width, width, 3, padding=1)),
        nn.LeakyReLU(LEAK),
        spectral_norm(nn.Conv2d(width, 1, 1)),
    )
