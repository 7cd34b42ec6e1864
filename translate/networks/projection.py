"""The projection head of CUT: patches of encoder features become vectors of length 1 that can be compared.

Park et al. 2020, section 3 and appendix B.1, https://arxiv.org/abs/2007.15651.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

EPSILON = 1e-7
"""Added to a vector's length before dividing by it, as the reference implementation does."""


class PatchProjection(nn.Module):
    """Two linear layers with a ReLU between them for each of the feature layers, then division by the length.

    Args:
        channels: of the feature layers.
        width: of the vectors.
    """

    def __init__(self, channels: Sequence[int], width: int = 256) -> None:
        super().__init__()
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(count, width), nn.ReLU(), nn.Linear(width, width)) for count in channels
        )

    def forward(self, features: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """The vectors of some patches of each layer.

        Args:
            features: (N, C, H, W) for each layer.
            places: numbers of the patches in the order of rows, (P,) for each layer; see `draw_places`.
        Returns:
            (N, P, width) for each layer, of length 1; in float32 where the features are of half precision.
        """
        vectors = []
        for feature, chosen, mlp in zip(features, places, self.mlps, strict=True):
            projected = mlp(feature.flatten(2).transpose(1, 2)[:, chosen])
            projected = projected.to(torch.promote_types(projected.dtype, torch.float32))
            vectors.append(projected / (projected.norm(dim=2, keepdim=True) + EPSILON))
        return vectors


def draw_places(features: Sequence[Tensor], count: int) -> list[Tensor]:
    """At most `count` different places of each (N, C, H, W) feature map, the same for all of its images.

    They are drawn from torch's global generator on the CPU, so that a step is the same on every device.
    """
    return [
        torch.randperm(feature[0, 0].numel(), device="cpu")[:count].to(feature.device, non_blocking=True)
        for feature in features
    ]
