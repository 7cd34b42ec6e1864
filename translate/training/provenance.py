"""What a run writes down about itself: the checkpoint's config.json, and which settings a resumed run changed."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from translate._version import __version__
from translate.config import CheckpointConfig, Direction, GeneratorConfig, Pix2PixConfig, Provenance, TrainConfig


def statistics(config: TrainConfig, global_batch: int) -> Literal["running", "image"]:
    """Batch norm that only ever saw one image at a time is used that way (Isola et al. 2017, section 3.3)."""
    alone = global_batch == 1 and config.model.generator.norm in ("batch", "sync_batch")
    return "image" if alone else "running"


def describe_checkpoint(
    config: TrainConfig, step: int, epochs: float, global_batch: int, seconds: float, machine: str
) -> CheckpointConfig:
    """The config.json of a checkpoint taken after `step` steps: a is what the model reads, the direction is applied."""
    forth = config.model.generator
    generators: dict[Direction, GeneratorConfig] = {"a2b": forth}
    if not isinstance(config.model, Pix2PixConfig):
        channels = {"in_channels": forth.out_channels, "out_channels": forth.in_channels}
        generators["b2a"] = forth.model_copy(update=channels)
    first, second = domains(config)
    return CheckpointConfig(
        name=config.name or config.run.dir.name,
        title=config.title,
        limits=config.limits,
        drawing=config.drawing,
        domains={"a": first, "b": second},
        generators=generators,
        image_size=config.data.crop_size,
        statistics=statistics(config, global_batch),
        provenance=Provenance(
            dataset=config.dataset or config.data.root.name,
            license=config.license,
            model=config.model.name,
            start=config.run.start_from or "",
            steps=step,
            epochs=round(epochs, 3),
            batch_size=global_batch,
            seed=config.run.seed,
            seconds=round(seconds, 1),
            machine=machine,
            commit=_commit(),
            version=__version__,
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        ),
    )


def domains(config: TrainConfig) -> tuple[str, str]:
    """Names of what a2b reads and of what it makes."""
    names = (config.data.domain_A, config.data.domain_B)
    return names if config.data.direction == "a2b" else names[::-1]


def changed_settings(before: dict[str, Any], now: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """(dotted name, value before, value now) of every setting that differs between two dumps of a TrainConfig."""
    flat_before, flat_now = _flat(before), _flat(now)
    for name in sorted(flat_before.keys() | flat_now.keys()):
        if flat_before.get(name) != flat_now.get(name):
            yield name, flat_before.get(name), flat_now.get(name)


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat


def _commit() -> str:
    """The commit of the checkout this package lies in; empty where it is not one."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()
