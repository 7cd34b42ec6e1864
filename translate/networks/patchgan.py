"""Discriminators that judge patches: PatchGAN of any depth, and single pixels (Isola et al. 2017, section 3.2)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn

from translate.networks.blocks import LEAK, has_bias, make_norm, stage
from translate.networks.settings import ConvolutionalDiscriminatorConfig


class PatchConfig(ConvolutionalDiscriminatorConfig):
    """A PatchGAN: judges overlapping patches of the image (70×70 pixels with three layers)."""

    kind: Literal["patch"] = "patch"
    layers: int = Field(3, ge=1, description="stride-2 stages; 3 sees patches of 70×70 pixels")


class PatchDiscriminator(nn.Module):
    """PatchGAN: C64-C128-C256-C512 for three layers, each logit seeing 70×70 pixels (paper, appendix 6.1.2)."""

    Config = PatchConfig

    def __init__(self, config: PatchConfig, in_channels: int) -> None:
        super().__init__()
        bias = has_bias(config.norm)
        channels = [config.width * min(2**level, 8) for level in range(config.layers + 1)]

        # The first convolution has no norm; the last before the head has no stride.
        stem = nn.Conv2d(in_channels, channels[0], 4, stride=2, padding=1)
        self.layers = nn.Sequential(stage(stem, nn.Identity(), nn.LeakyReLU(LEAK, inplace=True)))
        for level in range(1, config.layers + 1):
            stride = 2 if level < config.layers else 1
            conv = nn.Conv2d(channels[level - 1], channels[level], 4, stride=stride, padding=1, bias=bias)
            norm = make_norm(config.norm, channels[level])
            self.layers.append(stage(conv, norm, nn.LeakyReLU(LEAK, inplace=True)))
        self.head = nn.Conv2d(channels[-1], 1, 4, stride=1, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> logits (N, 1, H / 2**layers - 2, W / 2**layers - 2)."""
        logits: Tensor = self.head(self.layers(image))
        return logits


class PixelConfig(ConvolutionalDiscriminatorConfig):
    """A PixelGAN: judges single pixels, by their colours alone."""

    kind: Literal["pixel"] = "pixel"

    @model_validator(mode="before")
    @classmethod
    def _has_no_layers(cls, given: Any) -> Any:
        # Files of format version 1 list the layers of a PatchGAN for every discriminator.
        return {name: value for name, value in given.items() if name != "layers"} if isinstance(given, dict) else given


class PixelDiscriminator(nn.Module):
    """1×1 PatchGAN (PixelGAN): C64-C128, every convolution 1×1 (paper, appendix 6.1.2)."""

    Config = PixelConfig

    def __init__(self, config: PixelConfig, in_channels: int) -> None:
        super().__init__()
        bias, width = has_bias(config.norm), config.width
        stem, conv = nn.Conv2d(in_channels, width, 1), nn.Conv2d(width, 2 * width, 1, bias=bias)
        self.layers = nn.Sequential(
            stage(stem, nn.Identity(), nn.LeakyReLU(LEAK, inplace=True)),
            stage(conv, make_norm(config.norm, 2 * width), nn.LeakyReLU(LEAK, inplace=True)),
        )
        self.head = nn.Conv2d(2 * width, 1, 1, bias=bias)

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> logits (N, 1, H, W)."""
        logits: Tensor = self.head(self.layers(image))
        return logits
