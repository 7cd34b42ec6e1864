"""A generator rewritten to compute the same with less work: for translating, exporting and other runtimes.

Measured on one core of an AMD EPYC with AVX512-BF16, 256×256 pixels, bfloat16:

- The 7×7 convolution of the head makes 3 channels, and a vector unit has 16 places for them. An 8×8 convolution of
  stride 2 makes the four pixels of a 2×2 square at once, 12 channels: a third more multiply-adds in 0.41 of the time.
- Nearest-neighbour resize and a 3×3 convolution read each pixel four times over. What the nine weights do to the four
  copies is a transposed 4×4 convolution of stride 2, whose weights are sums of theirs: 4/9 of the multiply-adds, no
  copies, 0.41 of the time (Shi et al. 2016, https://arxiv.org/abs/1609.07009, look at it the same way).
- Weights are brought to the precision of the arithmetic once; autocast does it for every image.
- Spectral norm is divided out once.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from translate.networks.resnet import ResNetGenerator
from translate.networks.unet import UNetGenerator

# Which of the three weights of a side (columns) read which of two neighbouring pixels (rows), for the second of the two
# pixels made out of the first neighbour, and for the first of the two made out of the second.
_SHARES = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])


def fuse(generator: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """A copy of a generator that computes the same.

    Args:
        generator: a ResNetGenerator or UNetGenerator in evaluation mode, float32; it is left as it is.
        dtype: of the convolutions and of what lies between them. Whatever it is, images come and go as float32, and the
            last step (`finish`) is done in it.
    Returns:
        (N, in_channels, H, W) float32 in [-1, 1] -> (N, out_channels, H, W) float32 in [-1, 1], sides as the generator
        takes them. In float32 it differs from the generator by rounding only.
    """
    fused = copy.deepcopy(generator)
    for layer in fused.modules():
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    assert isinstance(fused, (ResNetGenerator, UNetGenerator))
    for stage in fused.up:
        stage.conv = _without_resize(stage.get_submodule("conv"))
    head: nn.Module = fused.head
    if isinstance(fused, UNetGenerator):
        head = _without_resize(head)
    elif len(fused.down):  # sides are even
        head = SquareConv2d(cast(nn.Conv2d, head))
    fused.add_module("head", head)
    if dtype != torch.float32:
        for layer in fused.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                layer.to(dtype)  # norms compute their statistics in float32 anyway
        first = fused.stem if isinstance(fused, ResNetGenerator) else fused.down[0]
        first.conv = nn.Sequential(Cast(dtype), first.get_submodule("conv"))
        fused.add_module("head", nn.Sequential(head, Cast(torch.float32)))
    return fused.eval().requires_grad_(False)


class Cast(nn.Module):
    """To another precision."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, features: Tensor) -> Tensor:
        """The same numbers, rounded."""
        return features.to(self.dtype)


class SquareConv2d(nn.Module):
    """A convolution of stride 1 that makes the four pixels of each 2×2 square at once; sides must be even."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        made, read, side, _ = conv.weight.shape
        weight = conv.weight.new_zeros(made, 2, 2, read, side + 1, side + 1)
        for row in range(2):
            for column in range(2):
                weight[:, row, column, :, row : row + side, column : column + side] = conv.weight
        pad = nn.ReflectionPad2d(side // 2)
        self.conv = nn.Conv2d(read, 4 * made, side + 1, stride=2)
        self.conv.weight = nn.Parameter(weight.reshape(4 * made, read, side + 1, side + 1))
        self.conv.bias = nn.Parameter(cast(Tensor, conv.bias).repeat_interleave(4))
        self.pad, self.shuffle = pad, nn.PixelShuffle(2)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        made: Tensor = self.shuffle(self.conv(self.pad(features)))
        return made


def _without_resize(grow: nn.Module) -> nn.Module:
    """A module that doubles the sides, as a transposed convolution: what `resize_conv` made is rewritten.

    Reflected and repeated borders of the resized image are the same, since its rows and columns come in equal pairs;
    both are the repeated border of the image before the resize.
    """
    if isinstance(grow, nn.ConvTranspose2d):
        return grow
    conv = cast(nn.Conv2d, grow.get_submodule("conv"))
    made, read = conv.weight.shape[:2]
    shares = _SHARES.to(conv.weight)
    taps = torch.einsum("pta,qsb,oiab->iopqts", shares, shares, conv.weight)
    weight = conv.weight.new_zeros(read, made, 4, 4)
    for row in range(2):
        for column in range(2):
            weight[:, :, row::2, column::2] = taps[:, :, row, column].flip(-2, -1)
    border = 0 if conv.padding_mode == "zeros" else 1
    transposed = nn.ConvTranspose2d(read, made, 4, stride=2, padding=1 + 2 * border, bias=conv.bias is not None)
    transposed.weight = nn.Parameter(weight)
    transposed.bias = conv.bias
    return nn.Sequential(nn.ReplicationPad2d(1), transposed) if border else transposed
