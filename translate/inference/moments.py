"""Mean and variance of the channels of an image, merged from those of its tiles."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of each channel, in float64 on the CPU."""

    count: float
    mean: Tensor
    deviations: Tensor

    def __add__(self, other: Moments) -> Moments:
        """Of both together (Chan, Golub & LeVeque 1979): no sum of squares, which cancels where means are large."""
        count, apart = self.count + other.count, other.mean - self.mean
        between = apart.square() * (self.count * other.count / count)
        return Moments(count, self.mean + apart * (other.count / count), self.deviations + other.deviations + between)

    def times(self, weight: float) -> Moments:
        """The same, counting for so much more or less."""
        return Moments(self.count * weight, self.mean, self.deviations * weight)

    def mean_and_variance(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """In float32, as batch norm takes them."""
        return self.mean.float().to(device), (self.deviations / self.count).float().to(device)


def moments_of(features: Tensor) -> Moments:
    """Of the channels of (N, C, h, w)."""
    count = features.numel() // features.shape[1]
    if count == 1:
        mean = features.flatten().cpu().double()
        return Moments(1, mean, torch.zeros_like(mean))
    # Batch norm in training mode computes them: many times as fast as torch.var_mean in channels_last on a CPU.
    mean, variance = torch.zeros(2, features.shape[1], device=features.device)
    F.batch_norm(features, mean, variance, training=True, momentum=1.0)
    return Moments(count, mean.cpu().double(), variance.cpu().double() * (count - 1))
