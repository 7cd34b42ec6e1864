"""Convolutions in channels_last whose gradient of the weight is computed in the contiguous layout."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.kernels import processor

Sides = tuple[int, ...]
"""A number for the height and one for the width."""


def gains(layer: nn.Conv2d | nn.ConvTranspose2d, device: torch.device, precision: torch.dtype) -> bool:
    """Whether the layer gains from a mixed layout: float32 on a CPU with AVX2 alone, and not grouped.

    Float32 with AVX-512 and lower precisions were not measured.
    """
    float32_on_cpu = device.type == "cpu" and precision == torch.float32
    return float32_on_cpu and layer.groups == 1 and not isinstance(layer.padding, str) and processor.has_avx2_alone()


def suits(images: Tensor, weight: Tensor) -> bool:
    """Whether a call is one that the layer was replaced for: float32 in channels_last on the CPU, not compiled.

    Compiled, where the compiler orders the copies itself, a ResNet-9 took 9.0 s with these layers and 7.7 s with
    PyTorch's. Exported graphs keep PyTorch's too, so that they hold operations that other runtimes know.
    """
    return (
        images.device.type == "cpu"
        and images.dtype == weight.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and images.is_contiguous(memory_format=torch.channels_last)
        and not images.is_contiguous()
    )


class MixedLayoutConv2d(nn.Conv2d):
    """nn.Conv2d whose gradient of the weight is computed by `MixedLayout`."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        made: Tensor
        if weight.requires_grad and torch.is_grad_enabled() and suits(input, weight):
            padding: Sides = (int(self.padding[0]), int(self.padding[1]))
            if self.padding_mode != "zeros":
                input, padding = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode), (0, 0)
            made = MixedLayout.apply(input, weight, bias, self.stride, padding, self.dilation, False, (0, 0))
        else:
            made = super()._conv_forward(input, weight, bias)
        return made


class MixedLayoutConvTranspose2d(nn.ConvTranspose2d):
    """nn.ConvTranspose2d whose gradient of the weight is computed by `MixedLayout`."""

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(N, C, H, W) -> (N, C', H', W'), as nn.ConvTranspose2d."""
        if output_size is not None:
            return super().forward(input, output_size)
        weight = self.weight  # read once: spectral norm computes it anew, by another power iteration, at every reading
        made: Tensor
        if weight.requires_grad and torch.is_grad_enabled() and suits(input, weight):
            words = self.stride, self.padding, self.dilation, True, self.output_padding
            made = MixedLayout.apply(input, weight, self.bias, *words)
        else:
            padding: Any = self.padding  # numbers: only nn.Conv2d takes "same" and "valid"
            made = F.conv_transpose2d(
                input, weight, self.bias, self.stride, padding, self.output_padding, self.groups, self.dilation
            )
        return made


class MixedLayout(torch.autograd.Function):
    """A convolution in channels_last whose gradient of the weight is computed in the contiguous layout.

    On processors with AVX2 alone, oneDNN's forward pass and its gradient of the images are faster in channels_last, but
    its gradient of the weight takes 1.6 to 4.6 times as long as in the contiguous layout: far more than copying both
    images costs. Measured on two cores of an AMD EPYC (Zen 3) with ResNet-9, width 64, 2×256×256, forward and backward:
    5.4 s instead of 7.5 (docs/performance.md).

    Only the order of summation differs from PyTorch's. It can be differentiated twice.
    """

    @staticmethod
    def forward(
        ctx: Any,
        images: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: Sides,
        padding: Sides,
        dilation: Sides,
        transposed: bool,
        output_padding: Sides,
    ) -> Tensor:
        """The arguments and the result of torch.convolution, less `groups`, which is 1."""
        ctx.save_for_backward(images, weight)
        ctx.words = (list(stride), list(padding), list(dilation), transposed, list(output_padding), 1)
        ctx.bias_shape = None if bias is None else list(bias.shape)
        return torch.convolution(images, weight, bias, *ctx.words)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the images (in their own layout), of the weight and of the bias."""
        (incoming,) = gradients
        images, weight = ctx.saved_tensors
        for_images, for_weight, for_bias = ctx.needs_input_grad[:3]
        backward = torch.ops.aten.convolution_backward
        made: list[Tensor | None] = [None, None, None]
        if for_images:
            made[0] = backward(incoming, images, weight, None, *ctx.words, [True, False, False])[0]
        if for_weight or for_bias:
            like_weight = weight.new_empty(weight.shape)  # only its shape and its layout are read, not its values
            contiguous = incoming.contiguous(), images.contiguous(), like_weight
            made[1:] = backward(*contiguous, ctx.bias_shape, *ctx.words, [False, for_weight, for_bias])[1:]
        return (*made, None, None, None, None, None)
