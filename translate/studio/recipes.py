"""From a few plain choices to all settings of a training run, and how long that may take. Knows no Gradio."""

from __future__ import annotations

import math
import re
import statistics
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from translate.config import TrainConfig
from translate.errors import UserError
from translate.models.cyclegan import CycleGANConfig
from translate.models.pix2pix import Pix2PixConfig
from translate.runs.listing import Run
from translate.settings import Direction

if TYPE_CHECKING:
    import torch

Quality = Literal["quick", "good", "best"]

MODELS = {"pix2pix": "pix2pix (learns from pairs)", "cyclegan": "CycleGAN (needs no pairs)"}


@dataclass(frozen=True)
class Recipe:
    """What a quality means."""

    title: str
    words: str
    width: int
    blocks: int
    steps: int
    """At least; the best one takes 200 passes over the pictures, between this and five times this."""


RECIPES: dict[Quality, Recipe] = {
    "quick": Recipe("Quick look", "See whether your idea works", 24, 6, 2_000),
    "good": Recipe("Good", "Worth showing; small and fast afterwards", 32, 9, 20_000),
    "best": Recipe("Best", "As in the research papers; patience, or a graphics card", 64, 9, 40_000),
}
SIZES = (128, 256, 512)
CHOSEN_ABOVE = ("data.root", "run.dir", "model.name", "name", "title")
"""Settings that the page asks for itself; further settings may not name them."""


@dataclass(frozen=True)
class Choices:
    """What somebody chose in the page."""

    title: str
    dataset: str
    """What the folder or the zip is called."""
    model: Literal["pix2pix", "cyclegan"]
    domain_A: str
    domain_B: str
    quality: Quality
    size: int
    images: int
    """Pictures of the larger domain, or pairs."""
    direction: Direction = "a2b"
    elongated: bool = False
    """Whether there are pictures far from square, which must not be squeezed into one."""
    report: bool = False
    """Whether to report to Weights & Biases."""
    further: str = ""
    """Further settings, `section.name: value`, one a line."""


def settings(choices: Choices, root: Path, runs: Path) -> TrainConfig:
    """All settings of the run that is meant; its folder is a new one in `runs`.

    Raises:
        UserError: the name is empty, or the further settings are not right.
    """
    recipe = RECIPES[choices.quality]
    steps = recipe.steps
    if choices.quality == "best":
        steps = min(max(steps, 200 * choices.images), 5 * steps)
    title = " ".join(choices.title.split())
    if not title:
        raise UserError("Give your training a name.")
    folder = unused_folder(runs, title)
    generator: dict[str, Any] = {"width": recipe.width}
    if choices.model == "cyclegan":
        generator["blocks"] = recipe.blocks
    else:
        generator["size"] = min(choices.size, 256)
    tree: dict[str, Any] = {
        "name": folder.name,
        "title": title,
        "dataset": choices.dataset,
        "model": {"name": choices.model, "generator": generator, "discriminator": {"width": recipe.width}},
        "data": {
            "root": str(root),
            "domain_A": choices.domain_A.strip() or "A",
            "domain_B": choices.domain_B.strip() or "B",
            "direction": choices.direction,
            "crop_size": choices.size,
            "load_size": round(choices.size * 286 / 256),  # the papers' proportion
            "preprocess": "scale_shorter_and_crop" if choices.elongated else "resize_and_crop",
        },
        "run": {
            "dir": str(folder),
            "steps": steps,
            "log_every": 10,
            "sample_every": max(50, steps // 40),
            "save_every": max(200, steps // 10),
        },
        "tracking": {"mode": "auto" if choices.report else "disabled"},
    }
    return TrainConfig.build(tree, further_settings(choices.further), source="Further settings")


def further_settings(text: str) -> dict[str, Any]:
    """`run.steps: 500` a line, as {"run.steps": 500}. Raises UserError for other text and for what is CHOSEN_ABOVE."""
    try:
        tree = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        tree = None
    if not isinstance(tree, dict) or not all(isinstance(name, str) for name in tree):
        raise UserError("Further settings are written as section.name: value, one a line, such as run.steps: 5000.")
    for name, value in tree.items():
        if name in CHOSEN_ABOVE or isinstance(value, dict):
            reason = "is a whole section; write section.name: value" if isinstance(value, dict) else "is chosen above"
            raise UserError(f"Further settings: {name} {reason}.")
    return tree


def unused_folder(runs: Path, title: str) -> Path:
    """A folder in `runs` that is called like the title and not there yet."""
    slug = re.sub(r"[^\w-]+", "-", title.lower()).strip("-_")[:60] or "training"
    taken = {path.name for path in runs.iterdir()} if runs.is_dir() else set()
    names = (slug if number == 1 else f"{slug}-{number}" for number in range(1, len(taken) + 2))
    return runs / next(name for name in names if name not in taken)


def domain_names(folder: str) -> tuple[str, str]:
    """What A and B probably show, from a folder's name such as horse2zebra; A and B where it does not say."""
    match = re.fullmatch(r"([a-z]+)(?:2|-to-|_to_)([a-z]+)", folder.lower())
    return (match[1], match[2]) if match else ("A", "B")


# ---------------------------------------------------------------------------------------------------------- how long


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
    fitted to the figures in docs/performance.md (two cores: 2.8 s for CycleGAN, 0.29 s for pix2pix).
    """
    from translate.devices import choose_device, choose_precision

    device = choose_device(config.run.device)
    dtype = choose_precision(config.run.precision, device)
    model, size, batch = config.model.model_dump_json(), config.data.crop_size, config.optim.batch_size
    flops, weights, layers = _work(config.model.name, model, size, batch)
    share = 0.7 * math.sqrt(min(1.0, config.model.generator.width / 64))
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
def _work(name: str, settings: str, size: int, batch: int) -> tuple[float, int, int]:
    """Floating-point operations of a step, weights, and layers passed through; from `model` settings as JSON."""
    import torch

    from translate.models import build_model
    from translate.training.observers.flops import step_flops

    model = (Pix2PixConfig if name == "pix2pix" else CycleGANConfig).model_validate_json(settings)
    forth = model.generator
    side = -(-size // forth.multiple) * forth.multiple
    shapes = [torch.Size((batch, channels, side, side)) for channels in (forth.in_channels, forth.out_channels)]
    flops = step_flops(TrainConfig(model=model), *shapes)
    with torch.device("meta"):
        network = build_model(model.model_copy(update={"lambda_perceptual": 0.0}))
    passes = 2 if name == "pix2pix" else 6  # half of the modules hold others; forward and twice backward for each
    return flops, sum(each.numel() for each in network.parameters()), passes * sum(1 for _ in network.modules())


@lru_cache(maxsize=4)
def _matrix_rate(device: torch.device, precision: torch.dtype) -> float:
    from translate.training.observers.flops import matrix_rate

    return matrix_rate(device, precision)
