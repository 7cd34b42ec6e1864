"""How far two sets of images are apart: FID and KID by torchmetrics, of features that are computed once."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

SUBSETS = 100
SUBSET_SIZE = 1000
"""Number and size of the random subsets that KID is averaged over, as in the paper; see `kid` for small sets."""


@dataclass(frozen=True)
class KID:
    """Kernel Inception Distance, with what its size and its certainty depend on."""

    value: float
    error: float
    """Standard error by the jackknife over the images: how much another choice of images would change `value`."""
    subset_size: int
    subsets: int


def fid(real: Tensor, fake: Tensor) -> float:
    """Fréchet Inception Distance (Heusel et al. 2017, eq. 6, https://arxiv.org/abs/1706.08500).

    Args:
        real, fake: features (N, D) and (M, D) of at least two images each.
    Returns:
        ‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½). It is biased: the fewer images, the larger. With fewer images than
        features the covariances are singular, which the formula bears, but only values from as many images compare.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    # In the space that the features span, which for few images is small, the distance is the same and takes no time.
    real, fake = _in_their_span(real.double(), fake.double())
    metric = FrechetInceptionDistance(_Features(real.shape[1])).set_dtype(torch.float64)
    metric.update(real, real=True)
    metric.update(fake, real=False)
    return max(0.0, float(metric.compute()))


def kid(real: Tensor, fake: Tensor, *, seed: int = 0) -> KID:
    """Kernel Inception Distance (Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401): unbiased, so also for few.

    The squared maximum mean discrepancy of the kernel (x·y / D + 1)³, in its unbiased form; it can be below zero. Where
    both sets have the same size, up to SUBSET_SIZE, it is that of the whole sets. Otherwise it is the mean over SUBSETS
    random subsets, of the size of the smaller set or SUBSET_SIZE.

    Args:
        real, fake: features (N, D) and (M, D) of at least two images each.
        seed: of the subsets; torch's global random numbers are left alone.
    """
    from torchmetrics.image.kid import KernelInceptionDistance

    size = min(len(real), len(fake), SUBSET_SIZE)
    subsets = 1 if len(real) == len(fake) == size else SUBSETS
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Metric `Kernel Inception Distance` will save all extracted features")
        metric = KernelInceptionDistance(nn.Identity(), subsets=subsets, subset_size=size)
    metric.update(real.double(), real=True)
    metric.update(fake.double(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        value, _ = metric.compute()
    return KID(float(value), kid_error(real[:SUBSET_SIZE].double(), fake[:SUBSET_SIZE].double()), size, subsets)


def kid_error(real: Tensor, fake: Tensor) -> float:
    """Standard error of the unbiased MMD² by the jackknife (Efron and Stein 1981): each image is left out once.

    It is too large rather than too small where the sets do not differ. NaN for fewer than three images.
    """
    m, n = len(real), len(fake)
    if min(m, n) < 3:
        return float("nan")
    xx, yy, xy = (_kernel(*pair) for pair in ((real, real), (fake, fake), (real, fake)))
    rows_x, rows_y = xx.sum(1) - xx.diagonal(), yy.sum(1) - yy.diagonal()
    sum_x, sum_y, sum_xy = rows_x.sum(), rows_y.sum(), xy.sum()
    # The estimate without image i: its row and its column are gone from the sums.
    without_x = (sum_x - 2 * rows_x) / ((m - 1) * (m - 2)) - 2 * (sum_xy - xy.sum(1)) / ((m - 1) * n)
    without_y = (sum_y - 2 * rows_y) / ((n - 1) * (n - 2)) - 2 * (sum_xy - xy.sum(0)) / (m * (n - 1))
    variance = without_x.var(unbiased=False) * (m - 1) + without_y.var(unbiased=False) * (n - 1)
    return float(variance.sqrt())


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    return (first @ second.T / first.shape[1] + 1) ** 3


class _Features(nn.Module):
    """Stands where torchmetrics expects the network: the features are there already."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.num_features = count

    def forward(self, features: Tensor) -> Tensor:
        return features


def _in_their_span(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets in an orthonormal basis of the space they span; distances and covariances' spectra stay as they are."""
    together = torch.cat([real, fake])
    if together.shape[0] >= together.shape[1]:
        return real, fake
    basis: Any = torch.linalg.qr(together.T).Q
    return real @ basis, fake @ basis
