"""Sheets of samples: the same validation images translated again and again while the run goes on."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from translate.config import Direction
from translate.data.tensors import to_pixels
from translate.kernels.optimise import optimise
from translate.models import CycleGAN, Pix2Pix
from translate.networks.blocks import use_image_statistics

GAP = 4
"""Pixels between two pictures of a sheet."""


@torch.no_grad()
def write_sheet(
    path: Path,
    model: type[Pix2Pix] | type[CycleGAN],
    generators: Mapping[Direction, nn.Module],
    batches: Sequence[Mapping[str, Tensor]],
    image_statistics: bool,
) -> list[tuple[Tensor, ...]]:
    """Translate `batches` of one image each, {"A", "B"} (1, C, H, W) in [-1, 1], and write a PNG, a row each.

    Returns the rows: input, translation and what the model shows beside them, for one direction after the other.
    """
    if image_statistics:
        device = batches[0]["A"].device
        generators = {
            name: optimise(use_image_statistics(copy.deepcopy(network)), device, torch.float32)
            for name, network in generators.items()
        }
    rows = [row for batch in batches for row in model.sheet(generators, batch)]
    pictures = [[rgb(image[0]) for image in row] for row in rows]
    widths = [max(row[column].shape[1] for row in pictures) for column in range(len(pictures[0]))]
    heights = [max(picture.shape[0] for picture in row) for row in pictures]
    sheet = np.full((sum(heights) + GAP * (len(heights) - 1), sum(widths) + GAP * (len(widths) - 1), 3), 255, np.uint8)
    top = 0
    for row, height in zip(pictures, heights, strict=True):
        left = 0
        for picture, width in zip(row, widths, strict=True):
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
            left += width + GAP
        top += height + GAP
    draft = path.with_suffix(".part")
    Image.fromarray(sheet).save(draft, format="PNG")
    draft.replace(path)
    return rows


def rgb(image: Tensor) -> np.ndarray:
    """(C, H, W) in [-1, 1] as (H, W, 3) uint8; of images with other than three channels the first is shown in grey."""
    pixels = to_pixels(image.float().cpu())
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels[:, :, :1], 3, axis=2)
