"""What a checkpoint says about the run that it comes from: its config.json."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path
from typing import Literal

from translate._version import __version__
from translate.checkpoints.settings import CheckpointConfig, Provenance, SideConfig
from translate.config import TrainConfig
from translate.data.loading import TranslationDataset
from translate.data.sources import learn_levels
from translate.models import model_class
from translate.terminal import valid_text
from translate.training.ancestry import Ancestry

NO_ANCESTRY = Ancestry()


def statistics(config: TrainConfig, global_batch: int) -> Literal["running", "image"]:
    """Which statistics batch norm uses in the checkpoint: "image" where it only ever saw one image at a time.

    Isola et al. 2017, section 3.3.
    """
    alone = global_batch == 1 and config.model.generator.has_batch_norm
    return "image" if alone else "running"


def describe_checkpoint(
    config: TrainConfig,
    step: int,
    epochs: float,
    global_batch: int,
    seconds: float,
    machine: str,
    ancestry: Ancestry = NO_ANCESTRY,
) -> CheckpointConfig:
    """The config.json of a checkpoint taken after `step` steps: a is what the model reads, the direction is applied.

    A network that took part in training the start or the teacher had a part in this run's weights, so it is listed with
    those of the run itself.
    """
    first, second = domains(config)
    own = model_class(config.model.name).features(config.model)
    return CheckpointConfig(
        name=config.name or config.run.dir.name,
        title=config.title,
        limits=config.limits,
        drawing=config.drawing,
        domains={"a": first, "b": second},
        generators=model_class(config.model.name).directions(config.model),
        image_size=config.data.crop_size,
        statistics=statistics(config, global_batch),
        provenance=Provenance(
            dataset=config.dataset or valid_text(config.data.root.name),
            license=config.license,
            model=config.model.name,
            start=config.run.start_from or "",
            teacher=ancestry.teacher,
            teacher_digest=ancestry.teacher_digest,
            features=list(dict.fromkeys([*own, *ancestry.features])),
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


def learn_sides(dataset: TranslationDataset) -> dict[Literal["a", "b"], SideConfig]:
    """What the images are like that the model reads (a) and makes (b), by a sample of the training images."""
    sides: dict[Literal["a", "b"], SideConfig] = {}
    names: tuple[Literal["a", "b"], ...] = ("a", "b")
    for name, domain, channels in zip(names, dataset.domains, dataset.channels, strict=True):
        levels = learn_levels(domain)
        if levels is not None:
            sides[name] = SideConfig(channels=channels, depth=levels.depth, range=levels.range)
    return sides


def domains(config: TrainConfig) -> tuple[str, str]:
    """Names of what a2b reads and of what it makes."""
    names = (config.data.domain_A, config.data.domain_B)
    return names if config.data.direction == "a2b" else names[::-1]


def _commit() -> str:
    """The commit of the checkout this package lies in; empty where it is not one."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(["git", "-C", here, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return found.stdout.strip()
