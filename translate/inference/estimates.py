"""The fast mode's statistics: of patches of the image instead of all of it, so that one pass over the image suffices.

Patches lie evenly over the image, at full resolution, because a reduced copy has other textures. They go through the
network layer by layer as the image does in the exact mode: what a norm needs is taken from all patches together, and
then they go on with it.

Each has a margin that is computed and not counted, because what a convolution pads with at a patch's border is not what
lies there in the image. Many small patches tell more than a few large ones. And patches count for a little more or less
than one, so that their mean colours together are the image's, which is known (calibrated weights, Deville & Särndal
1992, J. Am. Stat. Assoc. 87, 376). Tried with a ResNet-9 of drawn weights and width 24 on photographs of 11 to 13
megapixels; mean difference from the exact result in grey levels, on samples of the result:

    patches of 128 pixels without a margin: a seventh of the image 5.2, all of it 4.9
    64, 96, 195 of 128 pixels with a margin of 16: 3.8 and 3.6, 2.6 and 3.0, 1.5 and 2.3
    542 of 64 pixels with a margin of 16, which is as much work as the 195: 1.0 and 0.9
    another photograph, blurred but for its middle: 400 of 64 pixels 4.8, weighed 2.3, 640 in even rows and weighed 1.4

A margin of 40 gains nothing more; choosing patches by clusters of their colours and contrasts, or busy ones more often,
made it worse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from translate.inference.moments import Moments, moments_of
from translate.inference.operations import Region, crop
from translate.inference.passes import Pass, passes_of, read_after, worth_keeping
from translate.inference.tiles import Run, demand, evaluate, statistics_of

PATCHES, FEWEST = 640, 16
"""Patches where there is enough memory, and however little there is."""
SIDE, MARGIN = 16, 4
"""Side of what is counted of a patch, and width of what is not, in pixels of the network's coarsest layer."""
TOGETHER = 8
"""Patches that are computed at once."""
PRICE = 1000.0
"""Multiply-adds a number up to which a patch's activation is made again; see `passes`."""
GOLDEN = 0.6180339887498949
"""Its multiples, modulo 1, fill the unit interval evenly."""


@dataclass(frozen=True)
class Held:
    """An activation of some patches, as `evaluate` reads what is kept."""

    features: Tensor

    def read(self, region: Region) -> Tensor:
        """A copy of a region: what reads it may write to it."""
        whole = ((0, self.features.shape[2]), (0, self.features.shape[3]))
        return crop(self.features, whole, region).clone(memory_format=torch.channels_last)


def estimate_statistics(run: Run, memory: int) -> dict[int, tuple[Tensor, Tensor]]:
    """Means and variances of all layers that need them, from patches of the image.

    Args:
        run: the network and the image; it is left as it is.
        memory: bytes for the patches' activations.
    """
    unit = max(layer.stride for layer in run.layers)
    side = min((SIDE + 2 * MARGIN) * unit, run.height, run.width)
    one = Run(run.layers, side, side, run.image, run.device, run.dtype)
    passes = passes_of(one, worth_keeping(one, PRICE))[:-1]  # the output itself is not needed
    count = min(max(memory // _most_kept(one, passes), FEWEST), PATCHES)
    regions = regions_over(run, side, count)
    weights = weights_of(run, regions, MARGIN * unit)
    norms: dict[int, tuple[Tensor, Tensor]] = {}
    groups = [
        Run(run.layers, side, side, _reader(run, regions[start : start + TOGETHER]), run.device, run.dtype, norms)
        for start in range(0, len(regions), TOGETHER)
    ]
    for number, step in enumerate(passes):
        wanted = one.whole(step.target) | {layer: one.whole(layer)[layer] for layer in step.writes}
        moments: Moments | None = None
        for place, group in enumerate(groups):
            values = evaluate(group, demand(group, wanted, group.kept.keys()), wanted)
            inside = _inside(values[step.target], MARGIN * unit // run.layers[step.target].stride)
            for patch, share in enumerate(weights[place * TOGETHER : (place + 1) * TOGETHER]):
                here = moments_of(inside[patch : patch + 1]).times(share)
                moments = here if moments is None else moments + here
            group.kept |= {layer: Held(values[layer]) for layer in step.writes}
            for layer in group.kept.keys() - read_after(passes, number):
                del group.kept[layer]
        if run.layers[step.target].needs_statistics and moments is not None:
            norms[step.target] = statistics_of(run, step.target, moments)
    return norms


def regions_over(run: Run, side: int, count: int) -> list[Region]:
    """So many squares of the image, in even rows that are shifted against each other."""
    rows = min(max(round((count * run.height / run.width) ** 0.5), 1), count)
    regions: list[Region] = []
    for row in range(rows):
        columns = (row + 1) * count // rows - row * count // rows
        for column in range(columns):
            centre = (row + 0.5) / rows * run.height, (column + (0.5 + row * GOLDEN) % 1) / columns * run.width
            first = [
                min(max(round(middle - side / 2), 0), whole - side)
                for middle, whole in zip(centre, (run.height, run.width), strict=True)
            ]
            regions.append(((first[0], first[0] + side), (first[1], first[1] + side)))
    return regions


def weights_of(run: Run, regions: Sequence[Region], margin: int) -> list[float]:
    """What each patch counts for, about 1: as little apart as makes their mean colours together the image's."""
    total = torch.zeros(run.layers[0].channels, dtype=torch.float64)
    for top in range(0, run.height, 256):
        total += run.image(((top, min(top + 256, run.height)), (0, run.width)))[0].sum((1, 2), dtype=torch.float64)
    colours = torch.stack([_inside(run.image(region), margin)[0].mean((1, 2)) for region in regions]).double()
    apart = colours - total / (run.height * run.width)
    apart /= apart.std(0, correction=0).clamp(min=1e-3)
    sought = apart.T @ apart + 1e-3 * len(regions) * torch.eye(len(total), dtype=torch.float64)
    weights = 1 - apart @ torch.linalg.solve(sought, apart.sum(0))
    return [min(max(float(weight), 0.1), 10.0) for weight in weights]


def _reader(run: Run, regions: Sequence[Region]) -> Callable[[Region], Tensor]:
    """What reads a region of these patches, given in their own rows and columns."""

    def read(region: Region) -> Tensor:
        (top, bottom), (left, right) = region
        return torch.cat([run.image(((y + top, y + bottom), (x + left, x + right))) for (y, _), (x, _) in regions])

    return read


def _inside(features: Tensor, margin: int) -> Tensor:
    """Features without their margin, where more than that is left of them."""
    height, width = features.shape[2:]
    if min(height, width) <= 4 * margin:
        return features
    return features[:, :, margin : height - margin, margin : width - margin]


def _most_kept(one: Run, passes: Sequence[Pass]) -> int:
    """Bytes of a patch's activations that are kept from one pass to the next, at most."""
    most, kept = 1, frozenset[int]()
    for number, step in enumerate(passes):
        kept = (kept | step.writes) & read_after(passes, number)
        most = max(most, one.bytes(kept))
    return most
