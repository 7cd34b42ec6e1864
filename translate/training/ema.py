"""Exponential moving average of the generators' weights: what is saved, sampled and shipped.

Yaz et al. 2019, The Unusual Effectiveness of Averaging in GAN Training, https://arxiv.org/abs/1806.04498.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import nn

from translate.config import Direction


class EMA:
    """Averaged copies of generators, in evaluation mode and without gradients."""

    def __init__(self, generators: Mapping[Direction, nn.Module], decay: float) -> None:
        """`decay` a step, e.g. 0.999; with 0 the copies are the newest weights."""
        self.decay = decay
        self.generators = {
            name: copy.deepcopy(network).eval().requires_grad_(False) for name, network in generators.items()
        }

    @torch.no_grad()
    def update(self, generators: Mapping[Direction, nn.Module], step: int) -> None:
        """Move the averages towards the weights after step number `step`, counted from 1.

        The decay rises to its value as (1 + step) / (10 + step), so that a young average is not the random start.
        """
        decay = min(self.decay, (1 + step) / (10 + step)) if self.decay else 0.0
        for name, average in self.generators.items():
            network = generators[name]
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
            for mine, theirs in zip(average.buffers(), network.buffers(), strict=True):
                mine.copy_(theirs)
