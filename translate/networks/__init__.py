"""Generators and discriminators: pure modules, no files, no globals.

Each network is one room: a settings class, the module that is built from it, and one line in a registry below.
State-dict keys say what they are: `stem.conv.weight`, `down.0.norm.bias`, `blocks.3.conv1.weight`, `up.1.conv.weight`,
`head.bias`; `layers.2.conv.weight` in a discriminator.
"""

from __future__ import annotations

from typing import Annotated, Any

from torch import nn

from translate.networks.blocks import init_weights, normalise_spectrally, synchronise, use_image_statistics
from translate.networks.generator import Generator
from translate.networks.settings import DiscriminatorConfig, GeneratorConfig
from translate.registry import Registry
from translate.settings import ChosenByName

__all__ = [
    "BY_KIND",
    "DISCRIMINATORS",
    "GENERATORS",
    "AnyDiscriminator",
    "AnyGenerator",
    "DiscriminatorConfig",
    "GeneratorConfig",
    "build_discriminator",
    "build_generator",
    "discriminator_config",
    "generator_config",
    "synchronise",
    "use_image_statistics",
]

GENERATORS: Registry[Any] = Registry(
    "generator",
    {
        "resnet": "translate.networks.resnet:ResNetGenerator",
        "unet": "translate.networks.unet:UNetGenerator",
    },
)
DISCRIMINATORS: Registry[Any] = Registry(
    "discriminator",
    {
        "patch": "translate.networks.patchgan:PatchDiscriminator",
        "pixel": "translate.networks.patchgan:PixelDiscriminator",
        "multiscale": "translate.networks.patchgan:MultiScaleDiscriminator",
        "projected": "translate.networks.projected:ProjectedDiscriminator",
    },
)

AnyGenerator = Annotated[GeneratorConfig, ChosenByName(GENERATORS, "architecture", default="resnet")]
"""Type of a field that holds the settings of any registered generator; without a name they are a ResNet's."""
BY_KIND = ChosenByName(DISCRIMINATORS, "kind", default="patch")
"""How the settings of a discriminator are chosen."""
AnyDiscriminator = Annotated[DiscriminatorConfig, BY_KIND]
"""Type of a field that holds the settings of any registered discriminator; without a name they are a PatchGAN's."""


def generator_config(architecture: Any = "resnet", **settings: Any) -> Any:
    """The settings of a generator by its name, e.g. `generator_config("unet", size=128)`."""
    return GENERATORS[architecture].Config(**settings)


def discriminator_config(kind: Any = "patch", **settings: Any) -> Any:
    """The settings of a discriminator by its name, e.g. `discriminator_config("pixel", width=32)`."""
    return DISCRIMINATORS[kind].Config(**settings)


def build_generator(config: GeneratorConfig) -> Generator:
    """A generator with freshly drawn weights (torch's global generator), in training mode, on the CPU.

    Its forward takes (N, in_channels, H, W) in [-1, 1], sides multiples of `config.multiple`, and gives
    (N, out_channels, H, W) in [-1, 1].
    """
    network: Generator = GENERATORS[config.architecture](config)
    _draw(network, config)
    return network


def build_discriminator(config: DiscriminatorConfig, in_channels: int) -> nn.Module:
    """A discriminator with freshly drawn weights (torch's global generator), in training mode, on the CPU.

    Its forward takes (N, in_channels, H, W) in [-1, 1] and gives logits (N, 1, h, w), one for each patch, or a list of
    such tensors where it judges at several scales. pix2pix's discriminator sees A and B together: `in_channels` is
    the sum of their channels.
    """
    network: nn.Module = DISCRIMINATORS[config.kind](config, in_channels)
    _draw(network, config)
    return network


def _draw(network: nn.Module, config: Any) -> None:
    """Draw the weights as the settings say; a network without these settings has drawn its own."""
    if hasattr(config, "init"):
        init_weights(network, config.init, config.init_gain)
    if getattr(config, "spectral_norm", False):
        normalise_spectrally(network)
