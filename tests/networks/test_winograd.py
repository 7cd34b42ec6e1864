"""Winograd's convolution is the convolution: in exact arithmetic, and in float32 as exactly as a direct sum."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.networks import winograd
from translate.networks.winograd import POINTS, TILES, WinogradConv, tile_count

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
