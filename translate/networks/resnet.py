"""The ResNet generator of Johnson et al. 2016 (https://arxiv.org/abs/1603.08155), as CycleGAN uses it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from translate.networks.blocks import generator_bias, make_norm, resize_conv, separable_conv, stage
from translate.networks.generator import Generator
from translate.networks.graph import IMAGE, OUTPUT, Graph
from translate.networks.settings import ConvolutionalGeneratorConfig, Padding

REACH = 0.98
"""A residual generator's input is scaled by this, so that the inverse of tanh is finite for black and white."""


class ResNetConfig(ConvolutionalGeneratorConfig):
    """A ResNet generator; the defaults are CycleGAN's for images of 256 pixels."""

    strangers: ClassVar[dict[str, Any]] = {"size": 256, "attention": False}

    architecture: Literal["resnet"] = "resnet"
    blocks: int = Field(9, ge=0, le=64, description="residual blocks in the middle")
    downsamplings: int = Field(2, ge=0, le=6, description="stride-2 stages before the blocks")
    padding: Padding = Field("reflect", description="padding of the blocks")
    separable: bool = Field(False, description="depthwise-separable convolutions in the blocks")
    residual: bool = Field(False, description="draw a change of the input instead of a new picture; colours stay")

    @model_validator(mode="after")
    def _input_can_show(self) -> Self:
        if self.residual and self.in_channels != self.out_channels:
            raise ValueError("residual needs as many in_channels as out_channels: the input shows in the output")
        return self

    @property
    def multiple(self) -> int:
        """Height and width of the input must be multiples of this many pixels."""
        return int(2**self.downsamplings)

    def describe(self) -> str:
        """The network in a few words for people."""
        return f"ResNet with {self.blocks} blocks, {self.norm_in_words}"


class ResNetGenerator(Generator):
    """c7s1-64, d128, d256, R256 × blocks, u128, u64, c7s1-3 in the words of the CycleGAN paper's appendix; any width.

    Channels double with each of `downsamplings` stride-2 stages, stay through the residual blocks, and halve again.
    A compact generator is this one with a small width.
    """

    Config = ResNetConfig

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.in_channels, self.out_channels = config.in_channels, config.out_channels
        self.multiple, self.residual = 2**config.downsamplings, config.residual
        norm, bias = config.norm, generator_bias(config)
        channels = [config.width * 2**level for level in range(config.downsamplings + 1)]
        stem = nn.Conv2d(config.in_channels, config.width, 7, padding=3, padding_mode="reflect", bias=bias)

        self.stem = stage(stem, make_norm(norm, config.width), nn.ReLU(inplace=True))
        self.down = nn.Sequential()
        for narrow, wide in pairwise(channels):
            conv = nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=bias)
            self.down.append(stage(conv, make_norm(norm, wide), nn.ReLU(inplace=True)))
        self.blocks = nn.Sequential(*(ResidualBlock(channels[-1], config) for _ in range(config.blocks)))
        self.up = nn.Sequential()
        for wide, narrow in pairwise(reversed(channels)):
            grow: nn.Module
            if config.upsample == "transposed":
                grow = nn.ConvTranspose2d(wide, narrow, 3, stride=2, padding=1, output_padding=1, bias=bias)
            else:
                grow = resize_conv(wide, narrow, config.padding, bias)
            self.up.append(stage(grow, make_norm(norm, narrow), nn.ReLU(inplace=True)))
        self.head = nn.Conv2d(config.width, config.out_channels, 7, padding=3, padding_mode="reflect")

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> (N, out_channels, H, W) in [-1, 1].

        H and W are multiples of 2**downsamplings; other sides come out rounded up to the next multiple. Reflection
        needs sides of 4 pixels at least, and of 2 after the stride-2 stages.
        """
        return self.finish(self.head(self.up(self.blocks(self.down(self.stem(image))))), image)

    def finish(self, features: Tensor, image: Tensor) -> Tensor:
        """What the head gives, (N, C, H, W), and the input image, made an image in [-1, 1].

        A residual generator draws a change of its input, added where the tanh begins: drawing nothing leaves REACH
        times the input, any picture can still be made, and the gradient never vanishes.
        """
        return torch.tanh(features + torch.atanh(REACH * image)) if self.residual else torch.tanh(features)

    def graph(self) -> Graph:
        """Stem, stride-2 stages, residual blocks (each an addition called `blocks.N`), upsampling stages, head."""
        graph = Graph(self.finish)
        layer = graph.add_module("stem", self.stem, IMAGE)
        layer = graph.add_module("down", self.down, layer)
        for number, block in self.blocks.named_children():
            residual = graph.add_module(f"blocks.{number}", block, layer)
            layer = graph.add(f"blocks.{number}", "addition", layer, residual)
        layer = graph.add_module("up", self.up, layer)
        layer = graph.add_module("head", self.head, layer)
        graph.add(OUTPUT, "output", layer, *((IMAGE,) if self.residual else ()))
        return graph

    @property
    def feature_layers(self) -> Mapping[str, int]:
        """The encoder's layers and the blocks' outputs, numbered as in CUT's published code without anti-aliasing.

        There (taesungp/contrastive-unpaired-translation, `--no_antialias`) the generator is one nn.Sequential, and with
        two downsamplings its members are 0 the padded image; 1, 2, 3 convolution, norm, ReLU of the stem; 4, 5, 6 and
        7, 8, 9 those of the stride-2 stages; from 10 on the blocks. CUT compares 0, 4, 8, 12 and 16 of its
        anti-aliased generator, in which a stage has one member more: the padded image, the stages' convolutions and
        the outputs of the first and the fifth block. Here these are called `image`, `down.0.conv`, `down.1.conv`,
        `blocks.0` and `blocks.4` (0, 4, 7, 10, 14), the stages' with half as many rows and columns, because ours have
        stride 2 in the convolution and not in a blur behind it. Features of a norm are given before the ReLU; the
        published code gives them after it (its 8 is our 9), because its ReLU overwrites its input.
        """
        channels, layers = self.in_channels, {IMAGE: self.in_channels}
        for name, module in self.named_modules():  # not the graph: TorchScript reads this of fused networks too
            if name.startswith(("stem.", "down.")) and not list(module.children()):
                if isinstance(module, nn.Conv2d):
                    channels = module.out_channels
                layers[name] = channels
        return layers | {f"blocks.{number}": channels for number in range(len(self.blocks))}

    def features(self, image: Tensor, layers: Sequence[int | str]) -> list[Tensor]:
        """Encoder features as in `Generator.features`; `image` is given with the border that the stem reflects."""
        features = super().features(image, layers)
        names = self.feature_names(layers)
        return [
            F.pad(feature, [3] * 4, mode="reflect") if name == IMAGE else feature
            for name, feature in zip(names, features, strict=True)
        ]


class ResidualBlock(nn.Sequential):
    """x + F(x), F being two 3×3 convolutions with their norms, a ReLU (and dropout) between them."""

    def __init__(self, channels: int, config: ResNetConfig) -> None:
        bias = generator_bias(config)

        def conv() -> nn.Module:
            if config.separable:
                return separable_conv(channels, channels, config.padding, bias)
            return nn.Conv2d(channels, channels, 3, padding=1, padding_mode=config.padding, bias=bias)

        layers: dict[str, nn.Module] = {"conv1": conv(), "norm1": make_norm(config.norm, channels)}
        layers["activation"] = nn.ReLU(inplace=True)
        if config.dropout:
            layers["dropout"] = nn.Dropout(0.5)
        super().__init__(OrderedDict(layers, conv2=conv(), norm2=make_norm(config.norm, channels)))

    def forward(self, features: Tensor) -> Tensor:
        """(N, channels, H, W) -> (N, channels, H, W)."""
        residual: Tensor = super().forward(features)  # type: ignore[no-untyped-call]
        return features + residual
