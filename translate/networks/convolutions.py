"""Convolutions at the speed of the processor, also on processors where PyTorch's are slower than they could be.

Which algorithm computes is decided by what is asked for and by the processor's capability, never by timing: a resumed
run computes as before. Figures behind the rules are in docs/performance.md.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.networks.winograd import WinogradConv, tile_count

Pair = tuple[int, ...]

WINOGRAD_CHANNELS, WINOGRAD_TILES = 96, 64
"""Of either side and of the results, from which `WinogradConv` is faster forward and backward."""


class Conv2d(nn.Conv2d):
    """nn.Conv2d, by `WinogradConv` or with the gradient of its weight by `MixedLayout` where that is faster."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if isinstance(self.padding, str) or self.groups != 1 or not _is_slow(input, weight):
            plain: Tensor = super()._conv_forward(input, weight, bias)
            return plain
        padding: Pair = self.padding
        made: Tensor
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), (0, 0)
        if self._is_quick_by_winograd(input, padding):
            if any(padding):
                input = F.pad(input, (padding[1], padding[1], padding[0], padding[0]))
            made = WinogradConv.apply(input, weight, bias)
        elif weight.requires_grad and torch.is_grad_enabled():
            made = MixedLayout.apply(input, weight, bias, self.stride, padding, self.dilation, False, (0, 0))
        else:
            made = F.conv2d(input, weight, bias, self.stride, padding, self.dilation)
        return made

    def _is_quick_by_winograd(self, input: Tensor, padding: Pair) -> bool:
        words = self.kernel_size, self.stride, self.dilation
        fits = words == ((3, 3), (1, 1), (1, 1)) and min(self.weight.shape[:2]) >= WINOGRAD_CHANNELS
        return fits and tile_count(input.shape, padding) >= WINOGRAD_TILES


class ConvTranspose2d(nn.ConvTranspose2d):
    """nn.ConvTranspose2d, with the gradient of its weight by `MixedLayout` where that is faster."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W'), as nn.ConvTranspose2d."""
        trains = self.weight.requires_grad and torch.is_grad_enabled()
        if output_size is not None or self.groups != 1 or not (trains and _is_slow(input, self.weight)):
            return super().forward(input, output_size)
        words = (self.stride, self.padding, self.dilation, True, self.output_padding)
        made: Tensor = MixedLayout.apply(input, self.weight, self.bias, *words)
        return made


class MixedLayout(torch.autograd.Function):
    """A convolution in channels_last whose weight's gradient is computed in the contiguous layout.

    On processors with AVX2 alone, oneDNN's forward pass and its gradient of the images are faster in channels_last, but
    its gradient of the weights takes 1.6 to 4.6 times as long as in the contiguous layout: far more than copies of both
    images cost (docs/performance.md). Only the order of summation differs. It can be differentiated twice.
    """

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Pair,
        padding: Pair,
        dilation: Pair,
        transposed: bool,
        output_padding: Pair,
    ) -> Tensor:
        """The arguments of torch.convolution, less `groups`, which is 1."""
        ctx.save_for_backward(images, weight)
        ctx.words = (list(stride), list(padding), list(dilation), transposed, list(output_padding), 1)
        ctx.bias_shape = None if bias is None else list(bias.shape)
        return torch.convolution(images, weight, bias, *ctx.words)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Of the images in their layout, of the weight and of the bias."""
        (incoming,) = gradients
        images, weight = ctx.saved_tensors
        of_images, of_weight, of_bias = ctx.needs_input_grad[:3]
        backward = torch.ops.aten.convolution_backward
        made: list[Tensor | None] = [None, None, None]
        if of_images:
            made[0] = backward(incoming, images, weight, None, *ctx.words, [True, False, False])[0]
        if of_weight or of_bias:
            like_weight = weight.new_empty(weight.shape)  # of which the shape and the layout are read, not the values
            contiguous = incoming.contiguous(), images.contiguous(), like_weight
            made[1:] = backward(*contiguous, ctx.bias_shape, *ctx.words, [False, of_weight, of_bias])[1:]
        return (*made, None, None, None, None, None)


def _is_slow(images: Tensor, weight: Tensor) -> bool:
    """Whether this is computed with what was measured to be slower than it could be."""
    return (
        images.device.type == "cpu"
        and images.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()  # whose own order of copies made it slower; exports are this too
        and images.is_contiguous(memory_format=torch.channels_last)
        and not images.is_contiguous()
        and _has_avx2_alone()
    )


@functools.cache
def _has_avx2_alone() -> bool:
    return torch.backends.cpu.get_cpu_capability() == "AVX2"
