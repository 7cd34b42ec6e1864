"""Turns a few plain choices into all settings of a training run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from translate.errors import UserError

if TYPE_CHECKING:
    from translate.config import TrainConfig
    from translate.registry import Registry
    from translate.settings import Direction

Quality = Literal["quick", "good", "best"]


@dataclass(frozen=True)
class Preset:
    """The settings that a quality stands for."""

    title: str
    words: str
    width: int
    blocks: int
    steps: int
    """At least; the best one takes 200 passes over the pictures, between this and five times this."""


PRESETS: dict[Quality, Preset] = {
    "quick": Preset("Quick look", "See whether your idea works", 24, 6, 2_000),
    "good": Preset("Good", "Worth showing; small and fast afterwards", 32, 9, 20_000),
    "best": Preset("Best", "As in the research papers; patience, or a graphics card", 64, 9, 40_000),
}
SIZES = (128, 256, 512)
CHOSEN_ABOVE = ("data.root", "run.dir", "model.name", "name", "title")
"""Settings that the page asks for itself; further settings may not name them."""


@dataclass(frozen=True)
class Choices:
    """The choices that somebody made in the page."""

    title: str
    dataset: str
    """What the folder or the zip is called."""
    model: str
    """Name of a registered model."""
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
    """Return all settings of the run that is meant; its folder is a new one in `runs`.

    Raises:
        UserError: the name is empty, or the further settings are not right.
    """
    from translate.config import TrainConfig
    from translate.models import model_class
    from translate.networks import DISCRIMINATORS, GENERATORS

    preset = PRESETS[choices.quality]
    steps = preset.steps
    if choices.quality == "best":
        steps = min(max(steps, 200 * choices.images), 5 * steps)
    title = " ".join(choices.title.split())
    if not title:
        raise UserError("Give your training a name.")
    folder = unused_folder(runs, title)
    sizes = {"width": preset.width, "blocks": preset.blocks, "size": min(choices.size, 256)}
    further = further_settings(choices.further)
    usual = model_class(choices.model).Config(name=choices.model)
    architecture = further.get("model.generator.architecture", usual.generator.architecture)
    kind = further.get("model.discriminator.kind", usual.discriminators[0].kind)
    tree: dict[str, Any] = {
        "name": folder.name,
        "title": title,
        "dataset": choices.dataset,
        "model": {
            "name": choices.model,
            "generator": _known(sizes, GENERATORS, architecture),
            "discriminator": _known(sizes, DISCRIMINATORS, kind),
        },
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
    return TrainConfig.build(tree, further, source="Further settings")


def _known(sizes: dict[str, int], registry: Registry[Any], name: str) -> dict[str, int]:
    """Return those of the sizes that the network of this name has."""
    return {size: value for size, value in sizes.items() if size in registry[name].Config.model_fields}


def further_settings(text: str) -> dict[str, Any]:
    """Read settings such as `run.steps: 500`, one a line. Raises UserError for other text and what is CHOSEN_ABOVE."""
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
    """Return a folder in `runs` that is called like the title and not there yet."""
    slug = re.sub(r"[^\w-]+", "-", title.lower()).strip("-_")[:60] or "training"
    taken = {path.name for path in runs.iterdir()} if runs.is_dir() else set()
    names = (slug if number == 1 else f"{slug}-{number}" for number in range(1, len(taken) + 2))
    return runs / next(name for name in names if name not in taken)


def domain_names(folder: str) -> tuple[str, str]:
    """Guess what A and B show from a folder's name such as horse2zebra; returns A and B where it does not say."""
    match = re.fullmatch(r"([a-z]+)(?:2|-to-|_to_)([a-z]+)", folder.lower())
    return (match[1], match[2]) if match else ("A", "B")
