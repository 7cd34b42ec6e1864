"""Telling the object from the background by the features of a place, learned from class evidence alone.

Class activation maps are right about most places but coarse: one value for 32 pixels, blurred by a receptive field of
hundreds. Features of earlier layers are finer. A linear classifier of those, fitted to the evidence of many pictures,
keeps what the pictures agree on, so its borders are finer than those it learned from; fitted again to its own answers
(self-training, Lee 2013) it keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

ROUNDS = 2
"""Fits: to the evidence, then to the classifier's own answers."""
SURE = 1.0
"""Log-odds from which on the classifier's own answers are learned from."""
DECAY = 0.02
"""Weight of the squared weights in the loss; measured on horses and zebras."""


@dataclass(frozen=True)
class PixelClassifier:
    """Logistic regression on standardised features."""

    mean: Tensor
    """(C)"""
    deviation: Tensor
    weight: Tensor
    bias: Tensor
    """()"""

    def __call__(self, features: Tensor) -> Tensor:
        """(…, C) features as the log-odds (…) that they are the object's."""
        odds: Tensor = (features - self.mean) / self.deviation @ self.weight + self.bias
        return odds


def fit_pixels(features: Tensor, evidence: Tensor, limits: tuple[float, float]) -> PixelClassifier | None:
    """Learn to tell object and background.

    Args:
        features: (places, C) of many pictures.
        evidence: (places) log-odds; see `class_evidence`.
        limits: places with less evidence than the first are background, with more than the second object; those in
            between are not learned from.
    Returns:
        the classifier, or None where all places are on one side.
    """
    mean, deviation = features.mean(0), features.std(0).clamp_min(1e-5)
    standardised = (features - mean) / deviation
    fitted = None
    for _ in range(ROUNDS):
        sure = (evidence < limits[0]) | (evidence > limits[1])
        target = (evidence[sure] > limits[1]).float()
        if not len(target) or target.min() == target.max():
            break
        weight, bias = _fit(standardised[sure], target)
        fitted = PixelClassifier(mean, deviation, weight, bias)
        evidence, limits = standardised @ weight + bias, (-SURE, SURE)
    return fitted


def _fit(features: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Weights (C) and bias () of the logistic regression with the least loss."""
    weight, bias = torch.zeros(features.shape[1], requires_grad=True), torch.zeros((), requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        wrong = F.binary_cross_entropy_with_logits(features @ weight + bias, target) + DECAY * weight.square().sum()
        wrong.backward()  # type: ignore[no-untyped-call]
        return wrong

    with torch.enable_grad():
        optimiser.step(loss)  # type: ignore[no-untyped-call]
    return weight.detach(), bias.detach()
