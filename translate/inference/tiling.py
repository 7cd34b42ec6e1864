"""Images of any size in bounded memory: tiles whose result equals the whole-image pass.

Instance norm makes naive tiles differ in colour, because each is normalised by its own mean and variance (CycleGAN
issue 32; pytorch-CycleGAN-and-pix2pix issues 760 and 1040). Here the statistics are those of the whole image, so seams
cannot exist: the network runs layer by layer, each layer tile by tile with the halo that its convolution reads, padded
only where the image ends. While the tiles of a layer are computed, their means and variances are merged; the layer is
normalised when the next one reads it.

What is kept and what is made again. At 6000×4000 pixels and width 64, an activation of full resolution is 6.1 GB in
float32, one of half resolution 3.1 GB, one of the residual blocks 1.5 GB. Writing a number to a file and reading it
back takes as long as several hundred multiply-adds, on a slow disk over a thousand. So an activation that is larger
than what it is made of, and not dearer than that (PRICES), is computed again for each layer that reads it: the stem
costs 147 multiply-adds a number (computed three times instead of once: 2.5 % of the network's), the first down stage
576 (twice: 2.4 %), the two up stages 576 and 288 (three times and twice: 7.3 %). A number of the blocks costs 2304:
those are kept. A block reads its input x and the residual r of the block before, keeps x + r in their place (bands of
rows are given up as soon as they are read) and adds its inner activation: two live at a time, with some overlap 3.7 GB
in float32 at 6000×4000 and 1.8 GB in bfloat16, in memory as far as it is allowed, else in nameless files. Where memory
suffices for all activations, all are kept. A U-Net of width 64 keeps 1.9 GB there and makes its outermost layer again.

Where no layer needs statistics of the image (batch norm, no norm, or estimated ones), nothing need be kept: tiles with
a halo as wide as the network sees (85 pixels for nine blocks) go through in one pass, unless the halo would cost more
than half again (a U-Net sees more than most images hold: it runs layer by layer).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from translate.data.images import to_pixels, to_tensor
from translate.errors import UserError
from translate.inference.activations import (
    BANDS,
    LINEAR,
    RELU,
    Activation,
    Layer,
    Moments,
    Region,
    Space,
    crop,
    hull,
    layers_of,
    moments_of,
)
from translate.inference.steady import SteadyNorm2d
from translate.networks import ResNetGenerator, UNetGenerator

PRICES = (0.0, 300.0, 1000.0)
"""Multiply-adds a number up to which an activation is made again: the first that makes all fit memory, or the last."""
HALO_LIMIT = 1.5
"""A single pass may cost so many times the multiply-adds of running layer by layer, because of its halo."""
COPIES = 3
"""A tile needs about so many times the memory of the largest activation in it."""
SAMPLE_PIXELS = 3_200_000
"""Size of the sample that statistics are estimated from: 13 % of an image of 6000×4000."""
PATCH = 32
"""Side of its patches, in pixels of the network's coarsest layer."""
FEWEST = 16
"""Patches that are taken however little memory there is."""
GOLDEN = 0.6180339887498949
"""Its multiples, modulo 1, fill the unit interval evenly."""


def translate_tiled(
    generator: nn.Module,
    image: npt.NDArray[Any],
    *,
    tile: int = 256,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    statistics: Literal["exact", "fast"] = "exact",
    bits: int | None = None,
    out: npt.NDArray[Any] | None = None,
    memory: int = 2**30,
    scratch: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> npt.NDArray[Any]:
    """Translate an image tile by tile; neither the input nor the output exists as floating-point numbers as a whole.

    Args:
        generator: a ResNetGenerator or UNetGenerator in evaluation mode; it is left as it is.
        image: (H, W, C) uint8 or uint16 (an array, or a memory-mapped file); sides multiples of `config.multiple`.
        tile: pixels of a tile's side, rounded down to a multiple of `config.multiple`, and at least that. What a tile
            needs of memory grows with its square: about 60 MB at 256 pixels, width 64 and float32.
        device: where tiles are computed.
        dtype: of the arithmetic, and of the activations that are kept.
        statistics: "exact": instance norm's are those of the whole image. "fast": where the activations would not fit
            memory, they are estimated (see `estimate_statistics` for what it costs), and a ResNet needs one pass and
            no scratch space; a U-Net is exact in either mode.
        bits: 8 or 16, depth of the result; the input's where it is not given.
        out: array (H, W, C') to write to, e.g. a memory-mapped file; a new one where it is not given.
        memory: bytes of the device's memory for activations; what exceeds them goes to the scratch folder.
        scratch: existing folder for what exceeds the memory, up to 128 bytes a pixel for a ResNet of width 64 in
            float32, half of that in bfloat16. By default $TMPDIR, else /var/tmp where there is one: unlike other
            temporary folders it is not itself in memory.
        progress: called with the share that is done, from 0 to 1. An exception from it ends the translation.
    Returns:
        (H, W, C') uint8 or uint16.
    Raises:
        UserError: the scratch folder does not exist, cannot be written or has too little space.
        ValueError: the image's sides are no such multiples, or the generator is in training mode.
        TypeError: the generator is of another kind.
    """
    if generator.training:
        raise ValueError("the generator must be in evaluation mode")
    device = torch.device(device)
    with torch.inference_mode():
        layers = layers_of(generator, device, dtype)
        assert isinstance(generator, (ResNetGenerator, UNetGenerator))
        unit = max(layer.stride for layer in layers)
        height, width = image.shape[:2]
        if height % unit or width % unit:
            raise ValueError(f"sides of {width}×{height} pixels are not multiples of {unit}")

        def of_image(region: Region) -> Tensor:
            return to_tensor(image[slice(*region[0]), slice(*region[1])])[None]

        run = Run(layers, height, width, of_image, device, dtype)
        estimate = statistics == "fast" and isinstance(generator, ResNetGenerator)
        tile, passes = plan(run, max(tile // unit, 1) * unit, memory, estimate)
        if len(passes) == 1 and run.lacks_statistics:
            run.norms = estimate_statistics(run, memory)
        space = Space(memory, _scratch_folder(run, peak_of(run, passes, tile) - memory, scratch), device)
        bits = bits or image.dtype.itemsize * 8
        if out is None:
            out = np.empty((height, width, generator.out_channels), f"uint{bits}")

        def keep_pixels(region: Region, features: Tensor) -> None:
            finished = generator.finish(features.float(), of_image(region).to(device))
            out[slice(*region[0]), slice(*region[1])] = to_pixels(finished[0], bits)

        run_passes(run, passes, tile, space, keep_pixels, progress or (lambda share: None))
    return out


# ------------------------------------------------------------------------------------------------------------- one tile


@dataclass
class Run:
    """A network and an image on their way through each other. Layers are named by their place in `layers`."""

    layers: list[Layer]
    height: int
    width: int
    image: Callable[[Region], Tensor]  # a region of it as (N, C, h, w) in [-1, 1]
    device: torch.device
    dtype: torch.dtype
    norms: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict)  # mean and variance, where they are known
    kept: dict[int, Activation] = field(default_factory=dict)  # complete layers

    @property
    def lacks_statistics(self) -> bool:
        """Whether a layer needs statistics that are not known yet."""
        return any(layer.needs_statistics and number not in self.norms for number, layer in enumerate(self.layers))

    def size(self, layer: int) -> tuple[int, int]:
        """Height and width of a layer."""
        return self.height // self.layers[layer].stride, self.width // self.layers[layer].stride

    def whole(self, layer: int) -> dict[int, Region]:
        """The region that is all of a layer."""
        height, width = self.size(layer)
        return {layer: ((0, height), (0, width))}

    def elements(self, regions: Mapping[int, Region]) -> int:
        """How many numbers these regions of layers hold."""
        return sum(
            self.layers[layer].channels * (bottom - top) * (right - left)
            for layer, ((top, bottom), (left, right)) in regions.items()
        )

    def bytes(self, layers: Iterable[int]) -> int:
        """What these layers take."""
        return sum(self.elements(self.whole(layer)) for layer in layers) * self.dtype.itemsize


def regions_of(run: Run, layer: int, wanted: Region) -> list[Region]:
    """What each operation of a layer reads for the region `wanted` of its output, which is the last."""
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


def demand(run: Run, wanted: Mapping[int, Region], kept: Collection[int]) -> dict[int, Region]:
    """The region of every layer that the wanted ones are made of, back to `kept` layers and the image."""
    regions = dict(wanted)
    for layer in range(max(wanted), 0, -1):
        if layer in regions and layer not in kept:
            reach = regions_of(run, layer, regions[layer])[0]
            for read in run.layers[layer].reads:
                regions[read.source] = hull(reach, regions.get(read.source, reach))
    return regions


def evaluate(run: Run, regions: Mapping[int, Region], wanted: Mapping[int, Region]) -> dict[int, Tensor]:
    """Compute the regions that `demand` names. Gives those wanted, (N, C, h, w), before their norms.

    A layer that needs statistics and has none yet gets those of what is computed of it.
    """
    computed = [layer for layer in regions if layer not in run.kept]
    readers = Counter(read.source for layer in computed for read in run.layers[layer].reads)
    normed: dict[int, Tensor] = {}
    results: dict[int, Tensor] = {}

    def read_as(layer: int, region: Region, slope: float) -> Tensor:
        features = crop(normed[layer], regions[layer], region)
        readers[layer] -= 1
        mine = readers[layer] == 0 and layer not in wanted
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
            parts = [read_as(read.source, steps[0], read.slope) for read in layer.reads]
            if layer.operations:
                features = parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
            else:
                features = parts[0] + parts[1]
            for operation, held, made in zip(layer.operations, steps[:-1], steps[1:], strict=True):
                features = operation(features, held, made)
        if number in wanted:
            results[number] = crop(features, region, wanted[number])
        if readers[number]:
            normed[number] = normalise(run, number, features)
    return results


def normalise(run: Run, layer: int, features: Tensor) -> Tensor:
    """Apply a layer's norm with the statistics of the whole image, or with the running averages of batch norm."""
    norm = run.layers[layer].norm
    if norm is None:
        return features
    if not run.layers[layer].needs_statistics:
        return F.batch_norm(features, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
    if layer not in run.norms:
        run.norms[layer] = statistics_of(run, layer, moments_of(features))
    return F.batch_norm(features, *run.norms[layer], norm.weight, norm.bias, eps=norm.eps)


def statistics_of(run: Run, layer: int, moments: Moments) -> tuple[Tensor, Tensor]:
    """Mean and variance that a layer is normalised with: its own, or in film an average over the frames."""
    mean, variance = moments.mean_and_variance(run.device)
    norm = run.layers[layer].norm
    return norm.blend(mean, variance) if isinstance(norm, SteadyNorm2d) else (mean, variance)


def estimate_statistics(run: Run, memory: int) -> dict[int, tuple[Tensor, Tensor]]:
    """Means and variances of all layers that need them, from square samples of the image at full resolution.

    What it costs: three photographs of 16 to 20 megapixels, through a horse2zebra generator of width 24 in float32,
    came out 1.3, 1.7 and 2.2 grey levels from the exact result on average (99 of 100 pixels within 5, 9 and 10).
    Half of the sample costs up to 5 levels; a reduced copy of the whole image 3 to 7, because it has other textures.
    """
    unit = max(layer.stride for layer in run.layers)
    side = min(PATCH * unit, run.height, run.width)
    pixel = max(layer.channels / layer.stride**2 for layer in run.layers) * run.dtype.itemsize
    count = max(int(min(SAMPLE_PIXELS, memory / (COPIES * pixel)) / side**2), FEWEST)
    patches = []
    for number in range(count):
        # Centres evenly over the rows, and by the golden ratio over the columns: every stretch of either has its share.
        centre = ((number + 0.5) / count * run.height, (number + 0.5) * GOLDEN % 1 * run.width)
        rows, columns = (
            (start, start + side)
            for middle, whole in zip(centre, (run.height, run.width), strict=True)
            for start in [min(max(round(middle - side / 2), 0), whole - side)]
        )
        patches.append(run.image((rows, columns)))
    batch = torch.cat(patches)
    sample = Run(run.layers, side, side, lambda region: batch, run.device, run.dtype)
    everything = sample.whole(len(run.layers) - 1)
    evaluate(sample, demand(sample, everything, ()), everything)
    return sample.norms


# --------------------------------------------------------------------------------------------------------------- passes


@dataclass(frozen=True)
class Pass:
    """All tiles of one layer."""

    target: int
    reads: frozenset[int]  # kept layers
    writes: frozenset[int]  # layers that it keeps: its target, and sums made on the way to it


def plan(run: Run, tile: int, memory: int, estimate: bool) -> tuple[int, list[Pass]]:
    """The passes, and the side of their tiles, that the module's docstring describes.

    Args:
        estimate: whether statistics that are missing may be estimated, as a single pass over the image needs.
    """
    for price in PRICES:
        passes = passes_of(run, _worth_keeping(run, price))
        if peak_of(run, passes, tile) <= memory:
            return tile, passes
    if run.lacks_statistics and not estimate:
        return tile, passes
    output, wide = len(run.layers) - 1, tile
    while wide < max(run.height, run.width) and COPIES * _largest(run, output, wide + tile) <= memory:
        wide += tile  # a larger tile has less halo
    whole = [Pass(output, frozenset(), frozenset())]
    worth_it = sum(work(run, whole, wide)) <= HALO_LIMIT * sum(work(run, passes, tile))
    return (wide, whole) if worth_it else (tile, passes)


def _worth_keeping(run: Run, price: float) -> frozenset[int]:
    """The layers that are not both cheap to make again and larger than what they are made of."""
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


def passes_of(run: Run, keep: frozenset[int]) -> list[Pass]:
    """A pass for each layer that is kept or needs statistics, and for the output; sums are made on the way."""
    passes: list[Pass] = []
    complete: frozenset[int] = frozenset()
    for target, layer in enumerate(run.layers):
        own = (target in keep and layer.operations) or (layer.needs_statistics and target not in run.norms)
        if own or target == len(run.layers) - 1:
            visited = demand(run, run.whole(target), complete).keys()
            passes.append(Pass(target, complete & visited, (keep & visited) - complete))
            complete |= keep & visited
    return [replace(step, writes=step.writes & _read_after(passes, number)) for number, step in enumerate(passes)]


def peak_of(run: Run, passes: Sequence[Pass], tile: int) -> int:
    """Bytes of activations that are kept at the same time, at most."""
    bands = -(-run.height // _band_height(run, tile))
    peak, kept = 0, frozenset[int]()
    for number, step in enumerate(passes):
        later = _read_after(passes, number)
        staying, ending, fresh = run.bytes(kept & later), run.bytes(kept - later), run.bytes(step.writes)
        # What ends is given up as what is new grows, but for two bands of the one and one of the other.
        both = max(ending, fresh) + (2 * ending + fresh) // bands
        peak = max(peak, staying + min(both, ending + fresh))
        kept = (kept | step.writes) & later
    return peak


def work(run: Run, passes: Sequence[Pass], tile: int) -> list[float]:
    """Multiply-adds of each pass, judged by a tile in the middle."""
    works = []
    for step in passes:
        wanted = _middle(run, step.target, tile)
        made = {layer: region for layer, region in demand(run, wanted, step.reads).items() if layer not in step.reads}
        once = sum(run.layers[layer].price * run.elements({layer: region}) for layer, region in made.items())
        works.append(once * run.elements(run.whole(step.target)) / run.elements(wanted))
    return works


def run_passes(
    run: Run,
    passes: Sequence[Pass],
    tile: int,
    space: Space,
    sink: Callable[[Region, Tensor], None],
    progress: Callable[[float], None],
) -> None:
    """Carry out passes; the tiles of the last layer go to `sink`, before the tanh."""
    works = work(run, passes, tile)
    rows, columns = -(-run.height // tile), -(-run.width // tile)
    with ExitStack() as cleanup:
        cleanup.callback(space.clear)
        for number, step in enumerate(passes):
            ending = run.kept.keys() - _read_after(passes, number)
            fresh = {layer: _activation(run, layer, tile, space) for layer in step.writes}
            for activation in fresh.values():
                cleanup.callback(activation.release)
            moments: Moments | None = None
            for row, column in product(range(rows), range(columns)):
                wanted = cells(run, (*step.writes, step.target), tile, row, column)
                regions = demand(run, wanted, run.kept.keys())
                if column == 0:  # no tile from here on reads what is above these regions
                    for layer in ending:
                        run.kept[layer].release(regions[layer][0][0])
                values = evaluate(run, regions, wanted)
                for layer, activation in fresh.items():
                    activation.write(wanted[layer], values[layer])
                if step.target == len(run.layers) - 1:
                    sink(wanted[step.target], values[step.target])
                elif run.layers[step.target].needs_statistics and step.target not in run.norms:
                    here = moments_of(values[step.target])
                    moments = here if moments is None else moments + here
                share = (row * columns + column + 1) / (rows * columns)
                progress((sum(works[:number]) + works[number] * share) / sum(works))
            if moments is not None:
                run.norms[step.target] = statistics_of(run, step.target, moments)
            for layer in ending:
                run.kept.pop(layer).release()
            run.kept |= fresh


def cells(run: Run, layers: Iterable[int], tile: int, row: int, column: int) -> dict[int, Region]:
    """The region of layers that a tile of the image stands for."""
    regions = {}
    for layer in layers:
        side = tile // run.layers[layer].stride
        (height, width), top, left = run.size(layer), row * side, column * side
        regions[layer] = ((top, min(top + side, height)), (left, min(left + side, width)))
    return regions


def _middle(run: Run, layer: int, tile: int) -> dict[int, Region]:
    row, column = ((-(-side // tile) - 1) // 2 for side in (run.height, run.width))
    return cells(run, (layer,), tile, row, column)


def _largest(run: Run, layer: int, tile: int) -> int:
    """Bytes of the largest activation that a tile of a layer is made of, where nothing is kept."""
    regions = demand(run, _middle(run, layer, tile), ())
    return max(run.elements({other: region}) for other, region in regions.items()) * run.dtype.itemsize


def _read_after(passes: Sequence[Pass], number: int) -> frozenset[int]:
    return frozenset(layer for step in passes[number + 1 :] for layer in step.reads)


def _band_height(run: Run, tile: int) -> int:
    """Rows of the image that a band of an activation stands for: as few whole tiles as make BANDS of them or less."""
    tiles = -(-run.height // tile)
    return -(-tiles // BANDS) * tile


def _activation(run: Run, layer: int, tile: int, space: Space) -> Activation:
    rows = _band_height(run, tile) // run.layers[layer].stride
    return Activation(space, *run.size(layer), run.layers[layer].channels, run.dtype, rows)


def _scratch_folder(run: Run, needed: int, wish: Path | None) -> Path:
    """The folder for so many bytes of activations. Raises UserError where it is missing or has too little space."""
    lasting = Path("/var/tmp")
    folder = wish or Path(os.environ.get("TMPDIR") or (lasting if lasting.is_dir() else tempfile.gettempdir()))
    if needed <= 0:
        return folder
    if not folder.is_dir():
        raise UserError(f"The scratch folder {folder} does not exist.")
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"An image of {run.width}×{run.height} pixels needs {needed / 1e9:.1f} GB of scratch space, and {folder} "
            f"has {free / 1e9:.1f} GB free; choose another scratch folder, or fast statistics."
        )
    return folder
