"""FID and KID against the formulas of their papers, written out in NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from translate.evaluation.distances import SUBSETS, fid, kid, kid_error


def sets(m: int, n: int, features: int, shift: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(m * 100 + n)
    mixing = rng.normal(size=(features, features))
    return rng.normal(size=(m, features)) @ mixing, rng.normal(size=(n, features)) @ mixing * 1.2 + shift


def square_root(matrix: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    root: np.ndarray = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return root


def direct_fid(first: np.ndarray, second: np.ndarray) -> float:
    """tr (Σ₁ Σ₂)^½ as tr (Σ₁^½ Σ₂ Σ₁^½)^½, which is of a symmetric matrix."""
    one, two = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    root = square_root(one)
    mixed = square_root(root @ two @ root)
    return float(np.sum((first.mean(0) - second.mean(0)) ** 2) + np.trace(one) + np.trace(two) - 2 * np.trace(mixed))


def direct_kid(first: np.ndarray, second: np.ndarray) -> float:
    """The unbiased MMD², term by term."""
    m, n, size = len(first), len(second), first.shape[1]

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / size + 1) ** 3)

    same_first = sum(kernel(first[i], first[j]) for i, j in itertools.permutations(range(m), 2)) / (m * (m - 1))
    same_second = sum(kernel(second[i], second[j]) for i, j in itertools.permutations(range(n), 2)) / (n * (n - 1))
    across = sum(kernel(x, y) for x in first for y in second) / (m * n)
    return same_first + same_second - 2 * across


@pytest.mark.parametrize(("m", "n", "features"), [(40, 50, 6), (7, 9, 6), (5, 6, 20)])
def test_fid_is_the_formula_also_with_fewer_images_than_features(m: int, n: int, features: int) -> None:
    first, second = sets(m, n, features)
    found = fid(torch.from_numpy(first).float(), torch.from_numpy(second).float())
    assert found == pytest.approx(direct_fid(first, second), rel=1e-3)


def test_fid_of_a_set_and_itself_is_zero() -> None:
    first, _ = sets(30, 2, 5)
    assert fid(torch.from_numpy(first), torch.from_numpy(first)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("features", [4, 30])
def test_kid_is_the_unbiased_formula(features: int) -> None:
    first, second = sets(12, 12, features)
    found = kid(torch.from_numpy(first), torch.from_numpy(second))
    assert found.value == pytest.approx(direct_kid(first, second), rel=1e-9)
    assert (found.subsets, found.subset_size) == (1, 12)


def test_kid_of_sets_of_different_sizes_is_the_mean_over_subsets() -> None:
    first, second = sets(12, 40, 4, shift=1.0)
    found = kid(torch.from_numpy(first), torch.from_numpy(second))
    assert (found.subsets, found.subset_size) == (SUBSETS, 12)
    assert found.value == pytest.approx(direct_kid(first, second), rel=0.25)


def test_kid_is_reproducible_and_leaves_random_numbers_alone() -> None:
    first, second = (torch.from_numpy(each) for each in sets(8, 30, 4))
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    values = {kid(first, second).value for _ in range(2)}
    assert torch.equal(torch.rand(3), expected)
    assert len(values) == 1
    assert kid(first, second, seed=1).value not in values


def test_kid_is_about_zero_for_one_distribution_however_few_its_images() -> None:
    rng = np.random.default_rng(1)
    found = [kid(*(torch.from_numpy(rng.normal(size=(10, 4))) for _ in range(2))) for _ in range(60)]
    values = np.array([each.value for each in found])
    assert abs(values.mean()) < 3 * values.std() / np.sqrt(len(values))
    assert values.min() < 0 < values.max()


def test_kid_error_is_about_how_much_other_images_change_the_value() -> None:
    rng = np.random.default_rng(2)
    found = [
        kid(torch.from_numpy(rng.normal(size=(25, 4))), torch.from_numpy(rng.normal(1.0, size=(25, 4))))
        for _ in range(80)
    ]
    spread = float(np.std([each.value for each in found]))
    assert np.mean([each.error for each in found]) == pytest.approx(spread, rel=0.3)


def test_kid_error_leaves_each_image_out_once() -> None:
    first, second = sets(6, 8, 3)
    without_first = [direct_kid(np.delete(first, at, 0), second) for at in range(6)]
    without_second = [direct_kid(first, np.delete(second, at, 0)) for at in range(8)]
    variance = np.var(without_first) * 5 + np.var(without_second) * 7
    assert kid_error(torch.from_numpy(first), torch.from_numpy(second)) == pytest.approx(np.sqrt(variance), rel=1e-9)
