"""What a run's weights owe to other checkpoints: the one it began with, and its teacher."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from translate.checkpoints.folder import read_config, weights_file
from translate.checkpoints.zoo import resolve
from translate.config import TrainConfig
from translate.errors import UserError
from translate.models import model_class
from translate.settings import Direction

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ancestry:
    """What goes into the provenance of every checkpoint of a run; found out when the run begins, and kept in its state.

    Attributes:
        features: the feature networks that those checkpoints were trained against.
        teacher: the checkpoint that is imitated; empty where there is none.
        teacher_digest: SHA-256 of the weights of its generator.
    """

    features: tuple[str, ...] = ()
    teacher: str = ""
    teacher_digest: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For a state's JSON; see `restore`."""
        return asdict(self)


def trace(config: TrainConfig) -> Ancestry:
    """Read what the checkpoints that a new run learns from say about themselves.

    Raises UserError where one of them is missing or damaged.
    """
    teachers = model_class(config.model.name).teachers(config.model)
    starts = [config.run.start_from] if config.run.start_from else []
    before = [*starts, *(checkpoint for checkpoint, _ in teachers)]
    features = [name for checkpoint in before for name in read_config(resolve(checkpoint)).provenance.features]
    names = ", ".join(checkpoint for checkpoint, _ in teachers)
    return Ancestry(tuple(dict.fromkeys(features)), names, _digests(teachers))


def restore(saved: Mapping[str, Any] | None, config: TrainConfig) -> Ancestry:
    """The ancestry of a run that goes on, as its state has it.

    Args:
        saved: what `as_dict` gave; None in a state of a version that did not keep it, where it is found out anew.
        config: of the run.
    Raises:
        UserError: the teacher is not the one that the run began with.
    """
    if saved is None:
        try:
            return trace(config)
        except UserError as error:
            log.warning("What this run's start was trained against is unknown: %s", error)
            return Ancestry()
    before = Ancestry(tuple(saved["features"]), saved["teacher"], saved["teacher_digest"])
    if before.teacher_digest != _digests(model_class(config.model.name).teachers(config.model)):
        raise UserError(
            f"The run learned from {before.teacher}, whose weights are others now; bring those back or begin a new run."
        )
    return before


def _digests(teachers: Sequence[tuple[str, Direction]]) -> str:
    digests = []
    for checkpoint, direction in teachers:
        path = weights_file(resolve(checkpoint), direction)
        try:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise UserError(f"Cannot read the teacher's weights {path}: {error.strerror}.") from error
    return ", ".join(digests)
