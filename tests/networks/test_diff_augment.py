"""DiffAugment: the same for all that belongs together, different for each image, reproducible and differentiable."""

from __future__ import annotations

import pytest
import torch

from translate.networks.diff_augment import Augmentation, diff_augment

EACH: list[Augmentation] = ["color", "translation", "cutout"]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 4, channels: int = 3, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.rand(count, channels, 16, 24, dtype=dtype, generator=generator(9)) * 2 - 1


@pytest.mark.parametrize("policy", [["color"], ["translation"], ["cutout"], EACH])
def test_a_generator_decides_all_of_it(policy: list[Augmentation]) -> None:
    x = images()
    (first,), (again,), (other,) = (diff_augment([x], policy, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == x.shape
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    diff_augment([x], policy, generator())
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("policy", [["color"], ["translation"], ["cutout"], EACH])
def test_pairs_are_augmented_alike_and_images_each_in_its_own_way(policy: list[Augmentation]) -> None:
    x = images(1).expand(6, -1, -1, -1)
    one, other = diff_augment([x, x], policy, generator())
    assert torch.equal(one, other)
    assert len({tuple(image.flatten().tolist()) for image in one}) > 1


def test_nothing_asked_for_is_nothing_done() -> None:
    x = images()
    assert torch.equal(diff_augment([x], [], generator())[0], x)


@pytest.mark.parametrize("policy", [["color"], ["translation"], ["cutout"], EACH])
def test_gradients_are_right(policy: list[Augmentation]) -> None:
    x = images(2, dtype=torch.float64)[:, :, :6, :8].clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda images: diff_augment([images], policy, generator())[0], x)


def test_translation_moves_whole_pixels_and_brings_in_zeros() -> None:
    x = images(32) + 3  # no zeros of its own
    (made,) = diff_augment([x], ["translation"], generator())
    shifts = set()
    for image, moved in zip(x, made, strict=True):
        rows, columns = (moved[0] != 0).any(1).nonzero().flatten(), (moved[0] != 0).any(0).nonzero().flatten()
        down = 16 - len(rows) if rows[0] > 0 else len(rows) - 16
        right = 24 - len(columns) if columns[0] > 0 else len(columns) - 24
        wanted = torch.zeros_like(image)
        source = image[:, max(0, -down) : 16 - max(0, down), max(0, -right) : 24 - max(0, right)]
        wanted[:, max(0, down) : 16 - max(0, -down), max(0, right) : 24 - max(0, -right)] = source
        assert torch.equal(moved, wanted)
        shifts.add((down, right))
    assert {abs(down) for down, _ in shifts} == {0, 1, 2}  # an eighth of 16
    assert max(abs(right) for _, right in shifts) == 3  # an eighth of 24


def test_cutout_takes_a_square_of_half_the_side() -> None:
    x = images(64) + 3
    (made,) = diff_augment([x], ["cutout"], generator())
    gone = made == 0
    assert torch.equal(made[~gone], x[~gone])
    heights, widths = gone[:, 0].any(2).sum(1), gone[:, 0].any(1).sum(1)
    assert torch.equal(gone[:, 0].flatten(1).sum(1), heights * widths)  # one rectangle in each image
    assert (heights.max().item(), widths.max().item()) == (8, 12)
    assert (heights.min().item(), widths.min().item()) == (4, 6)  # over the border by half at most
    clipped = gone[:, 0][heights < 8]
    assert clipped[:, 0].any() and clipped[:, -1].any()  # over the upper one and over the lower one


def test_colour_is_its_formula() -> None:
    """Brightness moves all, saturation scales what differs from grey, contrast what differs from the mean."""
    x = images(1)
    (made,) = diff_augment([x], ["color"], generator(3))
    draws = [torch.rand(1, 1, 1, 1, generator=g) for g in [generator(3)] for _ in range(3)]
    brightness, saturation, contrast = (d.item() for d in draws)
    bright = x + (brightness - 0.5)
    grey = bright.mean(1, keepdim=True)
    saturated = (bright - grey) * (2 * saturation) + grey
    mean = saturated.mean((1, 2, 3), keepdim=True)
    torch.testing.assert_close(made, (saturated - mean) * (0.5 + contrast) + mean)


def test_half_precision_stays_half() -> None:
    assert diff_augment([images().bfloat16()], EACH, generator())[0].dtype == torch.bfloat16
