"""The training runs whose losses are checked in: twenty steps of small networks, for every loss and branch of a step.

Everything that a run is made of comes from code and a seed: the weights from torch's generator, the batches from
`batch`. `build_step` is the only function here that knows how the project builds a training step.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.config import TrainConfig
from translate.training.learner import Learner
from translate.training.trainer import train_step

STEPS = 20
LR = 2e-5
"""A tenth of the usual learning rate: at the usual one training amplifies rounding tenfold every two steps or so."""

UNET = {"architecture": "unet", "width": 4, "size": 32}
RESNET = {"architecture": "resnet", "width": 4, "blocks": 2}
PATCH = {"width": 4, "layers": 2}
PIX2PIX: dict[str, Any] = {"name": "pix2pix", "lambda_L1": 20.0, "generator": UNET, "discriminator": PATCH}
CYCLEGAN: dict[str, Any] = {
    "name": "cyclegan",
    "lambda_A": 9.0,
    "lambda_B": 11.0,
    "pool_size": 3,
    "generator": RESNET,
    "discriminator": PATCH,
}
MULTISCALE = {"kind": "multiscale", "width": 4, "layers": 1, "scales": 2}
CUT: dict[str, Any] = {
    "name": "cut",
    "nce_patches": 8,
    "projection_width": 8,
    "generator": RESNET,
    "discriminator": PATCH,
}
INSTANCE = {"norm": "instance"}
NO_NORM = {"norm": "none"}

# The settings of each run: `model` as a preset has it, and what else differs from the defaults.
VARIANTS: dict[str, dict[str, Any]] = {
    # A U-Net of 64 pixels is the smallest with dropout; batch norm keeps the passes of the discriminator apart.
    "pix2pix bce, dropout, batch norm": {"model": PIX2PIX | {"generator": UNET | {"size": 64}}},
    "pix2pix bce_minimax, resnet": {
        "model": PIX2PIX | {"objective": "bce_minimax", "generator": RESNET | {"norm": "batch", "dropout": False}}
    },
    "pix2pix lsgan, instance norm, resize": {
        "model": PIX2PIX
        | {
            "objective": "lsgan",
            "generator": UNET | INSTANCE | {"dropout": False, "upsample": "resize"},
            "discriminator": PATCH | INSTANCE,
        }
    },
    "pix2pix wgan_gp": {"model": PIX2PIX | {"objective": "wgan_gp", "discriminator": PATCH | INSTANCE}},
    "pix2pix lsgan, r1, clipped": {
        "model": PIX2PIX | {"objective": "lsgan", "lambda_r1": 5.0, "discriminator": PATCH | INSTANCE},
        "optim": {"clip_norm": 0.5, "lr_discriminator": 3 * LR},
    },
    "pix2pix hinge, pixel discriminator": {
        "model": PIX2PIX | {"objective": "hinge", "discriminator": {"architecture": "pixel", "width": 4}}
    },
    "cyclegan lsgan, identity, merged": {"model": CYCLEGAN},
    "cyclegan lsgan, identity, one by one": {"model": CYCLEGAN, "run": {"merge": False}},
    "cyclegan residual without norm, no identity": {
        "model": CYCLEGAN | {"lambda_identity": 0.0, "generator": RESNET | NO_NORM | {"residual": True}}
    },
    "cyclegan hinge, r1, spectral norm": {
        "model": CYCLEGAN
        | {"objective": "hinge", "lambda_r1": 5.0, "discriminator": PATCH | NO_NORM | {"spectral_norm": True}}
    },
    "cyclegan wgan_gp": {"model": CYCLEGAN | {"objective": "wgan_gp"}},
    "cyclegan bce, separable, no averages": {
        "model": CYCLEGAN
        | {"objective": "bce", "pool_size": 0, "generator": RESNET | {"separable": True, "padding": "replicate"}},
        "optim": {"ema": 0.0},
    },
    "cyclegan masks, composite and object views, pool": {
        "model": CYCLEGAN
        | {
            "cycle_inside": 0.4,
            "lambda_outside": 2.0,
            "discriminators": [
                PATCH | {"sees": "composite"},
                PATCH | {"sees": "object", "weight": 0.3, "objective": "hinge"},
            ],
        },
        "masks": True,
    },
    "pix2pix masks, object view, diff_augment": {
        "model": PIX2PIX
        | {
            "lambda_outside": 2.0,
            "diff_augment": ["color", "translation", "cutout"],
            "discriminator": PATCH | INSTANCE | {"sees": "object"},
        },
        "masks": True,
    },
    "cyclegan multiscale, diff_augment": {
        "model": CYCLEGAN | {"diff_augment": ["color", "cutout"], "discriminator": MULTISCALE, "lambda_r1": 5.0}
    },
    "cut masks, composite": {
        "model": CUT | {"lambda_outside": 2.0, "discriminator": PATCH | {"sees": "composite"}},
        "masks": True,
    },
    "fastcut": {"model": CUT | {"name": "fastcut"}},
}

# Wide enough for the kernels that narrow networks do not reach; too slow to be run in float64 with the others.
WIDE: dict[str, dict[str, Any]] = {
    "cyclegan wide": {"model": CYCLEGAN | {"generator": {"width": 24, "blocks": 1}}},
    "cyclegan wide, residual without norm": {
        "model": CYCLEGAN
        | {"lambda_identity": 0.0, "generator": {"width": 24, "blocks": 1, "residual": True} | NO_NORM}
    },
}
WIDE_SIDE, WIDE_STEPS = 64, 3


def build_step(
    settings: Mapping[str, Any], dtype: torch.dtype
) -> tuple[Callable[[Mapping[str, Tensor], int, float], Mapping[str, Tensor]], dict[str, nn.Module]]:
    """A training step on the CPU in channels_last, as `translate train` has it there.

    Args:
        settings: one of VARIANTS.
        dtype: of the networks; bfloat16 is mixed precision, with weights in float32. For float64 torch's default must
            be float64 already (`arithmetic`).
    Returns:
        a function (batch, number of the step, factor of the learning rate) -> named losses, which updates the weights,
        and the averaged generators by their direction.
    """
    tree = {
        "model": dict(settings["model"]),
        "optim": {"lr": LR} | settings.get("optim", {}),
        "run": {"dir": str(Path()), "steps": STEPS, "device": "cpu"} | settings.get("run", {}),
        "tracking": {"mode": "disabled"},
    }
    mixed = torch.bfloat16 if dtype == torch.bfloat16 else torch.float32
    learner = Learner(TrainConfig.build(tree), torch.device("cpu"), mixed, torch.channels_last)
    averages: dict[str, nn.Module] = dict(learner.ema.generators.items())
    return functools.partial(train_step, learner), averages


@contextlib.contextmanager
def arithmetic(dtype: torch.dtype) -> Iterator[None]:
    """One thread, and new tensors in float64 where `dtype` is that; what was set before comes back at the end."""
    threads, default = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64 if dtype == torch.float64 else torch.float32)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_default_dtype(default)


def batch(seed: int, side: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """{"A", "B"} of (2, 3, side, side) in [-1, 1]: soft colours, rounded once from the same float64 values."""
    generator = torch.Generator().manual_seed(seed)
    small = torch.rand(4, 3, 4, 4, generator=generator, dtype=torch.float64) * 2 - 1
    images = F.interpolate(small, size=side, mode="bicubic").clamp(-1, 1)
    images = images.to(torch.float64 if dtype == torch.float64 else torch.float32)
    return {"A": images[:2], "B": images[2:]}


def masks(seed: int, side: int) -> dict[str, Tensor]:
    """{"mask_A", "mask_B"} of (2, 1, side, side): an upright rectangle in each, 1 inside and 0 outside."""
    generator = torch.Generator().manual_seed(1000 + seed)
    made = torch.zeros(4, 1, side, side)
    for mask in made:
        top, left = torch.randint(side // 2, (2,), generator=generator).tolist()
        mask[:, top : top + side // 3, left : left + side // 4] = 1
    return {"mask_A": made[:2], "mask_B": made[2:]}


def train(
    settings: Mapping[str, Any], dtype: torch.dtype, nudge: float = 0.0, side: int = 0, steps: int = STEPS
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Train from the first weights; the learning rate is halved for the second half of the steps.

    Args:
        settings: one of VARIANTS or of WIDE; with `masks`, there are masks of what may change.
        dtype: see `build_step`.
        nudge: relative change of all images, to see how fast a difference of rounding grows.
        side: pixels of the images; 0 is the U-Net's size, or 32.
        steps: how many.
    Returns:
        {name of a loss: its value at each step} and {direction: mean and standard deviation of what the averaged
        generator makes of the next batch's A (a2b) or B (b2a)}.
    """
    side = side or settings["model"]["generator"].get("size", 32)
    losses: dict[str, list[float]] = {}
    with arithmetic(dtype):
        step, averages = build_step(settings, dtype)
        for number in range(steps):
            images = {name: value * (1 + nudge) for name, value in batch(number, side, dtype).items()}
            if settings.get("masks"):
                images |= masks(number, side)
            for name, loss in step(images, number, 1.0 if number < steps // 2 else 0.5).items():
                losses.setdefault(name, []).append(loss.item())
        fixed = batch(steps, side, dtype)
        summaries = {}
        with torch.no_grad():
            for direction, generator in averages.items():
                made = generator(fixed["A" if direction == "a2b" else "B"]).double()
                summaries[direction] = [made.mean().item(), made.std().item()]
    return losses, summaries
