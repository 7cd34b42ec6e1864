"""Convolutions and resizes on a region of an image: which part of the input they need, and what they compute from it.

Each pads only where the region lies at the border of the whole image, so that regions put together are the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

Span: TypeAlias = tuple[int, int]
"""The first row (or column) of a range, and the one after its last."""
Region: TypeAlias = tuple[Span, Span]
"""A rectangle: its rows and its columns."""


@dataclass(frozen=True)
class Convolution:
    """A convolution that pads only where the region lies at the border of the whole image."""

    weight: Tensor  # (C', C / groups, k, k)
    bias: Tensor | None
    stride: int
    padding: int
    dilation: int
    border: str  # reflect, replicate, zeros
    groups: int

    @property
    def price(self) -> float:
        """Multiply-adds for one element of the output."""
        return float(self.weight[0].numel())

    @property
    def extent(self) -> int:
        """Rows of the input, padding included, that one row of the output is made of."""
        return self.dilation * (self.weight.shape[-1] - 1) + 1

    @property
    def step(self) -> Fraction:
        """Rows of the input from one row of the output to the next."""
        return Fraction(self.stride)

    def channels(self, channels: int) -> int:
        """Channels of the output, from those of the input."""
        return self.weight.shape[0]

    def size(self, side: int) -> int:
        """Side of the output, from that of the input."""
        return (side + 2 * self.padding - self.extent) // self.stride + 1

    def reach(self, wanted: Span) -> Span:
        """The rows that an output of the rows `wanted` is made of; negative ones and those past the end are padding."""
        first = wanted[0] * self.stride - self.padding
        return first, first + (wanted[1] - wanted[0] - 1) * self.stride + self.extent

    def __call__(self, features: Tensor, held: Region, wanted: Region) -> Tensor:
        """Compute the region `wanted` of the output.

        Args:
            features: the region `held` of the input (N, C, h, w): `reach(wanted)` as far as it lies inside the image.
            held: see `features`.
            wanted: rows and columns of the output.
        """
        margins = []
        for have, want in zip(reversed(held), reversed(wanted), strict=True):
            first, last = self.reach(want)
            margins += [have[0] - first, last - have[1]]
        if any(margins):
            features = F.pad(features, margins, "constant" if self.border == "zeros" else self.border)
        return F.conv2d(features, self.weight, self.bias, self.stride, dilation=self.dilation, groups=self.groups)


@dataclass(frozen=True)
class TransposedConvolution:
    """A transposed convolution whose output padding is at most its padding."""

    weight: Tensor  # (C, C', k, k)
    bias: Tensor | None
    stride: int
    padding: int
    output_padding: int

    @property
    def price(self) -> float:
        """Multiply-adds for one element of the output."""
        return self.weight[:, 0].numel() / self.stride**2

    @property
    def step(self) -> Fraction:
        """Rows of the input from one row of the output to the next."""
        return Fraction(1, self.stride)

    def channels(self, channels: int) -> int:
        """Channels of the output, from those of the input."""
        return self.weight.shape[1]

    def size(self, side: int) -> int:
        """Side of the output, from that of the input."""
        return (side - 1) * self.stride - 2 * self.padding + self.weight.shape[-1] + self.output_padding

    def reach(self, wanted: Span) -> Span:
        """The rows that an output of the rows `wanted` is made of.

        Row i of the input adds to row i · stride - padding of the output and to the k - 1 rows after it.
        """
        first = -((self.weight.shape[-1] - 1 - self.padding - wanted[0]) // self.stride)
        return first, (wanted[1] - 1 + self.padding) // self.stride + 1

    def __call__(self, features: Tensor, held: Region, wanted: Region) -> Tensor:
        """Compute the region `wanted` of the output from the region `held` of the input, as `Convolution` does."""
        made = F.conv_transpose2d(features, self.weight, self.bias, self.stride)
        top, left = (span[0] * self.stride - self.padding for span in held)
        return crop(made, ((top, 0), (left, 0)), wanted).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Enlargement:
    """Nearest-neighbour resize to twice the size: every element is repeated in both directions."""

    price = 0.0
    step = Fraction(1, 2)

    def channels(self, channels: int) -> int:
        """Channels of the output, from those of the input."""
        return channels

    def size(self, side: int) -> int:
        """Side of the output, from that of the input."""
        return 2 * side

    def reach(self, wanted: Span) -> Span:
        """The rows that an output of the rows `wanted` is made of."""
        return wanted[0] // 2, (wanted[1] - 1) // 2 + 1

    def __call__(self, features: Tensor, held: Region, wanted: Region) -> Tensor:
        """Compute the region `wanted` of the output from the region `held` of the input, which is `reach(wanted)`."""
        made = F.interpolate(features, scale_factor=2.0, mode="nearest")
        return crop(made, ((2 * held[0][0], 0), (2 * held[1][0], 0)), wanted)


Operation: TypeAlias = Convolution | TransposedConvolution | Enlargement


def crop(features: Tensor, held: Region, wanted: Region) -> Tensor:
    """Cut the region `wanted` out of features (N, C, h, w) that begin at the first row and column of `held`."""
    top, left = held[0][0], held[1][0]
    return features[:, :, wanted[0][0] - top : wanted[0][1] - top, wanted[1][0] - left : wanted[1][1] - left]


def hull(one: Region, other: Region) -> Region:
    """The smallest region that contains both."""
    rows, columns = ((min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(one, other, strict=True))
    return rows, columns
