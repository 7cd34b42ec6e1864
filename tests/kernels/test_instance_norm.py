"""Instance norm, plain and fast, is its formula in float64, whatever the memory layouts are."""

from __future__ import annotations

import pytest
import torch

from translate.kernels.instance_norm import FastInstanceNorm2d
from translate.kernels.optimise import optimise
from translate.networks.blocks import InstanceNorm2d

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("gradient_layout", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", [InstanceNorm2d, FastInstanceNorm2d])
def test_it_is_right_whatever_the_layouts(
    kind: type[InstanceNorm2d], layout: str, gradient_layout: str, batch: int, affine: bool, dtype: torch.dtype
) -> None:
    """torch 2.15's own gives a wrong gradient on the CPU for one image when the incoming gradient is channels_last."""
    torch.manual_seed(0)
    images, incoming = torch.randn(2, batch, 8, 6, 10, dtype=torch.float64)
    norm = kind(8, affine=affine).double()
    parameters = list(norm.parameters())
    for parameter in parameters:
        torch.nn.init.normal_(parameter)
    by_hand = images.clone().requires_grad_(True)
    mean, variance = by_hand.mean((2, 3), keepdim=True), by_hand.var((2, 3), correction=0, keepdim=True)
    expected = (by_hand - mean) / (variance + 1e-5).sqrt()
    if affine:
        expected = expected * norm.weight[:, None, None] + norm.bias[:, None, None]
    truths = [expected, *torch.autograd.grad(expected, [by_hand, *parameters], incoming)]

    norm = norm.to(dtype)
    given = images.to(dtype, memory_format=LAYOUTS[layout]).requires_grad_(True)
    made = norm(given)
    wanted = [given, *norm.parameters()]
    found = torch.autograd.grad(made, wanted, incoming.to(dtype, memory_format=LAYOUTS[gradient_layout]))
    assert made.is_contiguous(memory_format=LAYOUTS[layout])
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    for one, truth in zip([made, *found], truths, strict=True):
        torch.testing.assert_close(one.double(), truth, rtol=tolerance, atol=tolerance)


def test_the_plain_one_computes_statistics_of_bfloat16_in_float32() -> None:
    """A mean far from 0, of which bfloat16 would keep 8 bits, leaves no more error than the images themselves have."""
    torch.manual_seed(0)
    images = (torch.randn(1, 4, 64, 64) + 100).bfloat16()
    made = InstanceNorm2d(4)(images)
    assert made.dtype == torch.bfloat16
    exact = InstanceNorm2d(4)(images.double())
    torch.testing.assert_close(made.double(), exact, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_every_instance_norm_is_replaced(device: str, precision: torch.dtype) -> None:
    norm = optimise(InstanceNorm2d(3), torch.device(device), precision)
    assert type(norm) is FastInstanceNorm2d
