"""Convolutions that train in channels_last at full speed, also on processors where PyTorch's do not."""

from __future__ import annotations

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Pair = tuple[int, ...]


class Conv2d(nn.Conv2d):
    """nn.Conv2d, with the gradient of its weight by `MixedLayout` where that is faster."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if isinstance(self.padding, str) or not _gains(input, weight, self.groups):
            plain: Tensor = super()._conv_forward(input, weight, bias)
            return plain
        padding: Pair = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), (0, 0)
        made: Tensor = MixedLayout.apply(input, weight, bias, self.stride, padding, self.dilation, False, (0, 0))
        return made


class ConvTranspose2d(nn.ConvTranspose2d):
    """nn.ConvTranspose2d, with the gradient of its weight by `MixedLayout` where that is faster."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W'), as nn.ConvTranspose2d."""
        if output_size is not None or not _gains(input, self.weight, self.groups):
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
            contiguous = incoming.contiguous(), images.contiguous(), weight.contiguous()
            made[1:] = backward(*contiguous, ctx.bias_shape, *ctx.words, [False, of_weight, of_bias])[1:]
        return (*made, None, None, None, None, None)


def _gains(images: Tensor, weight: Tensor, groups: int) -> bool:
    """Whether a convolution is of the kind that was measured to gain from `MixedLayout`, and will be differentiated."""
    return (
        images.device.type == "cpu"
        and images.dtype == weight.dtype == torch.float32
        and groups == 1
        and weight.requires_grad
        and torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()  # whose own order of copies made it slower
        and images.is_contiguous(memory_format=torch.channels_last)
        and not images.is_contiguous()
        and _has_avx2_alone()
    )


@functools.cache
def _has_avx2_alone() -> bool:
    return torch.backends.cpu.get_cpu_capability() == "AVX2"
