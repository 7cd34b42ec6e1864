"""Generators and discriminators: pure modules, no files, no globals.

State-dict keys say what they are: `stem.conv.weight`, `down.0.norm.bias`, `blocks.3.conv1.weight`, `up.1.conv.weight`,
`head.bias`; `layers.2.conv.weight` in a discriminator.
"""

from __future__ import annotations

from torch import nn

from translate.config import DiscriminatorConfig, GeneratorConfig
from translate.networks.blocks import init_weights, normalise_spectrally, synchronise, use_image_statistics
from translate.networks.patchgan import PatchDiscriminator, PixelDiscriminator
from translate.networks.resnet import ResNetGenerator
from translate.networks.unet import UNetGenerator

__all__ = [
    "PatchDiscriminator",
    "PixelDiscriminator",
    "ResNetGenerator",
    "UNetGenerator",
    "build_discriminator",
    "build_generator",
    "synchronise",
    "use_image_statistics",
]


def build_generator(config: GeneratorConfig) -> nn.Module:
    """A generator with freshly drawn weights (torch's global generator), in training mode, on the CPU.

    Its forward takes (N, in_channels, H, W) in [-1, 1], sides multiples of `config.multiple`, and gives
    (N, out_channels, H, W) in [-1, 1].
    """
    network = UNetGenerator(config) if config.architecture == "unet" else ResNetGenerator(config)
    return _finish(network, config)


def build_discriminator(config: DiscriminatorConfig, in_channels: int) -> nn.Module:
    """A discriminator with freshly drawn weights (torch's global generator), in training mode, on the CPU.

    Its forward takes (N, in_channels, H, W) in [-1, 1] and gives logits (N, 1, h, w), one for each patch. pix2pix's
    discriminator sees A and B together: `in_channels` is the sum of their channels.
    """
    network = PixelDiscriminator if config.architecture == "pixel" else PatchDiscriminator
    return _finish(network(config, in_channels), config)


def _finish(network: nn.Module, config: GeneratorConfig | DiscriminatorConfig) -> nn.Module:
    init_weights(network, config.init, config.init_gain)
    if config.spectral_norm:
        normalise_spectrally(network)
    return network
