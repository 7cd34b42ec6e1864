"""How much arithmetic a step is, and how much of it the machine could do: model FLOP utilisation.

PaLM (Chowdhery et al. 2022, https://arxiv.org/abs/2204.02311, appendix B) defines it: the operations that the step's
mathematics needs, over the time it took, over the rate of the machine. What is computed twice to save memory does not
count, so a higher figure is always a faster run.
"""

from __future__ import annotations

import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from translate.config import TrainConfig
from translate.models import build_model

BUDGET_SECONDS = 0.5


def step_flops(config: TrainConfig, shape_A: torch.Size, shape_B: torch.Size) -> float:
    """Floating-point operations of the convolutions of one step, forward and backward, in one process.

    The networks are built and run on the meta device, which knows shapes and computes nothing: it takes a second
    whatever their size. A perceptual loss is not counted, nor are penalties of the discriminators' gradients.

    Args:
        config: all settings.
        shape_A, shape_B: of the batch, (N, C, H, W).
    """
    plain = config.model.model_copy(update={"lambda_perceptual": 0.0, "lambda_r1": 0.0, "lambda_gp": 0.0})
    with torch.device("meta"):
        model = build_model(plain, merge=config.run.merge)
        batch = {"A": torch.empty(shape_A), "B": torch.empty(shape_B)}
        with FlopCounterMode(display=False) as counter:
            images = model(batch)
            for player in model.players:
                for other in model.players:
                    if other.discriminates:
                        for network in other.networks.values():
                            network.requires_grad_(other.name == player.name)
                model.losses(player.name, images)[0].backward()
    return float(counter.get_total_flops())


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large matrix product, the best of several in half a second: what the machine can do."""
    size = 2048 if device.type == "cpu" else 8192
    one, other = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    best, begun = float("inf"), time.perf_counter()
    for attempt in range(10):
        start = time.perf_counter()
        one @ other
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        best = min(best, time.perf_counter() - start)
        if attempt and time.perf_counter() - begun > BUDGET_SECONDS:
            break
    return 2 * size**3 / best
