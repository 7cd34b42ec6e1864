"""A generator taken apart into layers, so that each can be computed where and when it is needed.

A layer is some operations (one convolution, or the two of a separable one) on a sum or a concatenation of earlier
layers. It is taken as the operations leave it: its normalisation and its non-linearity are applied when the next layer
reads it, because the statistics of an image are known only once all of it exists. Layer 0 is the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from translate.inference.operations import Convolution, Enlargement, Operation, TransposedConvolution
from translate.networks.blocks import LEAK
from translate.networks.resnet import ResNetGenerator
from translate.networks.unet import UNetGenerator

LINEAR, RELU = 1.0, 0.0
"""Slopes below zero: of no non-linearity, and of ReLU."""


@dataclass(frozen=True)
class Read:
    """A layer as another one reads it: normalised, then values below zero multiplied by `slope`."""

    source: int
    slope: float = LINEAR


@dataclass(frozen=True)
class Layer:
    """An activation before its normalisation: operations on the concatenation of what it reads.

    One without operations is the sum of the two that it reads, or the image.
    """

    reads: tuple[Read, ...]
    operations: tuple[Operation, ...]
    norm: _NormBase | None  # instance norm or batch norm
    channels: int
    stride: int  # pixels of the image from one of its rows to the next

    @property
    def price(self) -> float:
        """Multiply-adds for one element."""
        return sum(operation.price for operation in self.operations)

    @property
    def needs_statistics(self) -> bool:
        """Whether its norm uses the mean and variance of this image."""
        return isinstance(self.norm, nn.InstanceNorm2d)


def layers_of(generator: nn.Module, device: torch.device, dtype: torch.dtype) -> list[Layer]:
    """Take a generator apart, with its weights on `device` in `dtype`; norms and dropout act as in evaluation mode.

    Every layer comes after those that it reads; the last is the generator's output before the tanh.

    Raises:
        TypeError: neither a ResNetGenerator nor a UNetGenerator.
    """
    layers: list[Layer] = []

    def operations_of(module: nn.Module) -> list[Operation]:
        if isinstance(module, nn.Sequential):
            return [operation for child in module for operation in operations_of(child)]
        if isinstance(module, nn.Upsample):
            return [Enlargement()]
        assert isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
        weight = module.weight.detach().to(device, dtype, memory_format=torch.channels_last)
        bias = None if module.bias is None else module.bias.detach().to(device, dtype)
        stride, padding = module.stride[0], int(module.padding[0])
        if isinstance(module, nn.ConvTranspose2d):
            return [TransposedConvolution(weight, bias, stride, padding, module.output_padding[0])]
        return [Convolution(weight, bias, stride, padding, module.padding_mode, module.groups)]

    def add(reads: Sequence[Read], module: nn.Module, norm: nn.Module | None = None) -> int:
        operations = tuple(operations_of(module))
        last = operations[-1]
        assert not isinstance(last, Enlargement)
        channels = last.weight.shape[isinstance(last, TransposedConvolution)]
        stride = Fraction(layers[reads[0].source].stride)
        for operation in operations:
            stride *= operation.step
        norm = norm if isinstance(norm, _NormBase) else None
        layers.append(Layer(tuple(reads), operations, norm, channels, int(stride)))
        return len(layers) - 1

    def add_sum(reads: Sequence[Read]) -> int:
        first = layers[reads[0].source]
        layers.append(Layer(tuple(reads), (), None, first.channels, first.stride))
        return len(layers) - 1

    def add_image(conv: nn.Module) -> None:
        assert isinstance(conv, nn.Conv2d)
        layers.append(Layer((), (), None, conv.in_channels, 1))

    def part(module: nn.Module, name: str) -> nn.Module:
        return module.get_submodule(name)

    if isinstance(generator, ResNetGenerator):
        add_image(part(generator, "stem.conv"))
        trunk = Read(0)
        for stage in (generator.stem, *generator.down):
            trunk = Read(add([trunk], part(stage, "conv"), part(stage, "norm")), RELU)
        for block in generator.blocks:
            inner = add([trunk], part(block, "conv1"), part(block, "norm1"))
            residual = add([Read(inner, RELU)], part(block, "conv2"), part(block, "norm2"))
            trunk = Read(add_sum([trunk, Read(residual)]))
        for stage in generator.up:
            trunk = Read(add([trunk], part(stage, "conv"), part(stage, "norm")), RELU)
        add([trunk], generator.head)
    elif isinstance(generator, UNetGenerator):
        add_image(part(generator, "down.0.conv"))
        reads, skips = [Read(0)], []
        for stage in generator.down:
            skips.append(add(reads, part(stage, "conv"), part(stage, "norm")))
            reads = [Read(skips[-1], LEAK)]
        reads = [Read(skips.pop(), RELU)]
        for stage in generator.up:
            grown = add(reads, part(stage, "conv"), part(stage, "norm"))
            reads = [Read(skips.pop(), RELU), Read(grown, RELU)]
        add(reads, generator.head)
    else:
        raise TypeError(f"a {type(generator).__name__} cannot be run in tiles")
    return layers
