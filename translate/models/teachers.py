"""How a model gets at a checkpoint that it learns from, without knowing the format of checkpoints.

Checkpoints describe themselves by their model, so `checkpoints` imports `models` and not the other way round. What
reads teachers is registered from above: `translate.training` does it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from translate.errors import UserError
from translate.features import Frozen
from translate.settings import Direction

Loader = Callable[[str, Direction], nn.Module]
"""(name or folder of a checkpoint, direction) → its generator, on the CPU, in eval mode."""

_loaders: list[Loader] = []


class Teacher(Frozen):
    """A generator that is imitated. It is moved with the model, and neither trained, averaged nor saved with it."""

    generator: nn.Module

    def __init__(self, generator: nn.Module) -> None:
        super().__init__(generator=generator)

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] → the teacher's translations, (N, C', H, W) in [-1, 1], without gradients."""
        made: Tensor = self.generator(images)
        return made


def register_teachers(loader: Loader) -> None:
    """Let `load_teacher` read checkpoints by a function; the newest counts."""
    _loaders.append(loader)


def load_teacher(checkpoint: str, direction: Direction) -> Teacher:
    """Open the generator of a checkpoint as a teacher, without values where torch's default device is "meta".

    Args:
        checkpoint: name or folder.
        direction: which of its generators.
    Raises:
        UserError: no checkpoint is named, there is none of this name, or it has no such direction.
    """
    if not checkpoint:
        raise UserError("A distillation needs a teacher: name a checkpoint or its folder with --model.teacher.")
    if not _loaders:
        raise RuntimeError("nothing reads checkpoints yet: import translate.training, or call register_teachers")
    device = torch.get_default_device()
    with torch.device("cpu"):  # weights are read on the CPU even where only shapes are wanted
        teacher = Teacher(_loaders[-1](checkpoint, direction))
    return teacher.to(device)
