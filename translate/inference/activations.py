"""What a generator's activations are made of, and where they are kept while tiles of them are computed.

A generator is taken apart into layers: an activation is some operations (one convolution, or the two of a separable
one) over a sum or a concatenation of earlier activations. It is kept as the operations leave it; its normalisation and
its non-linearity are applied when the next layer reads it, because the statistics are known only once all of it exists.
Layer 0 is the image.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _NormBase

from translate.errors import UserError
from translate.networks import ResNetGenerator, UNetGenerator
from translate.networks.blocks import LEAK

Span: TypeAlias = tuple[int, int]
"""First row (or column), and the one after the last."""
Region: TypeAlias = tuple[Span, Span]
"""Rows and columns."""

LINEAR, RELU = 1.0, 0.0
"""Slopes below zero: of no non-linearity, and of ReLU."""
BANDS = 16
"""An activation is kept in so many bands of rows at most; each is given up as soon as nothing will read it again."""


# ----------------------------------------------------------------------------------------------------------- operations


@dataclass(frozen=True)
class Convolution:
    """A convolution that pads only where the region lies at the border of the whole image."""

    weight: Tensor  # (C', C / groups, k, k)
    bias: Tensor | None
    stride: int
    padding: int
    border: str  # reflect, replicate, zeros
    groups: int

    @property
    def price(self) -> float:
        """Multiply-adds for one element of the output."""
        return float(self.weight[0].numel())

    @property
    def step(self) -> Fraction:
        """Rows of the input from one row of the output to the next."""
        return Fraction(self.stride)

    def size(self, side: int) -> int:
        """Side of the output, from that of the input."""
        return (side + 2 * self.padding - self.weight.shape[-1]) // self.stride + 1

    def reach(self, wanted: Span) -> Span:
        """What it reads for an output of `wanted`, padding included."""
        first = wanted[0] * self.stride - self.padding
        return first, first + (wanted[1] - wanted[0] - 1) * self.stride + self.weight.shape[-1]

    def __call__(self, features: Tensor, held: Region, wanted: Region) -> Tensor:
        """`features` are the region `held` of the input: `reach(wanted)` as far as it lies inside the image."""
        margins = []
        for have, want in zip(reversed(held), reversed(wanted), strict=True):
            first, last = self.reach(want)
            margins += [have[0] - first, last - have[1]]
        if any(margins):
            features = F.pad(features, margins, "constant" if self.border == "zeros" else self.border)
        return F.conv2d(features, self.weight, self.bias, self.stride, groups=self.groups)


@dataclass(frozen=True)
class TransposedConvolution:
    """A transposed convolution whose output padding is at most its padding."""

    weight: Tensor  # (C, C', k, k)
    bias: Tensor | None
    stride: int
    padding: int
    output_padding: int

    @property
    def price(self) -> float:
        """Multiply-adds for one element of the output."""
        return self.weight[:, 0].numel() / self.stride**2

    @property
    def step(self) -> Fraction:
        """Rows of the input from one row of the output to the next."""
        return Fraction(1, self.stride)

    def size(self, side: int) -> int:
        """Side of the output, from that of the input."""
        return (side - 1) * self.stride - 2 * self.padding + self.weight.shape[-1] + self.output_padding

    def reach(self, wanted: Span) -> Span:
        """Element i of the input adds to the elements i · stride - padding and the k - 1 after it."""
        first = -((self.weight.shape[-1] - 1 - self.padding - wanted[0]) // self.stride)
        return first, (wanted[1] - 1 + self.padding) // self.stride + 1

    def __call__(self, features: Tensor, held: Region, wanted: Region) -> Tensor:
        """`features` are the region `held` of the input: `reach(wanted)` as far as it lies inside the image."""
        made = F.conv_transpose2d(features, self.weight, self.bias, self.stride)
        top, left = (span[0] * self.stride - self.padding for span in held)
        return crop(made, ((top, 0), (left, 0)), wanted).contiguous(memory_format=torch.channels_last)


@dataclass(frozen=True)
class Enlargement:
    """Every element twice in each direction: nearest-neighbour resize."""

    price = 0.0
    step = Fraction(1, 2)

    def size(self, side: int) -> int:
        """Side of the output, from that of the input."""
        return 2 * side

    def reach(self, wanted: Span) -> Span:
        """What it reads for an output of `wanted`."""
        return wanted[0] // 2, (wanted[1] - 1) // 2 + 1

    def __call__(self, features: Tensor, held: Region, wanted: Region) -> Tensor:
        """`features` are the region `held` of the input: `reach(wanted)`."""
        made = F.interpolate(features, scale_factor=2.0, mode="nearest")
        return crop(made, ((2 * held[0][0], 0), (2 * held[1][0], 0)), wanted)


Operation: TypeAlias = Convolution | TransposedConvolution | Enlargement


def crop(features: Tensor, held: Region, wanted: Region) -> Tensor:
    """The region `wanted` of features (N, C, h, w) that are the region `held`, or more to the right and below."""
    top, left = held[0][0], held[1][0]
    return features[:, :, wanted[0][0] - top : wanted[0][1] - top, wanted[1][0] - left : wanted[1][1] - left]


def hull(one: Region, other: Region) -> Region:
    """The smallest region that holds both."""
    rows, columns = ((min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(one, other, strict=True))
    return rows, columns


# --------------------------------------------------------------------------------------------------------------- layers


@dataclass(frozen=True)
class Read:
    """A layer as another one reads it: normalised, then values below zero multiplied by `slope`."""

    source: int
    slope: float = LINEAR


@dataclass(frozen=True)
class Layer:
    """An activation before its normalisation: operations on the concatenation of what it reads.

    One without operations is the sum of the two that it reads, or the image.
    """

    reads: tuple[Read, ...]
    operations: tuple[Operation, ...]
    norm: _NormBase | None  # instance norm or batch norm
    channels: int
    stride: int  # pixels of the image from one of its rows to the next

    @property
    def price(self) -> float:
        """Multiply-adds for one element."""
        return sum(operation.price for operation in self.operations)

    @property
    def needs_statistics(self) -> bool:
        """Whether its norm uses the mean and variance of this image."""
        return isinstance(self.norm, nn.InstanceNorm2d)


def layers_of(generator: nn.Module, device: torch.device, dtype: torch.dtype) -> list[Layer]:
    """Take a generator apart, with its weights on `device` in `dtype`; norms and dropout act as in evaluation mode.

    Every layer comes after those that it reads; the last is the generator's output before the tanh.

    Raises:
        TypeError: neither a ResNetGenerator nor a UNetGenerator.
    """
    layers: list[Layer] = []

    def operations_of(module: nn.Module) -> list[Operation]:
        if isinstance(module, nn.Sequential):
            return [operation for child in module for operation in operations_of(child)]
        if isinstance(module, nn.Upsample):
            return [Enlargement()]
        assert isinstance(module, (nn.Conv2d, nn.ConvTranspose2d))
        weight = module.weight.detach().to(device, dtype, memory_format=torch.channels_last)
        bias = None if module.bias is None else module.bias.detach().to(device, dtype)
        stride, padding = module.stride[0], int(module.padding[0])
        if isinstance(module, nn.ConvTranspose2d):
            return [TransposedConvolution(weight, bias, stride, padding, module.output_padding[0])]
        return [Convolution(weight, bias, stride, padding, module.padding_mode, module.groups)]

    def add(reads: Sequence[Read], module: nn.Module, norm: nn.Module | None = None) -> int:
        operations = tuple(operations_of(module))
        last = operations[-1]
        assert not isinstance(last, Enlargement)
        channels = last.weight.shape[isinstance(last, TransposedConvolution)]
        stride = Fraction(layers[reads[0].source].stride)
        for operation in operations:
            stride *= operation.step
        norm = norm if isinstance(norm, _NormBase) else None
        layers.append(Layer(tuple(reads), operations, norm, channels, int(stride)))
        return len(layers) - 1

    def add_sum(reads: Sequence[Read]) -> int:
        first = layers[reads[0].source]
        layers.append(Layer(tuple(reads), (), None, first.channels, first.stride))
        return len(layers) - 1

    def add_image(conv: nn.Module) -> None:
        assert isinstance(conv, nn.Conv2d)
        layers.append(Layer((), (), None, conv.in_channels, 1))

    def part(module: nn.Module, name: str) -> nn.Module:
        return module.get_submodule(name)

    if isinstance(generator, ResNetGenerator):
        add_image(part(generator, "stem.conv"))
        trunk = Read(0)
        for stage in (generator.stem, *generator.down):
            trunk = Read(add([trunk], part(stage, "conv"), part(stage, "norm")), RELU)
        for block in generator.blocks:
            inner = add([trunk], part(block, "conv1"), part(block, "norm1"))
            residual = add([Read(inner, RELU)], part(block, "conv2"), part(block, "norm2"))
            trunk = Read(add_sum([trunk, Read(residual)]))
        for stage in generator.up:
            trunk = Read(add([trunk], part(stage, "conv"), part(stage, "norm")), RELU)
        add([trunk], generator.head)
    elif isinstance(generator, UNetGenerator):
        add_image(part(generator, "down.0.conv"))
        reads, skips = [Read(0)], []
        for stage in generator.down:
            skips.append(add(reads, part(stage, "conv"), part(stage, "norm")))
            reads = [Read(skips[-1], LEAK)]
        reads = [Read(skips.pop(), RELU)]
        for stage in generator.up:
            grown = add(reads, part(stage, "conv"), part(stage, "norm"))
            reads = [Read(skips.pop(), RELU), Read(grown, RELU)]
        add(reads, generator.head)
    else:
        raise TypeError(f"a {type(generator).__name__} cannot be run in tiles")
    return layers


# -------------------------------------------------------------------------------------------------------------- storage


@dataclass
class Space:
    """Where activations may be kept: so many bytes of the memory of `device`, and for the rest files in `folder`.

    Files are nameless, so the system removes them however this process ends. They are written and read rather than
    mapped, so that what was read does not count as this process's. What is given up is used again for the next band of
    its size: fresh pages cost as much time as the copying.
    """

    memory: int
    folder: Path
    device: torch.device
    spare: dict[int, list[Tensor | FileIO]] = field(default_factory=dict)  # by bytes

    def take(self, size: int) -> Tensor | FileIO:
        """Room for so many bytes: memory (a tensor of uint8) where there is enough left, else a file."""
        if self.spare.get(size):
            return self.spare[size].pop()
        self.clear()
        if size <= self.memory:
            self.memory -= size
            return torch.empty(size, dtype=torch.uint8, device=self.device)
        return tempfile.TemporaryFile(buffering=0, dir=self.folder)

    def clear(self) -> None:
        """Free what is spare."""
        for size, rooms in self.spare.items():
            for room in rooms:
                if isinstance(room, Tensor):
                    self.memory += size
                else:
                    room.close()
        self.spare.clear()


@dataclass
class Activation:
    """An activation (1, C, H, W) kept in bands of `rows` rows, each a tensor (rows, W, C) or a file of its bytes."""

    space: Space
    height: int
    width: int
    channels: int
    dtype: torch.dtype
    rows: int
    bands: dict[int, Tensor | FileIO] = field(default_factory=dict)

    def write(self, region: Region, features: Tensor) -> None:
        """Keep features (1, C, h, w) as this region. Raises UserError where the scratch folder cannot take them."""
        pixels = features[0].permute(1, 2, 0)
        try:
            for number, inside, rows in self._shares(region[0]):
                band = self._band(number)
                if isinstance(band, Tensor):
                    band[inside, slice(*region[1])] = pixels[rows]
                    continue
                for offset, row in self._rows_on_disk(inside.start, region[1], pixels[rows].cpu().contiguous()):
                    band.seek(offset)
                    while row:
                        row = row[band.write(row) :]
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(
                f"Cannot write to the scratch folder {self.space.folder} ({reason}); choose another."
            ) from None

    def read(self, region: Region) -> Tensor:
        """The features (1, C, h, w) of a region, a copy in channels_last."""
        (top, bottom), (left, right) = region
        pixels = torch.empty(bottom - top, right - left, self.channels, dtype=self.dtype, device=self.space.device)
        for number, inside, rows in self._shares(region[0]):
            band = self.bands[number]
            if isinstance(band, Tensor):
                pixels[rows] = band[inside, left:right]
                continue
            found = pixels[rows] if pixels.device.type == "cpu" else torch.empty_like(pixels[rows], device="cpu")
            for offset, row in self._rows_on_disk(inside.start, region[1], found):
                band.seek(offset)
                while row:
                    row = row[band.readinto(row) :]
            if pixels.device.type != "cpu":
                pixels[rows] = found
        return pixels.permute(2, 0, 1)[None]

    def release(self, until: int | None = None) -> None:
        """Give up the bands that lie wholly above row `until`, or all of them."""
        for number in list(self.bands):
            if until is None or (number + 1) * self.rows <= until:
                band = self.bands.pop(number)
                room = band.flatten().view(torch.uint8) if isinstance(band, Tensor) else band
                self.space.spare.setdefault(self._shape(number).numel() * self.dtype.itemsize, []).append(room)

    def _shares(self, rows: Span) -> Iterator[tuple[int, slice, slice]]:
        """The bands that hold these rows: their number, which of their rows, and where in `rows` those are."""
        for number in range(rows[0] // self.rows, -(-rows[1] // self.rows)):
            start = number * self.rows
            first, last = max(rows[0], start), min(rows[1], start + self.rows)
            yield number, slice(first - start, last - start), slice(first - rows[0], last - rows[0])

    def _shape(self, number: int) -> torch.Size:
        return torch.Size((min(self.rows, self.height - number * self.rows), self.width, self.channels))

    def _band(self, number: int) -> Tensor | FileIO:
        if number not in self.bands:
            shape = self._shape(number)
            room = self.space.take(shape.numel() * self.dtype.itemsize)
            self.bands[number] = room.view(self.dtype).view(shape) if isinstance(room, Tensor) else room
        return self.bands[number]

    def _rows_on_disk(self, first: int, columns: Span, pixels: Tensor) -> list[tuple[int, memoryview]]:
        """Offsets in a band's file of the rows of `pixels`, which begin at row `first` of it, and their bytes."""
        pixel = self.channels * self.dtype.itemsize
        bytes_ = pixels.view(torch.uint8).flatten().numpy().data
        if columns == (0, self.width):
            return [(first * self.width * pixel, bytes_)]
        length = (columns[1] - columns[0]) * pixel
        return [
            (((first + row) * self.width + columns[0]) * pixel, bytes_[row * length : (row + 1) * length])
            for row in range(len(pixels))
        ]


# ----------------------------------------------------------------------------------------------------------- statistics


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of each channel, in float64 on the CPU."""

    count: int
    mean: Tensor
    deviations: Tensor

    def __add__(self, other: Moments) -> Moments:
        """Of both together (Chan, Golub & LeVeque 1979): no sum of squares, which cancels where means are large."""
        count, apart = self.count + other.count, other.mean - self.mean
        between = apart.square() * (self.count * other.count / count)
        return Moments(count, self.mean + apart * (other.count / count), self.deviations + other.deviations + between)

    def mean_and_variance(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """In float32, as batch norm takes them."""
        return self.mean.float().to(device), (self.deviations / self.count).float().to(device)


def moments_of(features: Tensor) -> Moments:
    """Of the channels of (N, C, h, w)."""
    count = features.numel() // features.shape[1]
    if count == 1:
        mean = features.flatten().cpu().double()
        return Moments(1, mean, torch.zeros_like(mean))
    # Batch norm in training mode computes them: many times as fast as torch.var_mean in channels_last on a CPU.
    mean, variance = torch.zeros(2, features.shape[1], device=features.device)
    F.batch_norm(features, mean, variance, training=True, momentum=1.0)
    return Moments(count, mean.cpu().double(), variance.cpu().double() * (count - 1))
