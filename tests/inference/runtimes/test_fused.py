"""A fused generator computes what the generator computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.conftest import picture
from translate.data.tensors import to_tensor
from translate.inference.runtimes.fused import fuse
from translate.networks import build_generator, generator_config, use_image_statistics

KINDS: dict[str, dict[str, Any]] = {
    "transposed": {},
    "resize": {"upsample": "resize"},
    "zeros": {"upsample": "resize", "padding": "zeros"},
    "replicate": {"upsample": "resize", "padding": "replicate", "separable": True},
    "residual": {"residual": True},
    "batch": {"norm": "batch", "upsample": "resize", "dropout": True},
    "spectral": {"spectral_norm": True, "upsample": "resize"},
    "no stages": {"downsamplings": 0},
    "unet": {"architecture": "unet", "norm": "batch"},
    "unet, resize": {"architecture": "unet", "upsample": "resize"},
}


def network(**settings: Any) -> torch.nn.Module:
    """A generator in evaluation mode whose output is far from grey."""
    torch.manual_seed(0)
    generator = build_generator(generator_config(**({"width": 4, "blocks": 1, "size": 32} | settings)))
    for weight in generator.parameters():
        torch.nn.init.normal_(weight, 0.0, 0.3)
    return generator.eval().requires_grad_(False)


def images(count: int = 2, size: tuple[int, int] = (96, 64)) -> torch.Tensor:
    return torch.stack([to_tensor(np.asarray(picture(seed, size))) for seed in range(count)])


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers(kind: str) -> None:
    generator = network(**KINDS[kind])
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    with torch.inference_mode():
        wanted, made = generator(images()), fuse(generator)(images())
    assert wanted.std() > 0.05
    torch.testing.assert_close(made, wanted, rtol=0, atol=2e-4)
    assert all(torch.equal(value, before[name]) for name, value in generator.state_dict().items())


@pytest.mark.parametrize("kind", ["resize", "residual", "batch", "unet"])
def test_half_the_precision(kind: str) -> None:
    generator = network(width=16, **KINDS[kind])
    if kind == "unet":
        use_image_statistics(generator)
    fused = fuse(generator, torch.bfloat16)
    with torch.inference_mode():
        wanted, made = generator(images()), fused(images())
    assert made.dtype == torch.float32
    assert 0 < (made - wanted).abs().mean() < 0.03
    with_8_bits = made.mul(256)
    assert not torch.equal(with_8_bits, with_8_bits.round())  # the last step is not done in bfloat16


def test_there_is_less_to_compute() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    def flops(module: torch.nn.Module) -> int:
        with FlopCounterMode(display=False) as counter:
            module(images(1))
        return int(counter.get_total_flops())

    generator = network(architecture="unet", upsample="resize")
    assert flops(fuse(generator)) < 0.7 * flops(generator)
