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

from translate.networks.generator import Generator, graph_of
from translate.networks.graph import IMAGE, OUTPUT, Graph

# Which of the three weights of a side (columns) read which of two neighbouring pixels (rows), for the second of the two
# pixels made out of the first neighbour, and for the first of the two made out of the second.
_SHARES = torch.tensor([[[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]])

MOST_AT_ONCE = 16
"""Channels that a vector unit computes at once."""


def fuse(generator: nn.Module, dtype: torch.dtype = torch.float32) -> nn.Module:
    """Copy a generator and rewrite the copy so that it computes the same with less work.

    Args:
        generator: a network in evaluation mode, float32; it is left as it is. One without a graph keeps its layers.
        dtype: of the convolutions and of what lies between them. Whatever it is, images come and go as float32, and
            `Graph.finish` is done in it. Without a graph, autocast chooses what is computed in it.
    Returns:
        (N, in_channels, H, W) float32 in [-1, 1] -> (N, out_channels, H, W) float32 in [-1, 1], sides as the generator
        takes them. In float32 it differs from the generator by rounding only.
    """
    fused = copy.deepcopy(generator)
    for layer in fused.modules():
        if parametrize.is_parametrized(layer, "weight"):
            parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
    graph = graph_of(fused)
    if graph is not None:
        _replace_resizes(fused, graph)
        _replace_head(cast(Generator, fused), graph)
    if dtype != torch.float32:
        fused = Autocast(fused, dtype) if graph is None else _convert(fused, graph, dtype)
    return fused.eval().requires_grad_(False)


def _replace_resizes(network: nn.Module, graph: Graph) -> None:
    """Replace each resize that only a 3×3 convolution reads, and that convolution, by one transposed convolution."""
    for node in graph.nodes.values():
        readers = graph.readers(node.name)
        if node.kind != "resize" or len(readers) != 1 or readers[0].kind != "convolution":
            continue
        conv = cast(nn.Conv2d, network.get_submodule(readers[0].name))
        settings = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups)
        if settings == ((3, 3), (1, 1), (1, 1), (1, 1), 1) and conv.padding_mode != "circular":
            network.set_submodule(node.name, nn.Identity())
            network.set_submodule(readers[0].name, _without_resize(conv))


def _replace_head(network: Generator, graph: Graph) -> None:
    """Let the last layer compute four pixels at once, if it is a convolution that keeps an even size."""
    last = graph.nodes[graph.nodes[OUTPUT].inputs[0]]
    if last.kind != "convolution" or len(graph.readers(last.name)) > 1 or network.multiple % 2:
        return
    conv = network.get_submodule(last.name)
    if not isinstance(conv, nn.Conv2d) or conv.padding_mode not in _BORDERS or conv.out_channels > MOST_AT_ONCE // 4:
        return  # or it is what was made of a resize and a convolution
    side = conv.kernel_size[0]
    settings = (conv.kernel_size, conv.stride, conv.padding, conv.dilation, conv.groups)
    if side % 2 and side > 1 and settings == ((side, side), (1, 1), (side // 2, side // 2), (1, 1), 1):
        network.set_submodule(last.name, SquareConv2d(conv))


def _reading_the_image(graph: Graph) -> list[str]:
    """The convolutions that read the image, with at most operations without weights in between."""
    of_image = {IMAGE}
    convolutions = []
    for node in graph.nodes.values():
        if of_image.intersection(node.inputs):
            if node.kind in ("convolution", "transposed_convolution"):
                convolutions.append(node.name)
            elif node.kind != "output":
                of_image.add(node.name)
    return convolutions


def _convert(network: nn.Module, graph: Graph, dtype: torch.dtype) -> nn.Module:
    """Let convolutions compute in `dtype`, and convert the image and the last layer's result from and to float32."""
    last = graph.nodes[graph.nodes[OUTPUT].inputs[0]]
    if last.kind not in ("convolution", "transposed_convolution", "norm"):
        return Autocast(network, dtype)  # no module to put the conversion behind
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.to(dtype)  # norms compute their statistics in float32 anyway
    for name in _reading_the_image(graph):
        network.set_submodule(name, nn.Sequential(Cast(dtype), network.get_submodule(name)))
    network.set_submodule(last.name, nn.Sequential(network.get_submodule(last.name), Cast(torch.float32)))
    return network


class Cast(nn.Module):
    """Converts to another precision."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, features: Tensor) -> Tensor:
        """Round features to the precision."""
        return features.to(self.dtype)


class Autocast(nn.Module):
    """A network in another precision whose layers are not known: autocast chooses what is computed in it."""

    def __init__(self, network: nn.Module, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float32 -> (N, C', H, W) float32."""
        with torch.autocast(images.device.type, self.dtype):
            made: Tensor = self.network(images)
        return made.float()


_BORDERS = {"reflect": nn.ReflectionPad2d, "replicate": nn.ReplicationPad2d, "zeros": nn.ZeroPad2d}


class SquareConv2d(nn.Module):
    """A convolution of stride 1 that makes the four pixels of each 2×2 square at once; sides must be even."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        made, read, side, _ = conv.weight.shape
        weight = conv.weight.new_zeros(made, 2, 2, read, side + 1, side + 1)
        for row in range(2):
            for column in range(2):
                weight[:, row, column, :, row : row + side, column : column + side] = conv.weight
        self.pad = _BORDERS[conv.padding_mode](side // 2)
        self.conv = nn.Conv2d(read, 4 * made, side + 1, stride=2, bias=conv.bias is not None)
        self.conv.weight = nn.Parameter(weight.reshape(4 * made, read, side + 1, side + 1))
        if conv.bias is not None:
            self.conv.bias = nn.Parameter(conv.bias.repeat_interleave(4))
        self.shuffle = nn.PixelShuffle(2)

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        made: Tensor = self.shuffle(self.conv(self.pad(features)))
        return made


def _without_resize(conv: nn.Conv2d) -> nn.Module:
    """A nearest-neighbour resize by 2 and this 3×3 convolution behind it, as one transposed convolution.

    Reflected and repeated borders of the resized image are the same, since its rows and columns come in equal pairs;
    both are the repeated border of the image before the resize.
    """
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
