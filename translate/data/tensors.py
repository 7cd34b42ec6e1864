"""Pixels to tensors in [-1, 1], and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from translate.data.formats import Pixels


def to_tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    """(H, W, C) pixels as a (C, H, W) float32 tensor: uint8, uint16 (or float32 from 0 to 1) become -1 to 1."""
    half = np.float32(0.5 if array.dtype.kind == "f" else np.iinfo(array.dtype).max / 2)
    planes = np.ascontiguousarray(array.transpose(2, 0, 1))  # before the conversion: a quarter of the bytes to move
    return torch.from_numpy(planes.astype(np.float32)).div_(float(half)).sub_(1.0)


def mask_to_tensor(mask: npt.NDArray[np.uint8] | None, height: int, width: int) -> torch.Tensor:
    """An (H, W) mask from 0 to 255 as a (1, H, W) float32 tensor from 0 to 1; None becomes all ones of this size."""
    if mask is None:
        return torch.ones(1, height, width)
    return torch.from_numpy(mask.astype(np.float32)[None]).div_(255.0)


def to_batch(images: npt.NDArray[Any], device: torch.device) -> torch.Tensor:
    """(N, H, W, C) pixels as `to_tensor` gives each, (N, C, H, W) on a device: as bytes on the way there."""
    half = np.iinfo(images.dtype).max / 2
    batch = torch.from_numpy(images if images.flags.writeable else images.copy()).to(device)
    return batch.permute(0, 3, 1, 2).float().div_(half).sub_(1.0)  # in channels_last: nothing is moved


def from_batch(batch: torch.Tensor, bits: int = 8) -> Pixels:
    """(N, C, H, W) in [-1, 1] as (N, H, W, C) uint8 (uint16 where bits is 16), rounded to the nearest and clamped."""
    top = 2**bits - 1
    levels = batch.detach().permute(0, 2, 3, 1).float().add(1.0).mul_(top / 2).round_().clamp_(0, top)
    if bits == 8:
        levels = levels.to(torch.uint8)  # a quarter of the bytes to fetch
    array = levels.contiguous().cpu().numpy()
    pixels: Pixels = array.astype(np.uint8 if bits == 8 else np.uint16, copy=False)
    return pixels


def to_pixels(tensor: torch.Tensor, bits: int = 8) -> Pixels:
    """(C, H, W) as `from_batch` gives it: (H, W, C) uint8 or uint16."""
    return from_batch(tensor[None], bits).squeeze(0)
