"""Exponential moving average of the generators' weights: what is saved, sampled and shipped.

Yaz et al. 2019, The Unusual Effectiveness of Averaging in GAN Training, https://arxiv.org/abs/1806.04498.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

from torch import Tensor, nn

from translate.settings import Direction


class EMA:
    """Averaged copies of generators, in evaluation mode and without gradients; `PlayerOptimizer.follow` moves them."""

    def __init__(self, generators: Mapping[Direction, nn.Module], decay: float) -> None:
        """`decay` a step, e.g. 0.999; with 0 the copies are the newest weights."""
        self.decay = decay
        self.generators = {
            name: copy.deepcopy(network).eval().requires_grad_(False) for name, network in generators.items()
        }

    def follows(self, generators: Mapping[Direction, nn.Module]) -> dict[Tensor, Tensor]:
        """Parameter of a generator → its average."""
        return {
            parameter: average
            for direction, network in generators.items()
            for parameter, average in zip(network.parameters(), self.generators[direction].parameters(), strict=True)
        }

    def weight(self, step: int) -> float:
        """What share of the way the averages move to the weights after step number `step`, counted from 1.

        The decay rises to its value as (1 + step) / (10 + step), so that a young average is not the random start.
        """
        return 1 - min(self.decay, (1 + step) / (10 + step)) if self.decay else 1.0

    def copy_buffers(self, generators: Mapping[Direction, nn.Module]) -> None:
        """Take over what is counted rather than learned: the running averages of batch norm."""
        for name, average in self.generators.items():
            for mine, theirs in zip(average.buffers(), generators[name].buffers(), strict=True):
                mine.copy_(theirs)
