"""A generator's layers as data: what reads what, and which module computes it.

What must look inside a generator (tiling, fusing, quantisation, export, encoder features for PatchNCE) reads this and
never asks which class the generator is of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _NormBase

Kind: TypeAlias = Literal[
    "input",
    "convolution",
    "transposed_convolution",
    "resize",
    "norm",
    "activation",
    "identity",
    "concatenation",
    "addition",
    "output",
]

IMAGE, OUTPUT = "image", "output"
"""Names of the first node, the image, and of the last one, the translation."""


@dataclass(frozen=True)
class Node:
    """One operation of a generator.

    - `input`: the image (N, C, H, W).
    - `convolution` (nn.Conv2d, its padding included), `transposed_convolution` (nn.ConvTranspose2d), `resize`
      (nn.Upsample by 2, nearest neighbour), `norm` (instance norm or batch norm), `identity` (nn.Identity, or
      dropout, which is one in evaluation mode): one input; the node has the name of the submodule that computes it.
    - `activation`: ReLU or LeakyReLU of one input; values below zero are multiplied by `slope`.
    - `concatenation` of the channels of its inputs, in their order; `addition` of two inputs.
    - `output`: `Graph.finish`, applied to the first input and the image. Where the image decides the result too (a
      residual generator), it is the second input.
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...] = ()
    slope: float = 0.0


class Graph:
    """The nodes of a generator in an order in which each comes after its inputs; the last is the output.

    Args:
        finish: what the last layer gives, (N, C, h, w), and the same region of the input image, both in float32 ->
            that region of the translation, in [-1, 1]. It treats every pixel by itself.
    """

    def __init__(self, finish: Callable[[Tensor, Tensor], Tensor]) -> None:
        self.finish = finish
        self.nodes: dict[str, Node] = {IMAGE: Node(IMAGE, "input")}

    def add(self, name: str, kind: Kind, *inputs: str, slope: float = 0.0) -> str:
        """Add a node and return its name.

        Raises:
            ValueError: the name is taken, or an input is not there yet.
        """
        if name in self.nodes:
            raise ValueError(f"the graph has a node called {name} already")
        for source in inputs:
            if source not in self.nodes:
                raise ValueError(f"{name} reads {source}, which the graph lacks")
        self.nodes[name] = Node(name, kind, inputs, slope)
        return name

    def add_module(self, name: str, module: nn.Module, source: str) -> str:
        """Add the layers of a submodule called `name` that reads `source`, those of an nn.Sequential one after another.

        Returns:
            the name of the last node.
        Raises:
            TypeError: a layer is of none of the kinds above.
        """
        if isinstance(module, nn.Sequential):
            for child, layer in module.named_children():
                source = self.add_module(f"{name}.{child}", layer, source)
            return source
        return self.add(name, _kind(name, module), source, slope=getattr(module, "negative_slope", 0.0))

    def readers(self, name: str) -> list[Node]:
        """The nodes that read a node; one that reads it twice is there twice."""
        return [node for node in self.nodes.values() for source in node.inputs if source == name]

    def strides(self, generator: nn.Module) -> dict[str, Fraction]:
        """For each node, how many pixels of the image lie between one of its rows and the next."""
        strides = {IMAGE: Fraction(1)}
        for node in self.nodes.values():
            if node.kind == "input":
                continue
            stride = strides[node.inputs[0]]
            if node.kind == "resize":
                stride /= 2
            elif node.kind in ("convolution", "transposed_convolution"):
                step: int = generator.get_submodule(node.name).stride[0]  # type: ignore[index, assignment]
                stride = stride * step if node.kind == "convolution" else stride / step
            strides[node.name] = stride
        return strides

    def evaluate(self, generator: nn.Module, image: Tensor, wanted: Sequence[str]) -> list[Tensor]:
        """Compute some nodes, and only what these are made of.

        Args:
            generator: the network whose graph this is.
            image: (N, C, H, W) in [-1, 1].
            wanted: names of nodes.
        Returns:
            a tensor (N, C, h, w) for each, in the order of `wanted`.
        """
        needed = self._ancestors(wanted)
        remaining = Counter(source for name in needed for source in self.nodes[name].inputs)
        values: dict[str, Tensor] = {}
        results: dict[str, Tensor] = {}
        for name, node in self.nodes.items():
            if name not in needed:
                continue
            inputs = [values[source] for source in node.inputs]
            values[name] = image if node.kind == "input" else self._compute(node, generator, inputs, image)
            if name in wanted:
                results[name] = values[name]
            for source in node.inputs:
                remaining[source] -= 1
                if not remaining[source]:
                    values.pop(source, None)  # frees its memory
        return [results[name] for name in wanted]

    def _compute(self, node: Node, generator: nn.Module, inputs: Sequence[Tensor], image: Tensor) -> Tensor:
        if node.kind == "activation":
            return F.leaky_relu(inputs[0], node.slope) if node.slope else F.relu(inputs[0])
        if node.kind == "concatenation":
            return torch.cat(list(inputs), dim=1)
        if node.kind == "addition":
            return inputs[0] + inputs[1]
        if node.kind == "output":
            return self.finish(inputs[0], image)
        made: Tensor = generator.get_submodule(node.name)(inputs[0])
        return made

    def _ancestors(self, names: Collection[str]) -> set[str]:
        """These nodes and all that they are made of."""
        needed = set(names)
        for node in reversed(self.nodes.values()):
            if node.name in needed:
                needed |= set(node.inputs)
        return needed


def _kind(name: str, module: nn.Module) -> Kind:
    if isinstance(module, nn.Conv2d):
        return "convolution"
    if isinstance(module, nn.ConvTranspose2d):
        return "transposed_convolution"
    if isinstance(module, _NormBase):
        return "norm"
    if isinstance(module, (nn.ReLU, nn.LeakyReLU)):
        return "activation"
    if isinstance(module, (nn.Identity, nn.Dropout, nn.Dropout2d)):
        return "identity"
    if isinstance(module, nn.Upsample) and module.mode == "nearest" and module.scale_factor == 2:
        return "resize"
    raise TypeError(f"{name} is a {type(module).__name__}, and a graph has no node of that kind")
