"""3×3 convolutions of stride 1 with a quarter of the multiplications: Winograd's minimal filtering.

The algorithm is F(4×4, 3×3) of Lavin and Gray 2016 (https://arxiv.org/abs/1509.09308). A tile of 4×4 results needs 6×6
pixels. The pixels and the 3×3 weights are transformed to their values at 6×6 points and multiplied point by point,
summing over the channels: these are 36 matrix products. The 6×6 sums are transformed back to 4×4 results. That makes 36
multiplications instead of 144. Gradients are made the same way: every step is linear in the images and in the weights,
and the gradient of a linear step is its transpose.

The points are 0, ±5/8, ±3/2 and infinity instead of the usual 0, ±1, ±2. float32 holds them exactly, and results are as
exact as those of a direct sum (Barabasz et al. 2020, https://arxiv.org/abs/1803.10986, explain why the choice matters).
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from translate.kernels import mixed_layout

FEWEST_CHANNELS, FEWEST_TILES = 96, 64
"""Numbers of channels (read and made alike) and of tiles of results from which `WinogradConv` is faster, forward and
backward."""
POINTS = tuple(Fraction(number) for number in ("0", "5/8", "-5/8", "3/2", "-3/2"))
"""The finite points at which the polynomials of a tile's rows and columns are evaluated; infinity is the sixth."""
SIDE = 4
"""Side of a tile of results."""
READ = SIDE + 2
"""Side of the square of pixels that a tile reads, which overlaps with the next one's by 2; also the count of points."""
TILES = 128
"""Number of tiles computed at a time: enough for the matrix products, while what lies between the three steps stays in
the processor's cache."""
WEIGHTS = 2**16
"""Number of pairs of channels computed at a time; at the points their weights are 9 MiB."""


def gains(layer: nn.Conv2d, device: torch.device, precision: torch.dtype) -> bool:
    """Whether the layer suits Winograd's algorithm: 3×3, stride 1, not dilated, wide, and where mixed layouts gain."""
    words = layer.kernel_size, layer.stride, layer.dilation
    wide = min(layer.in_channels, layer.out_channels) >= FEWEST_CHANNELS
    return words == ((3, 3), (1, 1), (1, 1)) and wide and mixed_layout.gains(layer, device, precision)


class WinogradConv2d(mixed_layout.MixedLayoutConv2d):
    """nn.Conv2d computed by `WinogradConv`, where the images are large enough.

    Measured on two cores of an AMD EPYC (Zen 3, AVX2 alone) beside mixed layouts in float32: 256 → 256 channels at
    64×64 take 30.3 ms forward and 56.2 ms for both gradients instead of 35.9 and 98.0; ResNet-9 at 2×256×256, forward
    and backward, takes 4.0 s instead of 6.6 (docs/performance.md).
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = (int(self.padding[0]), int(self.padding[1]))
        if not mixed_layout.suits(input, weight) or tile_count(input.shape, padding) < FEWEST_TILES:
            return super()._conv_forward(input, weight, bias)
        if any(padding):
            mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=mode)
        made: Tensor = WinogradConv.apply(input, weight, bias)
        return made


class WinogradConv(torch.autograd.Function):
    """The convolution of padded images with 3×3 weights, stride 1: float32, in channels_last. Differentiable twice."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """(N, C, H + 2, W + 2), (C', C, 3, 3), (C') or None -> (N, C', H, W) in channels_last."""
        ctx.save_for_backward(images, weight)
        ctx.bias_shape = None if bias is None else list(bias.shape)
        to_points, _, to_results = _steps()
        high, wide = (side - 2 for side in images.shape[2:])
        pixels = _whole_tiles(_pixels_last(images), 2)
        shape = len(images), len(weight), *(side - 2 for side in pixels.shape[1:3])
        made = torch.empty(shape, dtype=torch.float32, device="cpu", memory_format=torch.channels_last)
        patches, tiles = _patches(pixels), _tiles(made.permute(0, 2, 3, 1))
        with _workspace() as space:
            for part in _parts(weight):
                weights = _weights_at_points(weight[part], space).transpose(1, 2)
                for block in _blocks(*patches.shape[2:5]):
                    read = space.map(to_points, space.copy(patches[block], "one"), "two").flatten(1, 3)
                    products = torch.bmm(read, weights, out=space("one", *read.shape[:2], weights.shape[2]))
                    results, into = space.map(to_results, products, "two"), tiles[block][..., part]
                    if bias is None:
                        into.copy_(results.view(into.shape))
                    else:
                        torch.add(results.view(into.shape), bias[part], out=into)
        # What is returned must not be a view, because autograd forbids to change a Function's views in place, as a ReLU
        # behind a convolution may.
        if made.shape[2:] == (high, wide):
            return made
        return made[:, :, :high, :wide].clone(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the images, of the weight and of the bias."""
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
    """Number of tiles of results for images of this shape, (N, C, H, W), padded so much on each side of H and W."""
    sides = (max(0, side + 2 * more - 2) for side, more in zip(shape[2:], padding, strict=True))
    return shape[0] * math.prod(math.ceil(side / SIDE) for side in sides)


def _gradients(
    images: Tensor, weight: Tensor, incoming: Tensor, of_images: bool, of_weight: bool
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of the images and of the weight: every step of the forward pass, transposed, from last to first."""
    height, width = images.shape[2:]
    to_points, from_weights, to_results = _steps()
    pixels = _whole_tiles(_pixels_last(images), 2)
    for_pixels = torch.zeros_like(pixels) if of_images else pixels
    patches, for_patches = _patches(pixels), _patches(for_pixels)
    tiles = _tiles(_whole_tiles(_pixels_last(incoming), 0))
    for_weight = torch.empty_like(weight) if of_weight else weight
    with _workspace() as space:
        for part in _parts(weight):
            shape = READ**2, *weight[part].shape[:2]
            weights = _weights_at_points(weight[part], space) if of_images else weight
            sums = space("sums", *shape).zero_() if of_weight else weight
            for block in _blocks(*patches.shape[2:5]):
                given = space.map(to_results.T, space.copy(tiles[block][..., part], "one"), "two").flatten(1, 3)
                if of_images:
                    products = torch.bmm(given, weights, out=space("one", *given.shape[:2], shape[2]))
                    _add(space.map(to_points.T, products, "three"), for_patches[block])
                if of_weight:
                    read = space.map(to_points, space.copy(patches[block], "one"), "three").flatten(1, 3)
                    sums.baddbmm_(given.transpose(1, 2), read)
            if of_weight:
                into = for_weight[part].permute(2, 3, 0, 1)
                into.copy_(space.map(from_weights.T, sums, "one").view(into.shape))
    return _images(for_pixels[:, :height, :width]) if of_images else None, for_weight if of_weight else None


def _add(values: Tensor, patches: Tensor) -> None:
    """Add values to patches in place. Patches overlap, but not those slices of them that are added to at a time."""
    values = values.view(patches.shape)
    for rows in (slice(SIDE), slice(SIDE, READ)):
        for columns in (slice(SIDE), slice(SIDE, READ)):
            patches[rows, columns] += values[rows, columns]


class _Workspace:
    """Named buffers for what lies between the steps, kept from call to call so that the system need not clear them.

    A buffer grows as needed. Its content lasts until the same name is asked for again.
    """

    def __init__(self) -> None:
        self._buffers: dict[str, Tensor] = {}

    def __call__(self, name: str, *shape: int) -> Tensor:
        """The buffer as uninitialised float32 of this shape."""
        size = math.prod(shape)
        if name not in self._buffers or len(self._buffers[name]) < size:
            self._buffers.pop(name, None)
            with torch.inference_mode(False):  # else no training could write into it
                self._buffers[name] = torch.empty(size, dtype=torch.float32, device="cpu")
        return self._buffers[name][:size].view(shape)

    def copy(self, values: Tensor, name: str) -> Tensor:
        """(P, Q, …) -> (P * Q, …), contiguous."""
        return self(name, *values.shape).copy_(values).flatten(0, 1)

    def map(self, step: Tensor, values: Tensor, name: str) -> Tensor:
        """(P, Q), (Q, …) contiguous -> (P, …): each value a weighted sum of Q."""
        found = self(name, len(step), *values.shape[1:])
        torch.mm(step, values.view(len(values), -1), out=found.view(len(step), -1))
        return found


_SPARE: list[_Workspace] = []


@contextlib.contextmanager
def _workspace() -> Iterator[_Workspace]:
    """A workspace that no other thread uses. One is kept for the next call; those of concurrent threads are not."""
    try:
        space = _SPARE.pop()
    except IndexError:
        space = _Workspace()
    yield space
    if not _SPARE:
        _SPARE.append(space)


def _weights_at_points(weight: Tensor, space: _Workspace) -> Tensor:
    """(C', C, 3, 3) -> (36, C', C)."""
    return space.map(_steps()[1], space.copy(weight.permute(2, 3, 0, 1), "one"), "weights")


def _pixels_last(images: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H, W, C), contiguous."""
    return images.permute(0, 2, 3, 1).contiguous()


def _images(pixels: Tensor) -> Tensor:
    """(N, H, W, C) -> (N, C, H, W) in channels_last."""
    return pixels.contiguous().permute(0, 3, 1, 2)


def _whole_tiles(pixels: Tensor, more: int) -> Tensor:
    """(N, H, W, C) with zeros below and on the right: the sides of whole tiles of results, and `more`."""
    below, right = (-(side - more) % SIDE for side in pixels.shape[1:3])
    return F.pad(pixels, (0, 0, 0, right, 0, below)) if below or right else pixels


def _patches(pixels: Tensor) -> Tensor:
    """(N, H, W, C) -> a view of (6, 6, N, T, S, C): what each tile of results reads, overlapping by 2."""
    return pixels.unfold(1, READ, SIDE).unfold(2, READ, SIDE).permute(4, 5, 0, 1, 2, 3)


def _tiles(pixels: Tensor) -> Tensor:
    """(N, 4 T, 4 S, C) -> a view of (4, 4, N, T, S, C)."""
    count, height, width, channels = pixels.shape
    apart = pixels.view(count, height // SIDE, SIDE, width // SIDE, SIDE, channels)
    return apart.permute(2, 4, 0, 1, 3, 5)


def _parts(weight: Tensor) -> Iterator[slice]:
    """Slices of the channels that are made, each of WEIGHTS pairs of channels or less, but one channel at least."""
    made, read = weight.shape[:2]
    size = max(1, WEIGHTS // read)
    return (slice(first, first + size) for first in range(0, made, size))


def _blocks(count: int, rows: int, columns: int) -> Iterator[tuple[slice, ...]]:
    """Indices into (…, …, N, T, S, C) of TILES tiles or less: several images, or rows of one, but one row at least."""
    images, high = max(1, TILES // (rows * columns)), min(rows, max(1, TILES // columns))
    for first in range(0, count, images):
        for top in range(0, rows, high):
            yield slice(None), slice(None), slice(first, first + images), slice(top, top + high)


@functools.cache
def _steps() -> tuple[Tensor, Tensor, Tensor]:
    """The matrices from pixels to points (36, 36), weights to points (36, 9), points to results (16, 36) in float32."""
    with torch.inference_mode(False), torch.device("cpu"):
        weights, results = (_values_at_points(terms) for terms in (3, SIDE))
        pixels = torch.linalg.inv(_values_at_points(READ)).T
        twice = [torch.kron(step, step).float().contiguous() for step in (pixels, weights, results.T)]
    return twice[0], twice[1], twice[2]


def _values_at_points(terms: int) -> Tensor:
    """(6, terms) float64: the value of each term of a polynomial at the points; at infinity only the last counts."""
    finite = [[float(point**power) for power in range(terms)] for point in POINTS]
    return torch.tensor([*finite, [0.0] * (terms - 1) + [1.0]], dtype=torch.float64)
