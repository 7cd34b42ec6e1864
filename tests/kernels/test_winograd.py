"""Winograd's convolution is the convolution: in exact arithmetic, and in float32 as exactly as a direct sum."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.kernels.comparison import CPU, assert_as_exact_as_pytorch, optimised, results
from tests.kernels.conftest import Calls
from translate.kernels import winograd
from translate.kernels.mixed_layout import MixedLayoutConv2d
from translate.kernels.optimise import optimise
from translate.kernels.winograd import FEWEST_CHANNELS, POINTS, TILES, WinogradConv, WinogradConv2d, tile_count

SHAPES = {  # images, channels read and made, height, width
    "whole tiles, in blocks of rows": (1, 24, 40, 62, 62),
    "no whole tiles": (2, 17, 12, 21, 35),
    "several images in a block": (9, 16, 16, 18, 18),
    "wider than a block": (1, 4, 6, 12, 4 * TILES + 40),
    "less than a tile": (1, 3, 5, 5, 7),
    "weights in parts": (2, 300, 450, 13, 15),
}


def drawn(name: str, dtype: torch.dtype) -> tuple[list[Tensor], Tensor]:
    """Images, weights and biases that want gradients, and the gradient of the results; the same for every dtype."""
    count, read, made, height, width = SHAPES[name]
    drawing = torch.Generator().manual_seed(0)
    sizes = (count, read, height, width), (made, read, 3, 3), (made,), (count, made, height - 2, width - 2)
    *inputs, incoming = (torch.randn(size, generator=drawing) for size in sizes)
    images, weight, bias = (tensor.to(dtype) for tensor in inputs)
    images, weight = (tensor.to(memory_format=torch.channels_last) for tensor in (images, weight))
    return [tensor.requires_grad_(True) for tensor in (images, weight, bias)], incoming.to(dtype)


def images_and_gradients(convolve: Callable[..., Tensor], inputs: list[Tensor], incoming: Tensor) -> list[Tensor]:
    made = convolve(*inputs)
    return [made, *torch.autograd.grad(made, inputs, incoming)]


@pytest.mark.parametrize("name", SHAPES)
def test_it_is_as_exact_as_a_direct_sum(name: str) -> None:
    """The error in float32, beside that of PyTorch's own, with float64 as the measure: results and every gradient."""
    exact = images_and_gradients(F.conv2d, *drawn(name, torch.float64))
    quick = images_and_gradients(WinogradConv.apply, *drawn(name, torch.float32))
    direct = images_and_gradients(F.conv2d, *drawn(name, torch.float32))
    for truth, one, other in zip(exact, quick, direct, strict=True):
        size = truth.std()
        assert one.shape == truth.shape
        assert (one - truth).std() / size < max(4 * (other - truth).std() / size, torch.tensor(2e-6))
        assert (one - truth).abs().max() / size < 5e-5
    for one in quick[:3]:
        assert one.is_contiguous(memory_format=torch.channels_last)


def test_the_usual_points_are_less_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is why they are others: 0, ±1, ±2 cost another factor of two."""
    name = "whole tiles, in blocks of rows"
    errors = []
    images, weight, bias = drawn(name, torch.float64)[0]
    truth = F.conv2d(images, weight, bias)
    for points in (POINTS, tuple(Fraction(number) for number in (0, 1, -1, 2, -2))):
        monkeypatch.setattr(winograd, "POINTS", points)
        winograd._steps.cache_clear()
        errors.append((WinogradConv.apply(*drawn(name, torch.float32)[0]) - truth).std())
    winograd._steps.cache_clear()
    assert errors[1] > 1.5 * errors[0]


def test_without_bias_and_for_single_gradients() -> None:
    (images, weight, _), incoming = drawn("no whole tiles", torch.float32)
    expected = torch.autograd.grad(F.conv2d(images, weight), [images, weight], incoming)
    for wanted, other, truth in ((images, weight, expected[0]), (weight, images, expected[1])):
        other.requires_grad_(False)
        (found,) = torch.autograd.grad(WinogradConv.apply(images, weight, None), [wanted], incoming)
        other.requires_grad_(True)
        torch.testing.assert_close(found, truth, rtol=1e-4, atol=1e-3)


def test_it_can_be_differentiated_twice() -> None:
    found = []
    ways: list[Callable[..., Tensor]] = [WinogradConv.apply, F.conv2d]
    for convolve in ways:
        inputs, _ = drawn("no whole tiles", torch.float32)
        (gradient,) = torch.autograd.grad(convolve(*inputs).square().mean(), inputs[0], create_graph=True)
        found.append(torch.autograd.grad(gradient.square().sum(), inputs))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())


@pytest.mark.parametrize("name", ["whole tiles, in blocks of rows", "no whole tiles"])
def test_an_activation_may_change_the_result_in_place(name: str) -> None:
    """As in networks without norms, where it follows the convolution at once."""
    found = []
    ways: list[Callable[..., Tensor]] = [WinogradConv.apply, F.conv2d]
    for convolve in ways:
        inputs, incoming = drawn(name, torch.float32)
        made = F.leaky_relu(convolve(*inputs), 0.2, inplace=True)
        found.append([made, *torch.autograd.grad(made, inputs, incoming)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())


def test_gradients_may_come_in_any_layout() -> None:
    inputs, incoming = drawn("no whole tiles", torch.float32)
    made = WinogradConv.apply(*inputs)
    spread = torch.autograd.grad(made.sum(), inputs, retain_graph=True)  # ones, all in one place in memory
    ones = torch.autograd.grad(made, inputs, torch.ones_like(made), retain_graph=True)
    rows = incoming.transpose(2, 3).contiguous().transpose(2, 3)
    turned = torch.autograd.grad(made, inputs, rows, retain_graph=True)
    straight = torch.autograd.grad(made, inputs, incoming)
    for one, other in zip((*spread, *turned), (*ones, *straight), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-4)


def test_what_was_computed_in_inference_mode_does_not_stop_training() -> None:
    """The steps and the memory between them are kept from call to call."""
    winograd._SPARE.clear()
    winograd._steps.cache_clear()
    inputs, incoming = drawn("no whole tiles", torch.float32)
    with torch.inference_mode():
        made = WinogradConv.apply(*inputs)
    again = images_and_gradients(WinogradConv.apply, inputs, incoming)
    torch.testing.assert_close(again[0], made, rtol=0, atol=0)


def test_threads_do_not_share_what_lies_between_the_steps() -> None:
    names = list(SHAPES) * 8

    def compute(name: str) -> list[Tensor]:
        return images_and_gradients(WinogradConv.apply, *drawn(name, torch.float32))

    alone = {name: compute(name) for name in SHAPES}
    with ThreadPoolExecutor(4) as threads:
        for name, found in zip(names, threads.map(compute, names), strict=True):
            for one, other in zip(found, alone[name], strict=True):
                torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("shape", [(1, 16, 16), (5, 3, 7), (3, 40, 200), (300, 1, 1)])
def test_blocks_are_every_tile_once(shape: tuple[int, int, int]) -> None:
    seen = torch.zeros(1, 1, *shape)
    for block in winograd._blocks(*shape):
        assert 0 < seen[block].numel() <= max(TILES, shape[2])
        seen[block] += 1
    assert bool((seen == 1).all())


def test_tiles_are_counted_with_the_padding() -> None:
    assert tile_count(torch.Size((2, 3, 64, 62)), (1, 1)) == 2 * 16 * 16
    assert tile_count(torch.Size((1, 3, 6, 7)), (0, 0)) == 1 * 2
    assert tile_count(torch.Size((1, 3, 1, 1)), (0, 0)) == 0


# ----------------------------------------------------------------------------------------------------------- the layer

WIDE: dict[str, Any] = {
    "in_channels": FEWEST_CHANNELS,
    "out_channels": FEWEST_CHANNELS,
    "kernel_size": 3,
    "padding": 1,
}


def images(count: int = 2, height: int = 24, width: int = 26) -> Tensor:
    return torch.randn(count, FEWEST_CHANNELS, height, width).to(memory_format=torch.channels_last)


@pytest.mark.parametrize("change", [{}, {"padding_mode": "reflect"}, {"bias": False}, {"padding": (0, 2)}])
def test_the_layer_is_as_exact_as_pytorchs(calls: Calls, change: dict[str, Any]) -> None:
    plain, given = nn.Conv2d(**WIDE | change), images()
    assert_as_exact_as_pytorch(plain, given)
    assert (calls.winograd, calls.mixed_layout) == (1, 0)
    layer = optimised(plain)
    with torch.no_grad():
        without_gradients = layer(given)
    assert torch.equal(without_gradients, layer(given))
    assert calls.winograd == 3


class Residual(nn.Sequential):
    """x + F(x), as in the generators."""

    def forward(self, features: Tensor) -> Tensor:
        residual: Tensor = super().forward(features)
        return features + residual


def conv(**change: Any) -> nn.Module:
    return nn.Conv2d(**WIDE | change)


SURROUNDINGS: dict[str, Callable[[], nn.Module]] = {
    "ReLU in place": lambda: nn.Sequential(conv(), nn.ReLU(inplace=True)),
    "LeakyReLU in place": lambda: nn.Sequential(conv(), nn.LeakyReLU(0.2, inplace=True)),
    "reflected, ReLU in place": lambda: nn.Sequential(conv(padding_mode="reflect"), nn.ReLU(inplace=True)),
    "residual": lambda: Residual(conv(padding_mode="reflect"), nn.ReLU(inplace=True), conv(padding_mode="reflect")),
    "batch norm, ReLU in place": lambda: nn.Sequential(
        conv(bias=False), nn.BatchNorm2d(FEWEST_CHANNELS), nn.ReLU(inplace=True)
    ),
}


@pytest.mark.parametrize("sides", [(32, 32), (33, 34)])
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_it_trains_in_its_surroundings(calls: Calls, name: str, sides: tuple[int, int]) -> None:
    """An activation changes the results in place: those of whole tiles, and those that are cut out of such."""
    assert_as_exact_as_pytorch(SURROUNDINGS[name](), images(1, *sides))
    assert calls.winograd == (2 if name == "residual" else 1)


@pytest.mark.parametrize(
    "change",
    [
        {"kernel_size": 4},
        {"stride": 2},
        {"dilation": 2},
        {"groups": 2},
        {"in_channels": FEWEST_CHANNELS - 1},
        {"out_channels": FEWEST_CHANNELS - 1},
        {"padding": "same"},
    ],
)
def test_other_convolutions_are_left_to_others(avx2_alone: None, change: dict[str, Any]) -> None:
    assert isinstance(optimise(nn.Conv2d(**WIDE), CPU, torch.float32), WinogradConv2d)
    kept = optimise(nn.Conv2d(**WIDE | change), CPU, torch.float32)
    assert type(kept) is (nn.Conv2d if {"groups", "padding"} & set(change) else MixedLayoutConv2d)


def test_small_images_have_a_mixed_layout(calls: Calls) -> None:
    layer = optimised(nn.Conv2d(**WIDE))
    layer(images(3, 16, 16))
    assert (calls.winograd, calls.mixed_layout) == (0, 1)
    layer(images(4, 16, 16))
    assert (calls.winograd, calls.mixed_layout) == (1, 1)


@pytest.mark.parametrize("case", ["contiguous", "float64", "autocast"])
def test_a_call_that_it_does_not_suit_is_pytorchs(calls: Calls, case: str) -> None:
    plain = nn.Conv2d(**WIDE).to(memory_format=torch.channels_last)
    layer, given = optimised(plain), images()
    if case == "contiguous":
        given = given.contiguous()
    elif case == "float64":
        plain, layer, given = plain.double(), layer.double(), given.double()
    with torch.autocast("cpu", enabled=case == "autocast"):
        assert all(
            torch.equal(one, other) for one, other in zip(results(layer, given), results(plain, given), strict=True)
        )
    assert (calls.winograd, calls.mixed_layout) == (0, 0)


def test_a_compiled_network_keeps_pytorchs(calls: Calls) -> None:
    graphs: list[torch.fx.GraphModule] = []

    def look(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    torch.compile(optimised(nn.Conv2d(**WIDE)), backend=look, dynamic=False)(images(1, 32, 32))
    assert (calls.winograd, calls.mixed_layout) == (0, 0)
    assert len(graphs) == 1 and "conv2d" in graphs[0].code and "autograd" not in graphs[0].code
