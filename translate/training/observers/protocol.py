"""What observers of a training are told: facts of the whole run, and each step that is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor

from translate.checkpoints.settings import SideConfig
from translate.config import TrainConfig
from translate.data.loading import TranslationDataset
from translate.training.ancestry import Ancestry


@dataclass(frozen=True)
class RunFacts:
    """What does not change during a run.

    Attributes:
        config: all settings; `config.run.dir` is the run's folder.
        device, dtype: where and how the networks compute.
        main: whether this process writes; of several processes one does.
        processes: how many train together.
        epoch_steps, total_steps: steps of an epoch and of the whole run.
        sides: what the images are like that the model reads (a) and makes (b).
        validation_images: opens the images that sheets of samples show.
        ancestry: what the run's weights owe to other checkpoints.
    """

    config: TrainConfig
    device: torch.device
    dtype: torch.dtype
    main: bool
    processes: int
    epoch_steps: int
    total_steps: int
    validation_images: Callable[[], TranslationDataset]
    ancestry: Ancestry
    sides: Mapping[Literal["a", "b"], SideConfig] = field(default_factory=dict)

    @property
    def global_batch(self) -> int:
        """Images of each domain that a step takes in, over all processes."""
        return self.config.optim.batch_size * self.processes


@dataclass(frozen=True)
class Moment:
    """A step that is done.

    Attributes:
        step: its number, counted from 1.
        losses: the named losses of this process's batch, scalars on the device.
        lr_factor: what the learning rates were multiplied by.
        batch: what it was made with.
        last: whether the run ends with it.
        stopping: whether the run was told to stop after it.
    """

    step: int
    losses: Mapping[str, Tensor]
    lr_factor: float
    batch: Mapping[str, Any]
    last: bool
    stopping: bool


class Observer(Protocol):
    """Looks at each step after it is done; it changes nothing that training depends on."""

    def after_step(self, moment: Moment) -> None:
        """Called once for every step, in the order of the list of observers."""
        ...
