"""3×3 convolutions of stride 1 with a quarter of the multiplications: Winograd's minimal filtering.

F(4×4, 3×3) of Lavin and Gray 2016 (https://arxiv.org/abs/1509.09308): a tile of 4×4 results needs 6×6 pixels. Those
pixels and the 3×3 weights are brought to 6×6 points and multiplied point by point, summing over the channels: 36 matrix
products. The 6×6 sums become 4×4 results: 36 multiplications instead of 144. The same holds for both gradients, since
every step is linear in the images and in the weights, and the gradient of a linear step is its transpose.

The points are 0, ±5/8, ±3/2 and infinity, not the usual 0, ±1, ±2: float32 holds them exactly, and results are as exact
as those of a direct sum (Barabasz et al. 2020, https://arxiv.org/abs/1803.10986, on why the choice matters).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

SIDE = 4
"""Of a tile of results."""
READ = SIDE + 2
"""Of the pixels a tile reads; tiles of pixels overlap by 2."""
TILES = 128
"""Computed at a time: enough for the matrix products, and what lies between the three steps stays in the cache."""

POINTS = tuple(Fraction(number) for number in ("0", "5/8", "-5/8", "3/2", "-3/2"))


class WinogradConv(torch.autograd.Function):
    """The convolution of padded images with 3×3 weights, stride 1: float32, in channels_last. Differentiable twice."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """(N, C, H + 2, W + 2), (C', C, 3, 3), (C') or None -> (N, C', H, W) in channels_last."""
        ctx.save_for_backward(images, weight)
        ctx.bias_shape = None if bias is None else list(bias.shape)
        count, _, height, width = images.shape
        pixels = _whole_tiles(_pixels_last(images), READ - SIDE)
        of_tiles, of_weight, of_results = _steps()
        weights = _weights_at_points(weight, of_weight)
        results = images.new_empty(count, pixels.shape[1] - 2, pixels.shape[2] - 2, len(weight))
        patches, tiles = _patches(pixels), _tiles(results)
        for block in _blocks(*patches.shape[:3]):
            read = patches[block].permute(4, 5, 0, 1, 2, 3)
            at_points = (of_tiles @ read.reshape(READ**2, -1)).view(READ**2, -1, images.shape[1])
            made = torch.bmm(at_points, weights.transpose(1, 2))
            into = tiles[block].permute(3, 4, 0, 1, 2, 5)
            made = (of_results @ made.view(READ**2, -1)).view(into.shape)
            if bias is None:
                into.copy_(made)
            else:
                torch.add(made, bias, out=into)
        return _images(results[:, : height - 2, : width - 2])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Of the images, the weight and the bias."""
        (incoming,) = gradients
        images, weight = ctx.saved_tensors
        of_images, of_weight, of_bias = ctx.needs_input_grad
        if torch.is_grad_enabled():  # to be differentiated again
            words = (ctx.bias_shape, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
            made: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
                incoming, images, weight, *words, list(ctx.needs_input_grad)
            )
            return made
        for_images, for_weight = _gradients(images, weight, incoming, of_images, of_weight)
        return for_images, for_weight, incoming.sum((0, 2, 3)) if of_bias else None


def tile_count(shape: torch.Size, padding: tuple[int, ...]) -> int:
    """Of the results of images of this shape, (N, C, H, W), padded so far on each side of H and of W."""
    sides = (math.ceil(max(0, side + 2 * more - 2) / SIDE) for side, more in zip(shape[2:], padding, strict=True))
    return shape[0] * math.prod(sides)


def _gradients(
    images: Tensor, weight: Tensor, incoming: Tensor, of_images: bool, of_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Every step of the forward pass, transposed, last to first."""
    _, channels, height, width = images.shape
    of_tiles, of_weights, of_results = _steps()
    pixels = _whole_tiles(_pixels_last(images), READ - SIDE)
    patches, tiles = _patches(pixels), _tiles(_whole_tiles(_pixels_last(incoming), 0))
    weights = _weights_at_points(weight, of_weights) if of_images else weight
    for_pixels = torch.zeros_like(pixels) if of_images else pixels
    for_patches = _patches(for_pixels)
    for_weights = weight.new_zeros(READ**2, *weight.shape[:2])
    for block in _blocks(*patches.shape[:3]):
        given = tiles[block].permute(3, 4, 0, 1, 2, 5)
        given = (of_results.T @ given.reshape(SIDE**2, -1)).view(READ**2, -1, len(weight))
        if of_images:
            into = for_patches[block].permute(4, 5, 0, 1, 2, 3)
            made = torch.bmm(given, weights)
            made = (of_tiles.T @ made.view(READ**2, -1)).view(into.shape)
            for rows in (slice(SIDE), slice(SIDE, READ)):  # a slice of the overlapping tiles overlaps no more
                for columns in (slice(SIDE), slice(SIDE, READ)):
                    into[rows, columns] += made[rows, columns]
        if of_weight:
            read = patches[block].permute(4, 5, 0, 1, 2, 3)
            at_points = (of_tiles @ read.reshape(READ**2, -1)).view(READ**2, -1, channels)
            for_weights.baddbmm_(given.transpose(1, 2), at_points)
    found = (of_weights.T @ for_weights.view(READ**2, -1)).view(3, 3, *weight.shape[:2]).permute(2, 0, 1, 3)
    return (
        _images(for_pixels[:, :height, :width]) if of_images else None,
        _images(found) if of_weight else None,
    )


def _weights_at_points(weight: Tensor, of_weight: Tensor) -> Tensor:
    """(C', C, 3, 3) -> (36, C', C)."""
    return (of_weight @ weight.permute(2, 3, 0, 1).reshape(9, -1)).view(READ**2, *weight.shape[:2])


def _pixels_last(images: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H, W, C), contiguous."""
    return images.permute(0, 2, 3, 1).contiguous()


def _images(pixels: Tensor) -> Tensor:
    """(N, H, W, C) -> (N, C, H, W) in channels_last."""
    return pixels.contiguous().permute(0, 3, 1, 2)


def _whole_tiles(pixels: Tensor, more: int) -> Tensor:
    """(N, H, W, C) with zeros below and on the right, so that the sides are a multiple of SIDE and `more`."""
    below, right = (-(side - more) % SIDE for side in pixels.shape[1:3])
    return F.pad(pixels, (0, 0, 0, right, 0, below)) if below or right else pixels


def _patches(pixels: Tensor) -> Tensor:
    """(N, 4 T + 2, 4 S + 2, C) -> a view of (N, T, S, C, 6, 6), in which patches overlap by 2."""
    return pixels.unfold(1, READ, SIDE).unfold(2, READ, SIDE)


def _tiles(pixels: Tensor) -> Tensor:
    """(N, 4 T, 4 S, C) -> a view of (N, T, S, 4, 4, C)."""
    count, height, width, channels = pixels.shape
    return pixels.view(count, height // SIDE, SIDE, width // SIDE, SIDE, channels).transpose(2, 3)


def _blocks(count: int, rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    """Indices into (N, T, S): TILES tiles or less, several images or rows of one; one row at least."""
    images, high = max(1, TILES // (rows * columns)), min(rows, max(1, TILES // columns))
    for first in range(0, count, images):
        for top in range(0, rows, high):
            yield slice(first, first + images), slice(top, top + high)


@functools.cache
def _steps() -> tuple[Tensor, Tensor, Tensor]:
    """(36, 36) from pixels to points, (36, 9) from weights to points, (16, 36) from points to results; in float32."""
    results, weights = (_values_at_points(terms) for terms in (SIDE, 3))
    pixels = torch.linalg.inv(_values_at_points(READ)).T
    twice = [torch.kron(step, step).float().contiguous() for step in (pixels, weights, results.T)]
    return twice[0], twice[1], twice[2]


def _values_at_points(terms: int) -> Tensor:
    """(6, terms) float64: polynomials of so many terms at the points; at infinity it is the last term."""
    finite = [[float(point**power) for power in range(terms)] for point in POINTS]
    return torch.tensor([*finite, [0.0] * (terms - 1) + [1.0]], dtype=torch.float64)
