"""Terms with masks, by numbers that can be counted by hand."""

from __future__ import annotations

import pytest
import torch

from translate.losses import composite, outside_change, soften


def test_a_mask_grows_by_three_pixels_and_fades_over_five() -> None:
    mask = torch.zeros(1, 1, 1, 21)
    mask[..., 10] = 1
    row = soften(mask.expand(-1, -1, 21, -1))[0, 0, 10]
    # Grown to columns 7 … 13; the average over five columns falls off by fifths on both sides.
    wanted = torch.tensor([0, 0, 0, 0, 0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0, 0, 0, 0, 0])
    torch.testing.assert_close(row, wanted)


def test_full_and_empty_masks_stay_so() -> None:
    for value in (0.0, 1.0):
        mask = torch.full((2, 1, 12, 9), value)
        torch.testing.assert_close(soften(mask), mask)


def test_outside_change_is_its_equation() -> None:
    source = torch.zeros(1, 3, 2, 2)
    output = torch.tensor([[[[0.4, -0.8], [0.2, 0.0]]]]).expand(-1, 3, -1, -1)
    mask = torch.tensor([[[[1.0, 0.75], [0.0, 0.0]]]])
    assert outside_change(output, source, mask).item() == pytest.approx((0.8 * 0.25 + 0.2) / 4)
    assert outside_change(output, source, torch.ones_like(mask)).item() == 0
    assert outside_change(output, source, 0 * mask).item() == pytest.approx(output.abs().mean().item())


def test_outside_change_pulls_only_outside() -> None:
    output = torch.rand(1, 3, 4, 4, requires_grad=True)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    outside_change(output, torch.rand(1, 3, 4, 4), mask).backward()
    assert output.grad is not None
    assert output.grad[..., :2].abs().sum() == 0
    assert (output.grad[..., 2:] != 0).all()


def test_composite_is_the_output_inside_and_the_source_outside() -> None:
    output, source = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    mask = torch.zeros(2, 1, 4, 4)
    mask[:, :, 0], mask[:, :, 1] = 1, 0.25
    made = composite(output, source, mask)
    torch.testing.assert_close(made[:, :, 0], output[:, :, 0])
    torch.testing.assert_close(made[:, :, 1], 0.25 * output[:, :, 1] + 0.75 * source[:, :, 1])
    torch.testing.assert_close(made[:, :, 2:], source[:, :, 2:])
