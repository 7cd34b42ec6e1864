"""How long a training may take on this machine, before it has begun."""

from __future__ import annotations

import json
import math
import statistics
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from translate.config import TrainConfig
    from translate.runs.listing import Run


@dataclass(frozen=True)
class Estimate:
    """How long a run may take, in seconds, and what that is known from."""

    seconds: float
    basis: str


def estimate(config: TrainConfig, runs: list[Run]) -> Estimate:
    """How long a run may take: at the pace of one like it that was trained here, or else by the rule below."""
    steps = config.run.steps or (config.run.epochs or 200) * 1000
    for run in runs:
        paces = [row["step_seconds"] for row in run.rows[1:] if "step_seconds" in row]
        if len(paces) >= 3 and _kind(run.config) == _kind(config):
            return Estimate(steps * statistics.median(paces), f"as fast as {run.title} was trained here")
    return Estimate(steps * step_seconds(config), "a rough estimate; a better one comes with the first steps")


def step_seconds(config: TrainConfig) -> float:
    """Seconds a step may take on this machine, by a rule.

    Convolutions run at a share of the rate of a large matrix product, which is measured once (half a second): at 0.7
    of it for networks of the papers' width, at less for narrower ones, whose time goes into moving images. The
    optimiser and the moving average touch every weight, and each layer takes its moment to begin with. The shares are
    fitted to the times of a step in docs/performance.md.
    """
    from translate.devices import choose_device, choose_precision

    device = choose_device(config.run.device)
    dtype = choose_precision(config.run.precision, device)
    model, size, batch = config.model.model_dump_json(), config.data.crop_size, config.optim.batch_size
    flops, weights, layers = _work(model, size, batch)
    share = 0.7 * math.sqrt(min(1.0, getattr(config.model.generator, "width", 64) / 64))
    per_weight, per_layer = (2e-9, 5e-5) if device.type == "cpu" else (4e-11, 1.5e-4)
    return flops / (share * _matrix_rate(device, dtype)) + per_weight * weights + per_layer * layers


def machine() -> str:
    """What trains here, as people know it: the graphics card, or the number of processor cores."""
    import torch

    from translate.devices import choose_device, describe

    device = choose_device()
    if device.type == "cpu":
        cores = torch.get_num_threads()
        return f"this computer ({cores} processor core{'' if cores == 1 else 's'}, no graphics card)"
    return f"this computer ({describe(device)})"


def _kind(config: TrainConfig) -> tuple[Any, ...]:
    """What the pace of a run depends on."""
    run = config.run
    return config.model, config.data.crop_size, config.optim.batch_size, run.device, run.precision, run.compile


@lru_cache(maxsize=64)
def _work(settings: str, size: int, batch: int) -> tuple[float, int, int]:
    """Floating-point operations of a step, weights, and layers passed through; from `model` settings as JSON."""
    import torch

    from translate.config import TrainConfig
    from translate.models import build_model, model_class
    from translate.training.observers.flops import step_flops

    model = TrainConfig.model_validate({"model": json.loads(settings)}).model
    forth = model.generator
    side = -(-size // forth.multiple) * forth.multiple
    shapes = [torch.Size((batch, channels, side, side)) for channels in (forth.in_channels, forth.out_channels)]
    flops = step_flops(TrainConfig(model=model), *shapes)
    with torch.device("meta"):
        network = build_model(model.model_copy(update={"lambda_perceptual": 0.0}))
    known = model_class(model.name)
    # Half of the modules hold others; each goes forward, and twice that back. Without pairs, images go through further
    # networks: on their way back, or to be compared with themselves.
    passes = 2 * len(known.directions(model)) + (0 if known.paired else 2)
    return flops, sum(each.numel() for each in network.parameters()), passes * sum(1 for _ in network.modules())


@lru_cache(maxsize=4)
def _matrix_rate(device: torch.device, precision: torch.dtype) -> float:
    from translate.training.observers.flops import matrix_rate

    return matrix_rate(device, precision)
