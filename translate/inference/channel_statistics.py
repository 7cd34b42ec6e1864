"""Mean and variance of each channel of an image, merged from those of its tiles."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class ChannelStatistics:
    """Number of pixels, and of each channel the mean and the sum of squared deviations, (C,) in float64 on the CPU."""

    count: float
    mean: Tensor
    deviations: Tensor

    def __add__(self, other: ChannelStatistics) -> ChannelStatistics:
        """The statistics of both sets of pixels together (Chan, Golub & LeVeque 1979).

        There is no sum of squares in it, which would cancel where means are large beside the deviations.
        """
        count, apart = self.count + other.count, other.mean - self.mean
        between = apart.square() * (self.count * other.count / count)
        mean = self.mean + apart * (other.count / count)
        return ChannelStatistics(count, mean, self.deviations + other.deviations + between)

    def mean_and_variance(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The mean and the variance (C,) in float32, as batch norm takes them."""
        return self.mean.float().to(device), (self.deviations / self.count).float().to(device)


def channel_statistics(features: Tensor) -> ChannelStatistics:
    """The statistics of the channels of features (N, C, h, w)."""
    count = features.numel() // features.shape[1]
    if count == 1:
        mean = features.flatten().cpu().double()
        return ChannelStatistics(1, mean, torch.zeros_like(mean))
    # Batch norm in training mode computes them: many times as fast as torch.var_mean in channels_last on a CPU.
    mean, variance = torch.zeros(2, features.shape[1], device=features.device)
    F.batch_norm(features, mean, variance, training=True, momentum=1.0)
    return ChannelStatistics(count, mean.cpu().double(), variance.cpu().double() * (count - 1))
