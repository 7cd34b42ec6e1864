"""Each loss against its equation, written out a second time with numpy or autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from translate import losses
from translate.losses import Objective

REAL = torch.tensor([[[[1.5, -0.5], [0.2, 3.0]]]])
FAKE = torch.tensor([[[[-2.0, 0.7], [0.1, 1.2]]]])


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


def expected(objective: str, x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """On real, on fake, for the generator."""
    terms = {
        "lsgan": ((x - 1) ** 2, y**2, (y - 1) ** 2),
        "bce": (-np.log(sigmoid(x)), -np.log(1 - sigmoid(y)), -np.log(sigmoid(y))),
        "bce_minimax": (-np.log(sigmoid(x)), -np.log(1 - sigmoid(y)), np.log(1 - sigmoid(y))),
        "hinge": (np.maximum(0, 1 - x), np.maximum(0, 1 + y), -y),
        "wgan_gp": (-x, y, -y),
    }
    real, fake, generator = terms[objective]
    return real.mean(), fake.mean(), generator.mean()


@pytest.mark.parametrize("objective", ["lsgan", "bce", "bce_minimax", "hinge", "wgan_gp"])
def test_objectives_are_their_equations(objective: Objective) -> None:
    on_real, on_fake = losses.discriminator_terms(objective, REAL, FAKE)
    for_generator = losses.generator_term(objective, FAKE)
    wanted = expected(objective, REAL.numpy(), FAKE.numpy())
    assert (on_real.item(), on_fake.item(), for_generator.item()) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("objective", ["bce", "bce_minimax"])
def test_bce_stays_finite_for_a_certain_discriminator(objective: Objective) -> None:
    certain = torch.full((1, 1, 2, 2), 200.0)
    values = [*losses.discriminator_terms(objective, -certain, certain), losses.generator_term(objective, -certain)]
    assert all(torch.isfinite(value) for value in values)


def test_half_precision_logits_are_averaged_in_float32() -> None:
    logits = torch.full((1, 1, 64, 64), 0.9, dtype=torch.bfloat16)
    loss = losses.generator_term("lsgan", logits)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx((float(logits[0, 0, 0, 0]) - 1) ** 2, rel=1e-5)


def test_gradient_penalty_of_a_linear_discriminator() -> None:
    # D(x) = sum(w x) has gradient w everywhere, so the penalty is (|w| − 1)² whatever the images are.
    weight = torch.full((3, 4, 4), 0.5, requires_grad=True)
    real, fake = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    penalty = losses.gradient_penalty(lambda x: (x * weight).flatten(1).sum(1), real, fake, torch.rand(2, 1, 1, 1))
    norm = weight.detach().norm().item()
    assert penalty.item() == pytest.approx((norm - 1) ** 2, rel=1e-4)
    penalty.backward()
    assert weight.grad is not None
    assert weight.grad.abs().sum() > 0


def test_gradient_penalty_is_taken_between_real_and_fake() -> None:
    # D(x) = |x|²/2 has gradient x, so the penalty tells where it was taken.
    real, fake = torch.full((1, 1, 1, 1), 3.0), torch.full((1, 1, 1, 1), 5.0)
    penalty = losses.gradient_penalty(lambda x: 0.5 * x.square().flatten(1).sum(1), real, fake, torch.tensor(0.25))
    assert penalty.item() == pytest.approx((4.5 - 1) ** 2)


def test_r1_is_half_the_squared_gradient_norm() -> None:
    real = torch.rand(3, 2, 4, 4)
    penalty = losses.r1_penalty(lambda x: 0.5 * x.square().flatten(1).sum(1), real)
    assert penalty.item() == pytest.approx(0.5 * real.square().flatten(1).sum(1).mean().item(), rel=1e-5)
