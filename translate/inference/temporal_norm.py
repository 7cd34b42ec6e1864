"""Instance norm for the frames of a film, with statistics that are averaged over time.

Instance norm divides each frame by its own mean and variance: when something enters the picture, the colours of all the
rest jump. So the statistics are averaged over the frames: over all of them equally at first, then the new one with the
weight SHARE (an exponential average). At a cut the average is to be forgotten. What it gains is measured in
`video.temporal_smoothing`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.inference.channel_statistics import channel_statistics

SHARE = 0.1
"""Weight of a new frame's statistics: at 30 frames a second the average follows the picture in a third of a second."""


class TemporalInstanceNorm2d(nn.InstanceNorm2d):
    """Instance norm of the successive frames of a film, one caller at a time."""

    def __init__(self, norm: nn.InstanceNorm2d) -> None:
        super().__init__(norm.num_features, eps=norm.eps, affine=norm.affine)
        self.weight, self.bias = norm.weight, norm.bias
        self.begin_scene()

    def begin_scene(self) -> None:
        """Forget the average: the next frame is the first of a new scene."""
        self.frames = 0
        self.average = (torch.empty(0), torch.empty(0))

    def update(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Take the statistics (C,) of the next frame into the average, and return the average to normalise it with."""
        self.frames += 1
        if self.frames > 1:
            share = max(1 / self.frames, SHARE)
            mean, variance = (old.lerp(new, share) for old, new in zip(self.average, (mean, variance), strict=True))
        self.average = (mean, variance)
        return self.average

    def forward(self, images: Tensor) -> Tensor:
        """Normalise frames (N, C, H, W) in their order."""
        normed = []
        for image in images.chunk(len(images)):
            mean, variance = self.update(*channel_statistics(image).mean_and_variance(image.device))
            normed.append(F.batch_norm(image, mean, variance, self.weight, self.bias, eps=self.eps))
        return torch.cat(normed)


def average_over_frames(network: nn.Module) -> nn.Module:
    """Replace a network's instance norms by temporal ones, in place, and return it; batch norms are steady already."""
    for name, child in list(network.named_children()):
        if isinstance(child, nn.InstanceNorm2d):
            setattr(network, name, TemporalInstanceNorm2d(child).train(child.training))
        else:
            average_over_frames(child)
    return network


def begin_scene(network: nn.Module) -> bool:
    """Make all temporal norms of a network forget their averages. Returns whether the network has any."""
    norms = [module for module in network.modules() if isinstance(module, TemporalInstanceNorm2d)]
    for norm in norms:
        norm.begin_scene()
    return bool(norms)
