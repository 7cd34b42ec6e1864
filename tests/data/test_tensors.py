"""Pixels become tensors in [-1, 1] and the same pixels again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tests.data.pictures import noise
from translate.data.tensors import from_batch, to_batch, to_pixels, to_tensor


def test_numbers_are_those_of_totensor_and_normalize() -> None:
    array = noise(7, 5, 3)
    expected = (torch.from_numpy(array.transpose(2, 0, 1).copy()).float() / 255 - 0.5) / 0.5
    assert to_tensor(array).shape == (3, 7, 5)
    torch.testing.assert_close(to_tensor(array), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("bits", [8, 16])
def test_every_level_survives_the_way_to_a_tensor_and_back(bits: int) -> None:
    levels = np.arange(2**bits).astype(np.uint8 if bits == 8 else np.uint16).reshape(16, -1, 1)
    tensor = to_tensor(levels)
    assert (tensor.min().item(), tensor.max().item()) == (-1, 1)
    np.testing.assert_array_equal(to_pixels(tensor, bits), levels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_batches_are_what_single_images_are(dtype: Any) -> None:
    images = noise(3, 7, 5, 3, dtype=dtype)
    images.flags.writeable = False  # as Pillow's are
    batch = to_batch(images, torch.device("cpu"))
    assert torch.equal(batch, torch.stack([to_tensor(image) for image in images]))
    assert batch.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_array_equal(from_batch(batch, images.dtype.itemsize * 8), images)


def test_pixels_are_clamped_and_rounded_to_the_nearest() -> None:
    tensor = torch.tensor([-3.0, 3.0, 0.5 / 127.5 - 1 + 1e-3]).reshape(1, 1, 3)
    assert to_pixels(tensor).ravel().tolist() == [0, 255, 1]
