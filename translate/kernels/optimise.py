"""Replace the layers of a network by faster ones for a device and a precision.

Which kernel a layer gets is decided by the layer, the precision and the processor's capability, never by timing, so a
run that is resumed on the same machine computes as before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from translate.kernels import instance_norm, mixed_layout, winograd
from translate.networks.blocks import InstanceNorm2d

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Kernel:
    """A faster layer, the plain layer that it replaces, and where.

    `by` is a subclass of `replaces` without attributes of its own: its instances hold the same parameters, buffers and
    settings under the same names. `gains(layer, device, precision)` is its capability rule. What differs from call to
    call (shape, dtype, layout, compiled or not) is the layer's own to check: where it does not suit, the layer computes
    as the plain one does.
    """

    replaces: type[nn.Module]
    by: type[nn.Module]
    gains: Callable[[Any, torch.device, torch.dtype], bool]


KERNELS = (
    Kernel(nn.Conv2d, winograd.WinogradConv2d, winograd.gains),
    Kernel(nn.Conv2d, mixed_layout.MixedLayoutConv2d, mixed_layout.gains),
    Kernel(nn.ConvTranspose2d, mixed_layout.MixedLayoutConvTranspose2d, mixed_layout.gains),
    Kernel(InstanceNorm2d, instance_norm.FastInstanceNorm2d, instance_norm.gains),
)
"""All kernels; a layer is replaced by the first that gains."""


def optimise(network: Network, device: torch.device, precision: torch.dtype) -> Network:
    """Replace layers of a network, in place, by kernels that gain on this device in this precision.

    The modules stay the same objects and change their class, as torch.nn.utils.parametrize does it too. Parameters,
    state-dict keys, hooks, parametrizations, training mode, optimisers and moving averages are therefore left as they
    are; deepcopy, pickling, torch.compile and torch.export work as before. Layers of other classes than the plain ones,
    subclasses included, are left alone, and calling it twice does no more than calling it once.

    Args:
        network: of which layers are replaced; it may itself be such a layer.
        device: on which the network is going to compute.
        precision: of its arithmetic: float32, or what autocast is going to use.
    Returns:
        `network`.
    """
    for layer in network.modules():
        plain = parametrize.type_before_parametrizations(layer)
        for kernel in KERNELS:
            if plain is kernel.replaces and kernel.gains(layer, device, precision):
                _become(layer, kernel.by)
                break
    return network


def _become(layer: nn.Module, kind: type[nn.Module]) -> None:
    """Change the class of a layer to a subclass of it.

    PyTorch gives a layer with parametrizations (spectral norm) a class of its own, whose only base is the layer's class
    and whose property computes the weight. Such a layer gets one with the same content and the other base, so that
    removing the parametrizations leaves a layer of class `kind`.
    """
    if parametrize.is_parametrized(layer):
        kept = {name: value for name, value in vars(type(layer)).items() if name not in ("__dict__", "__weakref__")}
        layer.__class__ = type(f"Parametrized{kind.__name__}", (kind,), kept)
    else:
        layer.__class__ = kind
