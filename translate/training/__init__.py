"""A run from its settings to its checkpoints. How models read the checkpoints that they learn from is set here."""

from __future__ import annotations

from torch import nn

from translate.models.teachers import register_teachers
from translate.settings import Direction


def _load_teacher(checkpoint: str, direction: Direction) -> nn.Module:
    from translate.checkpoints.format import load_generator
    from translate.checkpoints.zoo import resolve

    return load_generator(resolve(checkpoint), direction)


register_teachers(_load_teacher)
