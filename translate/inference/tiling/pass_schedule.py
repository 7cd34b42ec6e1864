"""The passes over an image that `exact` carries out: which activations are kept, and which are computed again.

At 6000×4000 pixels and width 64, an activation of full resolution is 6.1 GB in
float32, one of half resolution 3.1 GB, one of the residual blocks 1.5 GB. Writing a number to a file and reading it
back takes as long as several hundred multiply-adds, on a slow disk over a thousand. So an activation that is larger
than what it is made of, and not dearer than that (PRICES), is computed again for each layer that reads it: the stem
costs 147 multiply-adds a number (computed three times instead of once: 2.5 % of the network's), the first down stage
576 (twice: 2.4 %), the two up stages 576 and 288 (three times and twice: 7.3 %). A number of the blocks costs 2304:
those are kept. A block reads its input x and the residual r of the block before, keeps x + r in their place (bands of
rows are given up as soon as they are read) and adds its inner activation: two live at a time, with some overlap 3.7 GB
in float32 at 6000×4000 and 1.8 GB in bfloat16, in memory as far as it is allowed, else in nameless files. Where memory
suffices for all activations, all are kept. A U-Net of width 64 keeps 1.9 GB there and makes its outermost layer again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from translate.inference.tiling.region_operations import Region
from translate.inference.tiling.tile_evaluation import COPIES, TiledImage, cells, demand

PRICES = (0.0, 300.0, 1000.0)
"""Multiply-adds for one number up to which an activation is computed again.

The first of these with which all that is kept fits the memory is taken, or the last one.
"""
HALO_LIMIT = 1.5
"""A single pass over the image, which needs a wide halo, may take so many times the multiply-adds of several."""
BANDS = 16
"""Most bands of rows that an activation is kept in; each is given up as soon as nothing will read it again."""


@dataclass(frozen=True)
class Pass:
    """One pass over the image, which computes all tiles of one layer."""

    target: int
    reads: frozenset[int]  # kept layers
    writes: frozenset[int]  # layers that it keeps: its target, and sums made on the way to it


def schedule(run: TiledImage, tile: int, memory: int) -> tuple[int, list[Pass]]:
    """The side of the tiles and the passes over the image, chosen as this module's docstring says.

    Args:
        run: the network and the image.
        tile: pixels of a tile's side that are asked for, a multiple of the network's.
        memory: bytes that activations may take.
    """
    for price in PRICES:
        passes = passes_of(run, worth_keeping(run, price))
        if peak_of(run, passes, tile) <= memory:
            return tile, passes
    if run.needs_statistics:
        return tile, passes
    output, wide = len(run.layers) - 1, tile
    while wide < max(run.height, run.width) and COPIES * _largest(run, output, wide + tile) <= memory:
        wide += tile  # a larger tile has less halo
    whole = [Pass(output, frozenset(), frozenset())]
    worth_it = sum(work(run, whole, wide)) <= HALO_LIMIT * sum(work(run, passes, tile))
    return (wide, whole) if worth_it else (tile, passes)


def worth_keeping(run: TiledImage, price: float) -> frozenset[int]:
    """The layers to keep: all but those that are cheap to compute again and larger than what they are made of."""
    size = [run.elements(run.whole(layer)) for layer in range(len(run.layers))]
    kept, prices, made_of = {0}, [0.0], [{0}]
    for number, layer in enumerate(run.layers[1:-1], start=1):
        again = {read.source for read in layer.reads} - kept
        prices.append(layer.price + sum(prices[source] * size[source] / size[number] for source in again))
        made_of.append(set().union(*(made_of[read.source] for read in layer.reads)))
        if not layer.operations or prices[-1] > price or size[number] <= sum(size[source] for source in made_of[-1]):
            kept.add(number)
            made_of[-1] = {number}
    return frozenset(kept - {0})


def passes_of(run: TiledImage, keep: frozenset[int]) -> list[Pass]:
    """A pass for each layer that is kept or needs statistics, and one for the output; sums are computed on the way."""
    passes: list[Pass] = []
    complete: frozenset[int] = frozenset()
    for target, layer in enumerate(run.layers):
        own = (target in keep and layer.operations) or layer.needs_statistics
        if own or target == len(run.layers) - 1:
            visited = demand(run, run.whole(target), complete).keys()
            passes.append(Pass(target, complete & visited, (keep & visited) - complete))
            complete |= keep & visited
    return [replace(step, writes=step.writes & read_after(passes, number)) for number, step in enumerate(passes)]


def peak_of(run: TiledImage, passes: Sequence[Pass], tile: int) -> int:
    """The most bytes of activations that are kept at the same time."""
    bands = -(-run.height // band_height(run, tile))
    peak, kept = 0, frozenset[int]()
    for number, step in enumerate(passes):
        later = read_after(passes, number)
        staying, ending, fresh = run.bytes(kept & later), run.bytes(kept - later), run.bytes(step.writes)
        # What ends is given up as what is new grows, but for two bands of the one and one of the other.
        both = max(ending, fresh) + (2 * ending + fresh) // bands
        peak = max(peak, staying + min(both, ending + fresh))
        kept = (kept | step.writes) & later
    return peak


def work(run: TiledImage, passes: Sequence[Pass], tile: int) -> list[float]:
    """The multiply-adds of each pass, estimated from a tile in the middle of the image."""
    works = []
    for step in passes:
        wanted = _middle(run, step.target, tile)
        made = {layer: region for layer, region in demand(run, wanted, step.reads).items() if layer not in step.reads}
        once = sum(run.layers[layer].price * run.elements({layer: region}) for layer, region in made.items())
        works.append(once * run.elements(run.whole(step.target)) / run.elements(wanted))
    return works


def _middle(run: TiledImage, layer: int, tile: int) -> dict[int, Region]:
    row, column = ((-(-side // tile) - 1) // 2 for side in (run.height, run.width))
    return cells(run, (layer,), tile, row, column)


def _largest(run: TiledImage, layer: int, tile: int) -> int:
    """Bytes of the largest activation that is computed for a tile of a layer where nothing is kept."""
    regions = demand(run, _middle(run, layer, tile), ())
    return max(run.elements({other: region}) for other, region in regions.items()) * run.dtype.itemsize


def read_after(passes: Sequence[Pass], number: int) -> frozenset[int]:
    """The kept layers that a later pass reads."""
    return frozenset(layer for step in passes[number + 1 :] for layer in step.reads)


def band_height(run: TiledImage, tile: int) -> int:
    """Rows of the image in a band of an activation: the fewest whole tiles with which there are at most BANDS bands."""
    tiles = -(-run.height // tile)
    return -(-tiles // BANDS) * tile
