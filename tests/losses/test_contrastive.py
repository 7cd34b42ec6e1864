"""PatchNCE against its equation, written out a second time with numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from translate.losses import patch_nce


def features(seed: int, count: int = 2, patches: int = 6, channels: int = 5) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, patches, channels, dtype=torch.float64, generator=generator), dim=2)


def expected(v: np.ndarray, keys: np.ndarray, temperature: float, together: bool) -> float:
    """Eq. 3, patch by patch; the patch itself among its negatives has the similarity −10."""
    terms = []
    for image in range(len(v)):
        for patch in range(v.shape[1]):
            negatives = []
            for other in range(len(v)) if together else [image]:
                for place in range(v.shape[1]):
                    same = (other, place) == (image, patch)
                    negatives.append(-10.0 if same else float(v[image, patch] @ keys[other, place]))
            positive = np.exp(v[image, patch] @ keys[image, patch] / temperature)
            terms.append(-np.log(positive / (positive + np.exp(np.array(negatives) / temperature).sum())))
    return float(np.mean(terms))


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_it_is_its_equation(together: bool, temperature: float) -> None:
    v, keys = features(1), features(2)
    found = patch_nce(v, keys, temperature=temperature, all_negatives_from_minibatch=together)
    assert found.item() == pytest.approx(expected(v.numpy(), keys.numpy(), temperature, together), rel=1e-6)


def test_images_are_apart_unless_asked_for() -> None:
    v, keys = features(1), features(2)
    alone = [patch_nce(v[at : at + 1], keys[at : at + 1]).item() for at in range(2)]
    assert patch_nce(v, keys).item() == pytest.approx(np.mean(alone))
    assert patch_nce(v, keys, all_negatives_from_minibatch=True).item() > np.mean(alone)


def test_it_is_small_where_each_patch_is_its_own() -> None:
    v = F.one_hot(torch.arange(5)).double()[None]
    assert patch_nce(v, v).item() < 1e-5 < patch_nce(v, v.roll(1, dims=1)).item()


def test_no_gradient_flows_to_the_keys() -> None:
    v, keys = features(1).requires_grad_(), features(2).requires_grad_()
    patch_nce(v, keys).backward()
    assert keys.grad is None
    assert v.grad is not None and v.grad.abs().sum() > 0
    assert torch.autograd.gradcheck(lambda q: patch_nce(q, keys.detach()), v)


def test_half_precision_is_computed_in_float32() -> None:
    v, keys = features(1).float(), features(2).float()
    with torch.autocast("cpu", torch.bfloat16):
        found = patch_nce(v, keys)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(patch_nce(v, keys).item(), abs=0)
