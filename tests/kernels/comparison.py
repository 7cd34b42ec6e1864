"""Compare a network that has kernels with the plain one in float64."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from translate.kernels.optimise import optimise

CPU = torch.device("cpu")


def optimised(network: nn.Module) -> nn.Module:
    """A copy in channels_last with kernels for float32 on the CPU."""
    return optimise(copy.deepcopy(network).to(memory_format=torch.channels_last), CPU, torch.float32)


def results(network: nn.Module, images: Tensor) -> list[Tensor]:
    """What a network makes of images, and the gradients of a loss that weighs every value of it differently.

    The loss is the sum of the results times numbers from -1 to 1; the gradients are those of the images and of every
    parameter, in their order.
    """
    images = images.clone(memory_format=torch.preserve_format).requires_grad_(True)
    made = network(images)
    weights = torch.linspace(-1, 1, made.numel(), dtype=torch.float64).to(made.dtype).view(made.shape)
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    return [made.detach(), *torch.autograd.grad((made * weights).sum(), [images, *trained])]


def assert_as_exact_as_pytorch(network: nn.Module, images: Tensor, floor: float = 2e-6) -> None:
    """Compare a plain float32 network, with kernels and without, with itself in float64: results and all gradients.

    The error with kernels may be 4 times that of PyTorch's float32, or `floor`; both are root mean squares in units of
    the exact values' root mean square. Gradients that are exactly 0 (of a bias before a norm) cannot be compared so.
    """
    exact = results(copy.deepcopy(network).double(), images.double())
    plain = results(copy.deepcopy(network).to(memory_format=torch.channels_last), images)
    fast = results(optimised(network), images)
    for truth, one, other in zip(exact, fast, plain, strict=True):
        assert one.shape == truth.shape and one.dtype == torch.float32
        size = truth.square().mean().sqrt()
        error, allowed = ((made - truth).square().mean().sqrt() / size for made in (one, other))
        assert error <= max(4 * allowed, torch.tensor(floor, dtype=torch.float64)), (error, allowed)
