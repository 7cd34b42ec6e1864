"""DiffAugment: what a discriminator sees is augmented, real and translated images alike, and gradients flow through.

Zhao et al. 2020, https://arxiv.org/abs/2006.10738. With few images a discriminator learns them by heart; augmenting the
data alone would teach the generator to draw the augmentations. It is for sets of some hundreds of images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Augmentation = Literal["color", "translation", "cutout"]
POLICY: tuple[Augmentation, ...] = ("color", "translation", "cutout")
"""The paper's strongest, for few images; "translation" and "cutout" alone for more."""
SHIFT = 0.125
"""Largest translation, as a share of the image's side."""
CUTOUT = 0.5
"""Side of the square that is cut out, as a share of the image's."""


def diff_augment(
    tensors: Sequence[Tensor], policy: Sequence[Augmentation] = POLICY, generator: torch.Generator | None = None
) -> list[Tensor]:
    """Augment batches that belong together, such as the input and output of pairs, in the same way.

    color        brightness + U(−½, ½), saturation × U(0, 2) about each pixel's grey, contrast × U(½, 1½) about the mean
    translation  by whole pixels, up to an eighth of each side; zeros, which are grey in [-1, 1], come in
    cutout       a square of half of each side becomes zero; its centre is anywhere, so it may stand over the border

    Args:
        tensors: one or more of (N, C, H, W) in [-1, 1], equal in N, H and W. Each of the N images is augmented in its
            own way, and the same in all tensors.
        policy: what is done, in the order of the paper whatever the order here.
        generator: a CPU generator that draws the parameters, the same ones on every device; torch's own if None.
    Returns:
        the augmented batches, in their order; differentiable, and not clamped.
    """
    count, _, height, width = tensors[0].shape
    draw = _Draw(count, tensors[0].device, generator)
    made = list(tensors)
    if "color" in policy:
        brightness, saturation, contrast = draw.uniform(-0.5, 0.5), draw.uniform(0, 2), draw.uniform(0.5, 1.5)
        made = [_colour(images, brightness, saturation, contrast) for images in made]
    if "translation" in policy:
        reach = (round(height * SHIFT), round(width * SHIFT))
        shifts = [draw.integers(-pixels, pixels) for pixels in reach]
        made = [_translate(images, shifts[0], shifts[1], reach) for images in made]
    if "cutout" in policy:
        sides = (round(height * CUTOUT), round(width * CUTOUT))
        centres = draw.integers(0, height - sides[0] % 2), draw.integers(0, width - sides[1] % 2)
        kept = _outside_square(centres, sides, (height, width))
        made = [images * kept.to(images.dtype) for images in made]
    return made


class _Draw:
    """Draws a parameter for each image of a batch."""

    def __init__(self, count: int, device: torch.device, generator: torch.Generator | None) -> None:
        self.count, self.device, self.generator = count, device, generator

    def uniform(self, low: float, high: float) -> Tensor:
        """(N, 1, 1, 1)"""
        drawn = torch.rand(self.count, 1, 1, 1, generator=self.generator)
        return (low + (high - low) * drawn).to(self.device)

    def integers(self, low: int, high: int) -> Tensor:
        """(N,), both ends included."""
        return torch.randint(low, high + 1, (self.count,), generator=self.generator).to(self.device)


def _colour(images: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    brightness, saturation, contrast = (each.to(images.dtype) for each in (brightness, saturation, contrast))
    images = images + brightness
    grey = images.mean(dim=1, keepdim=True)
    images = grey + (images - grey) * saturation
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * contrast


def _translate(images: Tensor, down: Tensor, right: Tensor, reach: tuple[int, int]) -> Tensor:
    """Move each image by its own number of pixels, at most `reach`."""
    height, width = images.shape[2:]
    padded = F.pad(images, (reach[1], reach[1], reach[0], reach[0])).permute(0, 2, 3, 1)
    rows = torch.arange(height, device=images.device) + reach[0] - down[:, None]
    columns = torch.arange(width, device=images.device) + reach[1] - right[:, None]
    numbers = torch.arange(len(images), device=images.device)
    return padded[numbers[:, None, None], rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _outside_square(centres: tuple[Tensor, Tensor], sides: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """(N, 1, H, W): False in each image's square."""
    inside = []
    for centre, side, length in zip(centres, sides, size, strict=True):
        places = torch.arange(length, device=centre.device) - centre[:, None] + side // 2
        inside.append((places >= 0) & (places < side))
    return ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])
