"""The layers that a generator is computed by when it is run tile by tile, made from its graph.

A layer is some operations (one convolution, or several in a row) on a sum or a concatenation of earlier layers. It is
kept as the operations leave it: its normalisation and its non-linearity are applied when the next layer reads it,
because the statistics of an image are known only once all of it exists. Layer 0 is the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from translate.inference.tiling.region_operations import Convolution, Enlargement, Operation, TransposedConvolution
from translate.networks.generator import Generator
from translate.networks.graph import Graph, Node

LINEAR, RELU = 1.0, 0.0
"""Slopes below zero of no non-linearity and of ReLU."""


@dataclass(frozen=True)
class Read:
    """A layer as another one reads it: normalised, then values below zero multiplied by `slope`."""

    source: int
    slope: float = LINEAR


@dataclass(frozen=True)
class Layer:
    """Operations on the concatenation of the layers that it reads, or on their sum where `adds`.

    One that reads nothing is the image; one without operations is the concatenation or the sum itself.
    """

    reads: tuple[Read, ...]
    operations: tuple[Operation, ...]
    norm: _NormBase | None  # instance norm or batch norm
    channels: int
    stride: int  # pixels of the image from one of its rows to the next
    adds: bool = False

    @property
    def price(self) -> float:
        """Multiply-adds for one element."""
        return sum(operation.price for operation in self.operations)

    @property
    def needs_statistics(self) -> bool:
        """Whether its norm uses the mean and variance of this image, because it keeps no averages."""
        return self.norm is not None and self.norm.running_mean is None


@dataclass(frozen=True)
class _Value:
    """The value of a node: operations, not yet made a layer, on the concatenation of some reads."""

    reads: tuple[Read, ...]
    operations: tuple[Operation, ...] = ()


def layers_of(generator: Generator, graph: Graph, device: torch.device, dtype: torch.dtype) -> list[Layer]:
    """Make the layers of a generator, with its weights on `device` in `dtype`; norms act as in evaluation mode.

    Args:
        generator: the network whose graph this is.
        graph: its nodes.
        device: where the layers are computed.
        dtype: of the convolutions.
    Returns:
        layers, each behind those that it reads; the last one is what `graph.finish` reads.
    Raises:
        ValueError: a node has settings that cannot be computed in tiles.
    """
    builder = _Builder(generator, graph, device, dtype)
    nodes = list(graph.nodes.values())
    for node in nodes[1:-1]:
        builder.add(node)
    builder.end(nodes[-1].inputs[0])
    if builder.layers[-1].stride != 1:
        raise ValueError("a generator whose result is smaller than the image cannot be run in tiles")
    if any(generator.multiple % layer.stride for layer in builder.layers):
        raise ValueError(f"a generator with such strides needs sides of other multiples than {generator.multiple}")
    return builder.layers


class _Builder:
    """Makes layers out of nodes that are added one after another."""

    def __init__(self, generator: Generator, graph: Graph, device: torch.device, dtype: torch.dtype) -> None:
        self.generator, self.graph, self.device, self.dtype = generator, graph, device, dtype
        self.layers = [Layer((), (), None, generator.in_channels, 1)]
        self.values = {next(iter(graph.nodes)): _Value((Read(0),))}

    def add(self, node: Node) -> None:
        """Compute the value of a node as a function of layers."""
        values = [self.values[source] for source in node.inputs]
        first = values[0]
        if node.kind in ("convolution", "transposed_convolution", "resize"):
            # A chain of operations is one layer, unless something else reads what lies in between.
            if first.operations and len(self.graph.readers(node.inputs[0])) > 1:
                first = self.layer_of(node.inputs[0])
            operation = _operation(node.name, self.generator.get_submodule(node.name), self.device, self.dtype)
            value = _Value(first.reads, (*first.operations, operation))
        elif node.kind == "norm":
            norm = self.generator.get_submodule(node.name)
            assert isinstance(norm, _NormBase)
            value = self._normalised(node, norm)
        elif node.kind == "activation":
            read = self.layer_of(node.inputs[0])
            # Values below zero have been multiplied by a slope that is not negative, so that slopes multiply.
            value = _Value(tuple(replace(each, slope=each.slope * node.slope) for each in read.reads))
        elif node.kind == "concatenation":
            value = _Value(tuple(read for source in node.inputs for read in self.layer_of(source).reads))
        elif node.kind == "addition":
            reads = tuple(self.layer_of(source, alone=True).reads[0] for source in node.inputs)
            channels = self.layers[reads[0].source].channels
            value = self._append(Layer(reads, (), None, channels, self._stride(reads), adds=True))
        else:
            value = first
        self.values[node.name] = value

    def layer_of(self, name: str, alone: bool = False) -> _Value:
        """The value of a node as layers that are read without further operations; they are made if necessary.

        Args:
            name: of the node.
            alone: whether it must be one layer that is read as it is.
        """
        value = self.values[name]
        if value.operations or (alone and len(value.reads) > 1):
            channels = sum(self.layers[read.source].channels for read in value.reads)
            for operation in value.operations:
                channels = operation.channels(channels)
            stride = self._stride(value.reads, value.operations)
            value = self.values[name] = self._append(Layer(value.reads, value.operations, None, channels, stride))
        return value

    def end(self, name: str) -> None:
        """Make the value of a node the last layer, without a norm or a non-linearity that is still to be applied."""
        value = self.layer_of(name)
        if value.reads != (Read(len(self.layers) - 1),) or self.layers[-1].norm is not None:
            self._append(self._concatenation(value.reads))

    def _normalised(self, node: Node, norm: _NormBase) -> _Value:
        (source,) = node.inputs
        # A layer that is made of pending operations here and that nothing else reads may have the norm.
        own = self.values[source].operations and len(self.graph.readers(source)) == 1
        value = self.layer_of(source)
        if not own:
            value = self._append(self._concatenation(value.reads))
        number = value.reads[0].source
        self.layers[number] = replace(self.layers[number], norm=norm)
        return value

    def _concatenation(self, reads: tuple[Read, ...]) -> Layer:
        channels = sum(self.layers[read.source].channels for read in reads)
        return Layer(reads, (), None, channels, self._stride(reads))

    def _append(self, layer: Layer) -> _Value:
        self.layers.append(layer)
        return _Value((Read(len(self.layers) - 1),))

    def _stride(self, reads: Sequence[Read], operations: Sequence[Operation] = ()) -> int:
        stride = Fraction(self.layers[reads[0].source].stride)
        for operation in operations:
            stride *= operation.step
        if stride.denominator != 1:
            raise ValueError("a generator with layers larger than the image cannot be run in tiles")
        return int(stride)


def _operation(name: str, module: nn.Module, device: torch.device, dtype: torch.dtype) -> Operation:
    if isinstance(module, nn.Upsample):
        return Enlargement()
    assert isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
    weight = module.weight.detach().to(device, dtype, memory_format=torch.channels_last)
    bias = None if module.bias is None else module.bias.detach().to(device, dtype)

    def one(setting: str) -> int:
        """A setting that is the same for rows and columns."""
        if isinstance(module.padding, str) or module.padding_mode == "circular":
            raise ValueError(f"{name} has padding of a kind that cannot be run in tiles")
        rows, columns = getattr(module, setting)
        if rows != columns:
            raise ValueError(f"{name} has a {setting} of {rows}×{columns}; only square ones can be run in tiles")
        return int(rows)

    one("kernel_size")
    stride, padding, dilation = one("stride"), one("padding"), one("dilation")
    if isinstance(module, nn.Conv2d):
        return Convolution(weight, bias, stride, padding, dilation, module.padding_mode, module.groups)
    if module.groups != 1 or dilation != 1 or one("output_padding") > padding:
        raise ValueError(f"{name} is a transposed convolution of a kind that cannot be run in tiles")
    return TransposedConvolution(weight, bias, stride, padding, one("output_padding"))
