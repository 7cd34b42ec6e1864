"""The U-Net generator of pix2pix (Isola et al. 2017, https://arxiv.org/abs/1611.07004, appendix 6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, cast

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from translate.networks.blocks import LEAK, generator_bias, make_norm, resize_conv, stage
from translate.networks.generator import Generator
from translate.networks.graph import IMAGE, OUTPUT, Graph
from translate.networks.settings import ConvolutionalGeneratorConfig

DROPOUT_FROM = 4
"""Levels from this one on (the outermost is 0), except the innermost, have dropout in the decoder where it is on."""


class UNetConfig(ConvolutionalGeneratorConfig):
    """A U-Net generator; the defaults are those of 256 pixels."""

    strangers: ClassVar[dict[str, Any]] = {
        "blocks": 9,
        "downsamplings": 2,
        "padding": "reflect",
        "separable": False,
        "attention": False,
        "residual": False,
    }

    architecture: Literal["unet"] = "unet"
    size: int = Field(256, description="smallest image side; a power of two from 32 up; 256 has 8 levels")

    @model_validator(mode="after")
    def _size_is_a_power_of_two(self) -> Self:
        if self.size < 32 or self.size & (self.size - 1):
            raise ValueError(f"size must be a power of two from 32 up, not {self.size}")
        return self

    @property
    def multiple(self) -> int:
        """Height and width of the input must be multiples of this many pixels."""
        return self.size

    def describe(self) -> str:
        """The network in a few words for people."""
        return f"U-Net of {self.size.bit_length() - 1} levels, {self.norm_in_words}"


class UNetGenerator(Generator):
    """Encoder and decoder of log2(size) levels with a skip connection at each: C64-C128-C256-C512-C512-… at any width.

    An image of size × size pixels is 1×1 in the middle. The outermost and the innermost convolution of the encoder have
    no norm. There is dropout in the decoder where it joins levels of 8 × width filters, as the authors' code has it.
    """

    Config = UNetConfig

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.in_channels, self.out_channels = config.in_channels, config.out_channels
        norm, bias = config.norm, generator_bias(config)
        self.multiple = self.size = config.size
        levels = config.size.bit_length() - 1
        channels = [config.width * min(2**level, 8) for level in range(levels)]

        self.down = nn.ModuleList()
        for level, out in enumerate(channels):
            outermost, innermost = level == 0, level == levels - 1
            before = config.in_channels if outermost else channels[level - 1]
            conv = nn.Conv2d(before, out, 4, stride=2, padding=1, bias=bias)
            self.down.append(stage(conv, nn.Identity() if outermost or innermost else make_norm(norm, out)))

        def grow(before: int, out: int, bias: bool) -> nn.Module:
            if config.upsample == "transposed":
                return nn.ConvTranspose2d(before, out, 4, stride=2, padding=1, bias=bias)
            return resize_conv(before, out, "zeros", bias)

        self.up = nn.ModuleList()
        for level in range(levels - 1, 0, -1):
            innermost, out = level == levels - 1, channels[level - 1]
            before = channels[level] if innermost else 2 * channels[level]
            dropout = config.dropout and level >= DROPOUT_FROM and not innermost
            self.up.append(stage(grow(before, out, bias), make_norm(norm, out), dropout=dropout))
        self.head = grow(2 * config.width, config.out_channels, True)

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> (N, out_channels, H, W) in [-1, 1]; H and W multiples of `size`.

        Raises:
            ValueError: H or W is not a multiple of `size`.
        """
        height, width = image.shape[-2:]
        if height % self.size or width % self.size:
            raise ValueError(
                f"this U-Net takes images whose sides are multiples of {self.size} pixels, not {width}×{height}"
            )
        # A skip carries LeakyReLU(x): the ReLU after the concatenation makes of it what it would make of x.
        skips: list[Tensor] = []
        features: Tensor = self.down[0](image)
        for stride in self.down[1:]:
            features = F.leaky_relu(features, LEAK, inplace=True)
            skips.append(features)
            features = stride(features)
        features = F.relu(features, inplace=True)
        for stride in self.up:
            features = F.relu(torch.cat([skips.pop(), stride(features)], dim=1), inplace=True)
        return self.finish(self.head(features), image)

    def finish(self, features: Tensor, image: Tensor) -> Tensor:
        """What the head gives, (N, C, H, W), made an image in [-1, 1]; the input `image` is not needed for it."""
        return torch.tanh(features)

    def graph(self) -> Graph:
        """The encoder's levels, then the decoder's, each reading its skip connection beside what lies below it."""
        graph = Graph(self.finish)
        layer = graph.add_module("down.0", self.down[0], IMAGE)
        skips = []
        for level, stride in enumerate(self.down[1:], start=1):
            layer = graph.add(f"down.{level}.activation", "activation", layer, slope=LEAK)
            skips.append(layer)
            layer = graph.add_module(f"down.{level}", stride, layer)
        layer = graph.add("middle.activation", "activation", layer)
        for number, stride in enumerate(self.up):
            grown = graph.add_module(f"up.{number}", stride, layer)
            layer = graph.add(f"up.{number}.concatenation", "concatenation", skips.pop(), grown)
            layer = graph.add(f"up.{number}.activation", "activation", layer)
        layer = graph.add_module("head", self.head, layer)
        graph.add(OUTPUT, "output", layer)
        return graph

    @property
    def feature_layers(self) -> Mapping[str, int]:
        """The image and the encoder's levels before their activations: `down.0.norm`, `down.1.norm`, …"""
        convs = [cast(nn.Conv2d, stride.get_submodule("conv")) for stride in self.down]
        return {IMAGE: self.in_channels} | {f"down.{level}.norm": conv.out_channels for level, conv in enumerate(convs)}
