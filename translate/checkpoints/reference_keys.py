"""State dicts of pytorch-CycleGAN-and-pix2pix under our names, and ours under its names.

Names and shapes alone tell the architecture. For every network one table lists the layers as they are called here and
there; both directions of the conversion follow it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import count

import torch
from torch import Tensor, nn

from translate.checkpoints.architecture import empty_generator
from translate.networks import DiscriminatorConfig, GeneratorConfig, build_discriminator
from translate.networks.blocks import has_bias
from translate.networks.patchgan import PatchConfig, PixelConfig
from translate.networks.resnet import ResNetConfig
from translate.networks.settings import Norm
from translate.networks.unet import UNetConfig

AVERAGES = ("running_mean", "running_var", "num_batches_tracked")

# ----------------------------------------------------------------------------------------------------------- the tables


def generator_layers(config: GeneratorConfig) -> dict[str, str]:
    """Names of a generator's layers: here → in the reference. Raises ValueError for what the reference lacks."""
    if not isinstance(config, ResNetConfig | UNetConfig):
        raise ValueError(f"the reference implementation has no {config.architecture} generator")
    lacking = {
        "spectral normalisation": config.spectral_norm,
        "a residual output": isinstance(config, ResNetConfig) and config.residual,
        "other biases than the published ones": config.bias not in (None, has_bias(config.norm)),
        "upsampling by resizing": config.upsample == "resize",
        "separable blocks": isinstance(config, ResNetConfig) and config.separable,
        "other padding than reflection": isinstance(config, ResNetConfig) and config.padding != "reflect",
        "another number of downsamplings than two": isinstance(config, ResNetConfig) and config.downsamplings != 2,
    }
    for feature, wanted in lacking.items():
        if wanted:
            raise ValueError(f"the reference implementation has no generator with {feature}")
    return _unet_layers(config) if isinstance(config, UNetConfig) else _resnet_layers(config)


def _resnet_layers(config: ResNetConfig) -> dict[str, str]:
    """One flat list of layers, counted with padding and activations: `model.1`, `model.10.conv_block.5`, …"""
    layers = {"stem.conv": "model.1", "stem.norm": "model.2"}
    for level in range(2):
        layers |= {f"down.{level}.conv": f"model.{4 + 3 * level}", f"down.{level}.norm": f"model.{5 + 3 * level}"}
    second = 6 if config.dropout else 5  # dropout takes a place between the convolutions of a block
    for block in range(config.blocks):
        ours, theirs = f"blocks.{block}", f"model.{10 + block}.conv_block"
        layers |= {f"{ours}.conv1": f"{theirs}.1", f"{ours}.norm1": f"{theirs}.2"}
        layers |= {f"{ours}.conv2": f"{theirs}.{second}", f"{ours}.norm2": f"{theirs}.{second + 1}"}
    after = 10 + config.blocks
    for level in range(2):
        layers |= {
            f"up.{level}.conv": f"model.{after + 3 * level}",
            f"up.{level}.norm": f"model.{after + 1 + 3 * level}",
        }
    return layers | {"head": f"model.{after + 7}"}


def _unet_layers(config: UNetConfig) -> dict[str, str]:
    """Blocks within blocks: each level holds its downward layers, the next level, its upward layers."""
    levels = config.size.bit_length() - 1
    layers = {"down.0.conv": "model.model.0", "head": "model.model.3"}
    inside = "model.model.1.model"
    for level in range(1, levels):
        innermost = level == levels - 1
        down, up = f"down.{level}", f"up.{levels - 1 - level}"
        layers |= {f"{down}.conv": f"{inside}.1", f"{down}.norm": f"{inside}.2"}
        layers |= {f"{up}.conv": f"{inside}.{3 if innermost else 5}", f"{up}.norm": f"{inside}.{4 if innermost else 6}"}
        inside += ".3.model"
    return layers


def discriminator_layers(config: DiscriminatorConfig) -> dict[str, str]:
    """Names of a discriminator's layers: here → in the reference. Raises ValueError for what the reference lacks."""
    if config.spectral_norm:
        raise ValueError("the reference implementation has no discriminator with spectral normalisation")
    if config.kind == "pixel":
        return {"layers.0.conv": "net.0", "layers.1.conv": "net.2", "layers.1.norm": "net.3", "head": "net.5"}
    layers = {"layers.0.conv": "model.0", "head": f"model.{2 + 3 * config.layers}"}
    for layer in range(1, config.layers + 1):
        layers |= {f"layers.{layer}.conv": f"model.{3 * layer - 1}", f"layers.{layer}.norm": f"model.{3 * layer}"}
    return layers


# ------------------------------------------------------------------------------------------------------ the conversions


def to_reference(state: Mapping[str, Tensor], config: GeneratorConfig) -> dict[str, Tensor]:
    """A generator's state dict as the reference's `load_state_dict(strict=True)` takes it; tensors are shared.

    sync_batch becomes batch norm. Raises ValueError where the reference has no such generator.
    """
    return _rename(state, generator_layers(config))


def from_reference(state: Mapping[str, Tensor]) -> tuple[GeneratorConfig, dict[str, Tensor]]:
    """Architecture and state dict of a generator that the reference implementation saved, from names and shapes.

    Any number of blocks, levels, filters and channels; batch, instance or no norm; names with `module.` before them
    (nn.DataParallel) and the running statistics that instance norm had in files from before PyTorch 0.4 (there, as
    here, they are not used). `dropout` is right for a ResNet with blocks; a U-Net's dropout has left no trace in its
    file and is given as False, which makes no difference to a translation.

    Raises:
        ValueError: it is something else, in the words "it is a discriminator", "it has no …".
    """
    state = _without_prefix(state)
    if _sides(state, "model.model.0.weight") == 4:
        config: ResNetConfig | UNetConfig = _unet_config(state)
    elif _sides(state, "model.1.weight") == 7:
        config = _resnet_config(state)
    else:
        raise ValueError(_describe(state))
    return config, _adopt(state, empty_generator(config), generator_layers(config))


def discriminator_to_reference(state: Mapping[str, Tensor], config: DiscriminatorConfig) -> dict[str, Tensor]:
    """A discriminator's state dict with the reference's names; tensors are shared. Raises as `to_reference` does."""
    return _rename(state, discriminator_layers(config))


def discriminator_from_reference(state: Mapping[str, Tensor]) -> tuple[DiscriminatorConfig, dict[str, Tensor]]:
    """Architecture and state dict of a discriminator that the reference saved.

    It reads `state["layers.0.conv.weight"].shape[1]` channels. Raises ValueError where it is something else.
    """
    state = _without_prefix(state)
    if _sides(state, "model.0.weight") == 4:
        norm = _norm(state, "model.2", "model.3")
        layers = sum(_sides(state, key) == 4 for key in state) - 2
        config: DiscriminatorConfig = PatchConfig(width=len(state["model.0.weight"]), layers=max(layers, 1), norm=norm)
    elif _sides(state, "net.0.weight") == 1:
        norm = _norm(state, "net.2", "net.3")
        config = PixelConfig(width=len(state["net.0.weight"]), norm=norm)
    else:
        raise ValueError("it is not a discriminator of the reference implementation")
    layers_here = discriminator_layers(config)
    first = state[f"{layers_here['layers.0.conv']}.weight"]
    with torch.device("meta"):
        network = build_discriminator(config, first.shape[1])
    return config, _adopt(state, network, layers_here)


def _unet_config(state: Mapping[str, Tensor]) -> UNetConfig:
    outer, head = state["model.model.0.weight"], "model.model.3.weight"
    inner = "model.model.1.model"
    levels = next(level for level in count(1) if f"{inner}{'.3.model' * (level - 1)}.1.weight" not in state)
    if levels < 5 or not _sides(state, head):
        raise ValueError(
            "it is a U-Net, but not one of at least five levels as the reference implementation builds them"
        )
    return UNetConfig(
        in_channels=outer.shape[1],
        out_channels=state[head].shape[1],
        width=outer.shape[0],
        size=2**levels,
        norm=_norm(state, "model.model.0", f"{inner}.2"),
    )


def _resnet_config(state: Mapping[str, Tensor]) -> ResNetConfig:
    blocks = {key.split(".")[1] for key in state if re.match(r"model\.\d+\.conv_block\.", key)}
    stem, head = state["model.1.weight"], f"model.{17 + len(blocks)}.weight"
    if not _sides(state, head):
        raise ValueError(
            "it is a ResNet, but not one with two downsamplings as the reference implementation builds them"
        )
    return ResNetConfig(
        in_channels=stem.shape[1],
        out_channels=state[head].shape[0],
        width=stem.shape[0],
        blocks=len(blocks),
        norm=_norm(state, "model.1", "model.2"),
        dropout=bool(blocks) and "model.10.conv_block.5.weight" not in state,
    )


def _norm(state: Mapping[str, Tensor], conv: str, norm: str) -> Norm:
    """The norm after a convolution: batch norm has weights, and only with instance norm has the convolution a bias."""
    if f"{norm}.weight" in state:
        return "batch"
    return "instance" if f"{conv}.bias" in state else "none"


def _sides(state: Mapping[str, Tensor], key: str) -> int:
    """Side of the convolution kernel that a tensor is; 0 where it is none or missing."""
    return state[key].shape[-1] if key in state and state[key].ndim == 4 else 0


def _without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix("module."): tensor for key, tensor in state.items()}


def _rename(state: Mapping[str, Tensor], layers: Mapping[str, str]) -> dict[str, Tensor]:
    renamed = {}
    for key, tensor in state.items():
        layer, _, tensor_name = key.rpartition(".")
        renamed[f"{layers[layer]}.{tensor_name}"] = tensor
    return renamed


def _adopt(state: Mapping[str, Tensor], network: nn.Module, layers: Mapping[str, str]) -> dict[str, Tensor]:
    """The reference's tensors under the names of `network`. Raises ValueError for missing, odd and left-over ones."""
    here = network.state_dict()
    there = _rename({key: torch.empty(0) for key in here}, layers)
    adopted = {}
    for (key, wanted), theirs in zip(here.items(), there, strict=True):
        if theirs in state:
            tensor = state[theirs]
        elif theirs.endswith("num_batches_tracked"):
            tensor = torch.zeros(())  # PyTorch before 0.4.1 did not count; nothing depends on it
        else:
            raise ValueError(f"it has no {theirs}")
        if tensor.shape != wanted.shape:
            raise ValueError(f"{theirs} has the shape {tuple(tensor.shape)} instead of {tuple(wanted.shape)}")
        adopted[key] = tensor.to(wanted.dtype)
    has_averages = any(key.endswith(AVERAGES) for key in here)
    for key in state:
        if key not in there and (has_averages or not key.endswith(AVERAGES)):
            raise ValueError(f"it has {key}, which the reference implementation's network has not")
    return adopted


def _describe(state: Mapping[str, Tensor]) -> str:
    """What a state dict that is no generator of the reference looks like."""
    try:
        kind = discriminator_from_reference(state)[0]
    except ValueError:
        return f"its entries ({', '.join(list(state)[:3])}, …) are not a generator's" if state else "it is empty"
    return (
        f"it is a discriminator ({f'{kind.layers} layers' if isinstance(kind, PatchConfig) else 'pixel'}); give net_G"
    )
