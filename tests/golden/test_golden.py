"""Training gives the losses that are checked in.

The tolerances are relative to a loss's value at that step, or to the mean of its absolute values over all steps where
that is larger: some losses pass through zero.

- float64: 1e-12 at every step. The learning rate is so low that rounding does not grow in these steps: between code
  paths for SSE4, AVX2 and AVX-512, and after changing the images by 3e-16, losses differed by 4e-15 at most.
- float32: 1e-4 at the first step and three times as much at each further one, up to 0.1. Here rounding grows: with
  small gradients Adam's first updates depend on the last bits. Between the same code paths, and after changing the
  images by 1e-7, losses differed by 2e-5 at the first two steps, 2e-3 at the fifth and 3e-2 at the last.

Both hold on every x86-64 processor. Dropout draws from the generator of Intel's MKL there, and from another one in
builds of PyTorch without it (ARM); its run is skipped there, the others are held to the same tolerances.

One loss term, or the weight of one, multiplied by 1.001 shows within the first three steps of float64: as 1e-3 where
it is a loss that has a name, else by what it changes in the next ones. The least is 2e-11, for a factor of all that a
discriminator minimises: Adam divides by the size of the gradients.
"""

from __future__ import annotations

import pytest
import torch

from tests.golden.record import GOLDEN, load
from tests.golden.steps import STEPS, VARIANTS, train


def tolerance(precision: str, step: int) -> float:
    """Largest relative difference at a step, counted from 0."""
    return 1e-12 if precision == "float64" else min(1e-4 * 3.0**step, 0.1)


AVERAGES_TOLERANCE = {"float64": 1e-12, "float32": 3e-3}
"""Relative to the standard deviation of the image; 3e-15 and 3e-4 were seen."""


@pytest.mark.parametrize("precision", GOLDEN)
@pytest.mark.parametrize("variant", VARIANTS)
def test_losses_are_the_golden_ones(variant: str, precision: str) -> None:
    if "dropout" in variant and not torch.backends.mkl.is_available():
        pytest.skip("dropout draws other noise without MKL")
    expected = load(precision)[variant]
    losses, averages = train(VARIANTS[variant], GOLDEN[precision])
    assert losses.keys() == expected["losses"].keys()
    wrong = []
    for name, values in expected["losses"].items():
        mean = sum(map(abs, values)) / STEPS
        for step, (value, found) in enumerate(zip(values, losses[name], strict=True)):
            error = abs(found - value) / max(abs(value), mean)
            if not error < tolerance(precision, step):
                wrong.append(f"{name} at step {step}: {found!r} instead of {value!r}, {error:.1e} off")
    assert averages.keys() == expected["averages"].keys()
    for direction, summary in expected["averages"].items():
        for what, value, found in zip(("mean", "deviation"), summary, averages[direction], strict=True):
            error = abs(found - value) / summary[1]
            if not error < AVERAGES_TOLERANCE[precision]:
                wrong.append(f"{what} of the averaged generator's image, {direction}: {found!r} instead of {value!r}")
    assert wrong == []


@pytest.mark.parametrize("precision", GOLDEN)
def test_every_variant_has_golden_losses(precision: str) -> None:
    golden = load(precision)
    assert list(golden) == list(VARIANTS)
    assert all(len(values) == STEPS for run in golden.values() for values in run["losses"].values())
