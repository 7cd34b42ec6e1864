"""Convolutions with a mixed layout have PyTorch's results and gradients, and are used only where they gain."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.kernels.comparison import assert_as_exact_as_pytorch, optimised, results
from tests.kernels.conftest import Calls

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: nn.Conv2d(6, 8, 3, padding=1),
    "reflected, without bias": lambda: nn.Conv2d(6, 8, 7, padding=3, padding_mode="reflect", bias=False),
    "replicated, strided": lambda: nn.Conv2d(6, 8, 4, stride=2, padding=1, padding_mode="replicate"),
    "transposed": lambda: nn.ConvTranspose2d(6, 8, 3, stride=2, padding=1, output_padding=1),
    "transposed, without bias": lambda: nn.ConvTranspose2d(6, 8, 4, stride=2, padding=1, bias=False),
}


def images() -> Tensor:
    return torch.randn(2, 6, 12, 10).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", LAYERS)
def test_results_and_gradients_are_as_exact_as_pytorchs(calls: Calls, name: str) -> None:
    layer, given = LAYERS[name](), images()
    assert_as_exact_as_pytorch(layer, given)
    assert calls.mixed_layout == 1
    made, gradient, *_ = results(optimised(layer), given)
    assert made.is_contiguous(memory_format=torch.channels_last)
    assert gradient.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["plain", "transposed"])
def test_a_gradient_penalty_reaches_the_weights(calls: Calls, name: str) -> None:
    """Differentiated twice, as WGAN-GP and R1 do it."""
    layer, start = LAYERS[name](), images()
    found = []
    for network, dtype in ((optimised(layer), torch.float32), (layer.double(), torch.float64)):
        given = start.to(dtype).requires_grad_(True)
        (gradient,) = torch.autograd.grad(network(given).square().sum(), given, create_graph=True)
        found.append(torch.autograd.grad(gradient.square().sum(), [given, *network.parameters()]))
    assert calls.mixed_layout == 1
    for one, truth in zip(*found, strict=True):
        torch.testing.assert_close(one.double(), truth, rtol=1e-4, atol=1e-5 * truth.abs().max().item())


@pytest.mark.parametrize("case", ["contiguous", "float64", "frozen", "without gradients", "autocast"])
@pytest.mark.parametrize("name", ["plain", "transposed"])
def test_a_call_that_it_does_not_suit_is_pytorchs(calls: Calls, name: str, case: str) -> None:
    plain = LAYERS[name]().to(memory_format=torch.channels_last)
    layer, given = optimised(plain), images()
    layer(given)
    assert calls.mixed_layout == 1
    if case == "contiguous":
        given = given.contiguous()
    elif case == "float64":
        plain, layer, given = plain.double(), layer.double(), given.double()
    elif case == "frozen":
        layer.requires_grad_(False)
    with torch.set_grad_enabled(case != "without gradients"), torch.autocast("cpu", enabled=case == "autocast"):
        assert torch.equal(layer(given), plain(given))
    assert calls.mixed_layout == 1


def test_a_size_asked_of_a_transposed_convolution_is_made(calls: Calls) -> None:
    plain = nn.ConvTranspose2d(6, 8, 3, stride=2, padding=1).to(memory_format=torch.channels_last)
    given = images()
    for size in ([23, 19], [24, 20]):
        made = optimised(plain)(given, size)
        assert list(made.shape[2:]) == size
        assert torch.equal(made, plain(given, size))
