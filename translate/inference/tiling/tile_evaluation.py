"""The computation of one tile: which region of every layer it is made of, and how these regions are computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from translate.inference.channel_statistics import ChannelStatistics
from translate.inference.temporal_norm import TemporalInstanceNorm2d
from translate.inference.tiling.graph_layers import LINEAR, RELU, Layer
from translate.inference.tiling.region_operations import Region, crop, hull

COPIES = 3
"""A tile needs about this many times the memory of the largest activation in it."""


class Kept(Protocol):
    """An activation that is kept, in memory or in files."""

    def read(self, region: Region) -> Tensor:
        """Copy a region, (N, C, h, w) in channels_last."""


@dataclass
class TiledImage:
    """An image that is being translated in tiles: the network's layers, and what is known of them so far.

    Layers are named by their place in `layers`. Statistics and kept activations are added as passes are carried out.
    """

    layers: list[Layer]
    height: int
    width: int
    image: Callable[[Region], Tensor]  # reads a region of the image as (N, C, h, w) in [-1, 1]
    device: torch.device
    dtype: torch.dtype
    norms: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)  # mean and variance (C,) of complete layers
    kept: dict[int, Kept] = field(default_factory=dict)  # activations of complete layers

    @property
    def needs_statistics(self) -> bool:
        """Whether a layer needs statistics of the image."""
        return any(layer.needs_statistics for layer in self.layers)

    def size(self, layer: int) -> tuple[int, int]:
        """Height and width of a layer."""
        return self.height // self.layers[layer].stride, self.width // self.layers[layer].stride

    def whole(self, layer: int) -> dict[int, Region]:
        """The region of a layer that covers all of it."""
        height, width = self.size(layer)
        return {layer: ((0, height), (0, width))}

    def elements(self, regions: Mapping[int, Region]) -> int:
        """How many numbers these regions of layers contain."""
        return sum(
            self.layers[layer].channels * (bottom - top) * (right - left)
            for layer, ((top, bottom), (left, right)) in regions.items()
        )

    def bytes(self, layers: Iterable[int]) -> int:
        """Bytes of these layers, all of the image."""
        return sum(self.elements(self.whole(layer)) for layer in layers) * self.dtype.itemsize


def cells(run: TiledImage, layers: Iterable[int], tile: int, row: int, column: int) -> dict[int, Region]:
    """The region of each of these layers that belongs to the tile in this row and column of tiles."""
    regions = {}
    for layer in layers:
        side = tile // run.layers[layer].stride
        (height, width), top, left = run.size(layer), row * side, column * side
        regions[layer] = ((top, min(top + side, height)), (left, min(left + side, width)))
    return regions


def regions_of(run: TiledImage, layer: int, wanted: Region) -> list[Region]:
    """The region that each operation of a layer reads to compute the region `wanted`, and last `wanted` itself."""
    operations = run.layers[layer].operations
    if not operations:
        return [wanted]
    sides = [run.size(run.layers[layer].reads[0].source)]
    for operation in operations[:-1]:
        sides.append((operation.size(sides[-1][0]), operation.size(sides[-1][1])))
    regions = [wanted]
    for operation, (height, width) in zip(reversed(operations), reversed(sides), strict=True):
        rows, columns = (operation.reach(span) for span in regions[-1])
        regions.append(((max(rows[0], 0), min(rows[1], height)), (max(columns[0], 0), min(columns[1], width))))
    return regions[::-1]


def demand(run: TiledImage, wanted: Mapping[int, Region], kept: Collection[int]) -> dict[int, Region]:
    """The region of every layer that the wanted regions are made of, back to `kept` layers and the image."""
    regions = dict(wanted)
    for layer in range(max(wanted), 0, -1):
        if layer in regions and layer not in kept:
            reach = regions_of(run, layer, regions[layer])[0]
            for read in run.layers[layer].reads:
                regions[read.source] = hull(reach, regions.get(read.source, reach))
    return regions


def evaluate(run: TiledImage, regions: Mapping[int, Region], wanted: Mapping[int, Region]) -> dict[int, Tensor]:
    """Compute the regions that `demand` found, and return those wanted, (N, C, h, w), before their norms."""
    computed = [layer for layer in regions if layer not in run.kept]
    readers = Counter(read.source for layer in computed for read in run.layers[layer].reads)
    normed: dict[int, Tensor] = {}
    results: dict[int, Tensor] = {}

    def read_as(layer: int, region: Region, slope: float, once: bool) -> Tensor:
        features = crop(normed[layer], regions[layer], region)
        readers[layer] -= 1
        mine = once and readers[layer] == 0 and layer not in wanted
        if readers[layer] == 0:
            del normed[layer]
        if slope == LINEAR:
            return features
        if slope == RELU:
            return features.relu_() if mine else features.relu()
        return F.leaky_relu(features, slope, inplace=mine)

    for number in sorted(regions):
        layer, region = run.layers[number], regions[number]
        if number in run.kept:
            features = run.kept[number].read(region)
        elif number == 0:
            features = run.image(region).to(run.device, run.dtype, memory_format=torch.channels_last)
        else:
            steps = regions_of(run, number, region)
            sources = Counter(read.source for read in layer.reads)
            parts = [read_as(read.source, steps[0], read.slope, sources[read.source] == 1) for read in layer.reads]
            features = parts[0]
            if len(parts) > 1:
                features = parts[0] + parts[1] if layer.adds else torch.cat(parts, dim=1)
            for operation, held, made in zip(layer.operations, steps[:-1], steps[1:], strict=True):
                features = operation(features, held, made)
        if number in wanted:
            results[number] = crop(features, region, wanted[number])
        if readers[number]:
            normed[number] = normalise(run, number, features)
    return results


def normalise(run: TiledImage, layer: int, features: Tensor) -> Tensor:
    """Apply a layer's norm with the statistics of the whole image, or with the running averages of batch norm."""
    norm = run.layers[layer].norm
    if norm is None:
        return features
    if not run.layers[layer].needs_statistics:
        return F.batch_norm(features, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    return F.batch_norm(features, *run.norms[layer], norm.weight, norm.bias, eps=norm.eps)


def statistics_of(run: TiledImage, layer: int, statistics: ChannelStatistics) -> tuple[Tensor, Tensor]:
    """The mean and variance that a layer is normalised with: its own, or in a film an average over the frames."""
    mean, variance = statistics.mean_and_variance(run.device)
    norm = run.layers[layer].norm
    return norm.update(mean, variance) if isinstance(norm, TemporalInstanceNorm2d) else (mean, variance)
