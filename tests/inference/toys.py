"""Generators that only the tests know: a plain network with and without a graph, and one with an unusual graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from translate.networks.generator import Generator
from translate.networks.graph import IMAGE, OUTPUT, Graph


class PlainGenerator(Generator):
    """Three convolutions that keep the size; it does not describe its layers."""

    in_channels = out_channels = 3
    multiple = 4  # larger than it needs, as the checkpoints of the tests say

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 5, padding=2, padding_mode="replicate"),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, padding=2, dilation=2),
            nn.LeakyReLU(0.1),
            nn.Conv2d(16, 3, 3, padding=1, padding_mode="reflect", bias=False),
        )

    def forward(self, image: Tensor) -> Tensor:
        return torch.tanh(self.layers(image))


class DescribedGenerator(PlainGenerator):
    """The same network with a graph."""

    def graph(self) -> Graph:
        graph = Graph(lambda features, image: torch.tanh(features))
        graph.add(OUTPUT, "output", graph.add_module("layers", self.layers, IMAGE))
        return graph


class BranchedGenerator(Generator):
    """A network whose graph has what a ResNet's and a U-Net's have not.

    Three layers read the result of one convolution, one of them through a norm and the others not; a concatenation is
    normalised; a non-linearity comes before a norm; batch norm has no averages and uses the image's statistics; the
    image is read again at the end; the last layer is an addition; and the result depends on the image.
    """

    in_channels, out_channels, multiple = 3, 3, 4

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.down = nn.Conv2d(8, 8, 4, stride=4)
        self.wide = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.calm = nn.Sequential(nn.Dropout(), nn.BatchNorm2d(8, track_running_stats=False))
        self.norm = nn.InstanceNorm2d(16, affine=True)
        self.late = nn.BatchNorm2d(16)
        self.up = nn.Sequential(nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2))
        self.narrow = nn.Conv2d(16, 3, 3, padding=1)
        self.again = nn.Conv2d(3, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        stem = self.stem(image)
        down = self.down(stem)
        joined = torch.relu(self.norm(torch.cat([down, self.wide(down) + self.calm(down)], dim=1)))
        return self.finish(self.narrow(self.up(self.late(joined))) + self.again(image), image)

    def finish(self, features: Tensor, image: Tensor) -> Tensor:
        return torch.tanh(features) * 0.9 + 0.1 * image

    def graph(self) -> Graph:
        graph = Graph(self.finish)
        down = graph.add_module("down", self.down, graph.add_module("stem", self.stem, IMAGE))
        wide = graph.add_module("wide", self.wide, down)
        both = graph.add("both", "addition", wide, graph.add_module("calm", self.calm, down))
        joined = graph.add("joined", "concatenation", down, both)
        normed = graph.add("active", "activation", graph.add_module("norm", self.norm, joined))
        grown = graph.add_module("up", self.up, graph.add_module("late", self.late, normed))
        narrow = graph.add_module("narrow", self.narrow, grown)
        total = graph.add("sum", "addition", narrow, graph.add_module("again", self.again, IMAGE))
        graph.add(OUTPUT, "output", total, IMAGE)
        return graph


def drawn(network: Generator) -> Generator:
    """In evaluation mode, with weights whose result is far from grey."""
    torch.manual_seed(0)
    for name, weight in [*network.named_parameters(), *network.named_buffers()]:
        if name.endswith("running_var"):
            nn.init.uniform_(weight, 0.5, 2.0)
        elif weight.is_floating_point():
            nn.init.normal_(weight, 0.0, 0.3)
    return network.eval().requires_grad_(False)
