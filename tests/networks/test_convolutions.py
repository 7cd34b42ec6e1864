"""Convolutions computed in other ways than PyTorch's give the same images and gradients, and only where they gain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from translate.networks import convolutions
from translate.networks.convolutions import Conv2d, ConvTranspose2d
from translate.networks.winograd import WinogradConv

LAYERS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: Conv2d(6, 8, 3, padding=1),
    "reflected, without bias": lambda: Conv2d(6, 8, 7, padding=3, padding_mode="reflect", bias=False),
    "replicated, strided": lambda: Conv2d(6, 8, 4, stride=2, padding=1, padding_mode="replicate"),
    "transposed": lambda: ConvTranspose2d(6, 8, 3, stride=2, padding=1, output_padding=1),
    "transposed, without bias": lambda: ConvTranspose2d(6, 8, 4, stride=2, padding=1, bias=False),
}


class Count:
    """How often each way computed, on a machine that is taken for one with AVX2 alone, or for another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch, self.mixed, self.winograd = monkeypatch, 0, 0
        self._watch(convolutions.MixedLayout, "mixed")
        self._watch(WinogradConv, "winograd")
        self.machine(avx2_alone=True)

    def machine(self, *, avx2_alone: bool) -> None:
        self.patch.setattr(convolutions, "_has_avx2_alone", lambda: avx2_alone)

    def _watch(self, way: type[torch.autograd.Function], name: str) -> None:
        apply = way.apply

        def counted(*words: object) -> object:
            setattr(self, name, getattr(self, name) + 1)
            return apply(*words)

        self.patch.setattr(way, "apply", counted)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    torch.manual_seed(0)
    return Count(monkeypatch)


def images() -> Tensor:
    return torch.randn(2, 6, 12, 10).to(memory_format=torch.channels_last)


def gradients(layer: nn.Module, given: Tensor) -> list[Tensor]:
    """Of the images and of every parameter, of a loss that weighs every value differently; and what was made."""
    given = given.clone(memory_format=torch.preserve_format).requires_grad_(True)
    made = layer(given)
    loss = (made * torch.linspace(-1, 1, made.numel(), dtype=made.dtype).view(made.shape)).sum()
    return [made.detach(), *torch.autograd.grad(loss, [given, *layer.parameters()])]


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_pytorch(count: Count, name: str) -> None:
    layer, given = LAYERS[name]().to(memory_format=torch.channels_last), images()
    mixed = gradients(layer, given)
    assert count.mixed == 1
    count.machine(avx2_alone=False)
    own = gradients(layer, given)
    assert count.mixed == 1
    for one, other in zip(mixed, own, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)
    assert mixed[0].is_contiguous(memory_format=torch.channels_last)
    assert mixed[1].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("name", ["plain", "transposed"])
def test_a_gradient_penalty_reaches_the_weights(count: Count, name: str) -> None:
    """Differentiated twice, as WGAN-GP and R1 do it."""
    layer = LAYERS[name]().to(memory_format=torch.channels_last)
    start = images()
    found = []
    for avx2_alone in (True, False):
        count.machine(avx2_alone=avx2_alone)
        given = start.clone(memory_format=torch.preserve_format).requires_grad_(True)
        (gradient,) = torch.autograd.grad(layer(given).square().sum(), given, create_graph=True)
        found.append(torch.autograd.grad(gradient.square().sum(), [given, *layer.parameters()]))
    assert count.mixed == 1
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(
    "case", ["contiguous", "float64", "frozen", "without gradients", "autocast", "grouped", "AVX-512"]
)
def test_it_is_left_alone_where_nothing_was_measured_to_gain(count: Count, case: str) -> None:
    layer: nn.Module = Conv2d(6, 6, 3, groups=6 if case == "grouped" else 1).to(memory_format=torch.channels_last)
    given = images()
    layer(given)
    reached = count.mixed
    assert reached == (case != "grouped")
    if case == "contiguous":
        layer, given = layer.to(memory_format=torch.contiguous_format), given.contiguous()
    elif case == "float64":
        layer, given = layer.double(), given.double()
    elif case == "frozen":
        layer.requires_grad_(False)
    elif case == "AVX-512":
        count.machine(avx2_alone=False)
    with torch.set_grad_enabled(case != "without gradients"), torch.autocast("cpu", enabled=case == "autocast"):
        layer(given)
    assert count.mixed == reached


WIDE = convolutions.WINOGRAD_CHANNELS
FITTING: dict[str, Any] = {"in_channels": WIDE, "out_channels": WIDE, "kernel_size": 3, "padding": 1}


@pytest.mark.parametrize("change", [{}, {"padding_mode": "reflect"}, {"bias": False}, {"padding": (0, 2)}])
def test_wide_convolutions_are_computed_by_winograds_algorithm(count: Count, change: dict[str, Any]) -> None:
    layer = Conv2d(**FITTING | change).to(memory_format=torch.channels_last)
    given = torch.randn(2, WIDE, 24, 26).to(memory_format=torch.channels_last)
    quick = gradients(layer, given)
    assert (count.winograd, count.mixed) == (1, 0)
    count.machine(avx2_alone=False)
    own = gradients(layer, given)
    assert count.winograd == 1
    for one, other in zip(quick, own, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * other.abs().max().item())
    count.machine(avx2_alone=True)
    with torch.no_grad():
        torch.testing.assert_close(layer(given), quick[0], rtol=0, atol=0)  # and without gradients too
    assert count.winograd == 2


@pytest.mark.parametrize(
    "change",
    [
        {"kernel_size": 4},
        {"stride": 2},
        {"dilation": 2},
        {"groups": 2},
        {"out_channels": WIDE - 1},
        {"padding": "same"},
    ],
)
def test_others_are_not(count: Count, change: dict[str, Any]) -> None:
    layer = Conv2d(**FITTING | change).to(memory_format=torch.channels_last)
    layer(torch.randn(2, WIDE, 64, 64).to(memory_format=torch.channels_last))
    assert count.winograd == 0


def test_nor_are_small_images(count: Count) -> None:
    layer = Conv2d(**FITTING).to(memory_format=torch.channels_last)
    layer(torch.randn(3, WIDE, 16, 16).to(memory_format=torch.channels_last))
    assert count.winograd == 0
    layer(torch.randn(4, WIDE, 16, 16).to(memory_format=torch.channels_last))
    assert count.winograd == 1


def test_a_compiled_network_keeps_pytorchs_own(count: Count) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def look(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    layer = Conv2d(**FITTING).to(memory_format=torch.channels_last)
    given = torch.randn(1, WIDE, 32, 32).to(memory_format=torch.channels_last)
    torch.compile(layer, backend=look, dynamic=False)(given)
    assert (count.winograd, count.mixed) == (0, 0)
    assert "conv2d" in graphs[0].code and "autograd" not in graphs[0].code


def test_the_state_dict_is_that_of_pytorchs_layers() -> None:
    assert list(Conv2d(2, 3, 1).state_dict()) == list(nn.Conv2d(2, 3, 1).state_dict())
    nn.ConvTranspose2d(2, 3, 1).load_state_dict(ConvTranspose2d(2, 3, 1).state_dict())
