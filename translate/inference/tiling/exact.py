"""Large images for generators that describe their layers: tiles whose result equals that of the whole image.

Instance norm makes naive tiles differ in colour, because each is normalised by its own mean and variance (CycleGAN
issue 32; pytorch-CycleGAN-and-pix2pix issues 760 and 1040). Here the statistics are those of the whole image, so seams
cannot exist: the network runs layer by layer, each layer tile by tile with the halo that its convolution reads, padded
only where the image ends. While the tiles of a layer are computed, their means and variances are merged; the layer is
normalised when the next one reads it.

What does not fit memory goes to nameless files, or is computed again for each layer that reads it where that is cheaper
(`pass_schedule`). Which regions are read and computed for one tile is in `tile_evaluation`, the layers are in
`graph_layers`, their arithmetic in `region_operations`, their storage in `activation_storage`, and how the statistics
of tiles become those of the image in `translate.inference.channel_statistics`.

Where no layer needs statistics of the image (batch norm or no norm), nothing need be kept: tiles with a halo as wide as
the network sees (85 pixels for nine blocks) go through in one pass, unless the halo would cost more than half again (a
U-Net sees more than most images hold: it runs layer by layer).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from translate.data.tensors import to_pixels, to_tensor
from translate.errors import UserError
from translate.inference.channel_statistics import ChannelStatistics, channel_statistics
from translate.inference.tiling.activation_storage import Activation, ScratchSpace
from translate.inference.tiling.graph_layers import layers_of
from translate.inference.tiling.pass_schedule import Pass, band_height, peak_of, read_after, schedule, work
from translate.inference.tiling.region_operations import Region
from translate.inference.tiling.tile_evaluation import TiledImage, cells, demand, evaluate, statistics_of
from translate.networks.generator import Generator
from translate.networks.graph import Graph


def translate_exactly(
    generator: Generator,
    graph: Graph,
    image: npt.NDArray[Any],
    *,
    tile: int,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    bits: int | None = None,
    out: npt.NDArray[Any] | None = None,
    memory: int = 2**30,
    scratch: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> npt.NDArray[Any]:
    """Translate an image tile by tile; neither the input nor the output exists as floating-point numbers as a whole.

    Args:
        generator: a network in evaluation mode; it is left as it is.
        graph: its layers.
        image: (H, W, C) uint8 or uint16 (an array, or a memory-mapped file); sides multiples of `generator.multiple`.
        tile: pixels of a tile's side, rounded down to a multiple of `generator.multiple`, and at least that. What a
            tile needs of memory grows with its square: about 60 MB at 256 pixels, width 64 and float32.
        device: where tiles are computed.
        dtype: of the arithmetic, and of the activations that are kept.
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
        ValueError: the network has layers that cannot be run in tiles.
    """
    with torch.inference_mode():
        layers = layers_of(generator, graph, device, dtype)
        unit, (height, width) = generator.multiple, image.shape[:2]

        def of_image(region: Region) -> Tensor:
            return to_tensor(image[slice(*region[0]), slice(*region[1])])[None]

        run = TiledImage(layers, height, width, of_image, device, dtype)
        tile, passes = schedule(run, max(tile // unit, 1) * unit, memory)
        space = ScratchSpace(memory, _scratch_folder(run, peak_of(run, passes, tile) - memory, scratch), device)
        bits = bits or image.dtype.itemsize * 8
        if out is None:
            out = np.empty((height, width, generator.out_channels), f"uint{bits}")

        def keep_pixels(region: Region, features: Tensor) -> None:
            finished = graph.finish(features.float(), of_image(region).to(device))
            out[slice(*region[0]), slice(*region[1])] = to_pixels(finished[0], bits)

        run_passes(run, passes, tile, space, keep_pixels, progress or (lambda share: None))
    return out


def run_passes(
    run: TiledImage,
    passes: Sequence[Pass],
    tile: int,
    space: ScratchSpace,
    sink: Callable[[Region, Tensor], None],
    progress: Callable[[float], None],
) -> None:
    """Carry out passes over an image.

    Args:
        run: the network and the image.
        passes: see `pass_schedule`.
        tile: pixels of a tile's side.
        space: storage for the activations that passes leave to later ones.
        sink: called with each tile of the last layer, before `Graph.finish`, and its region of the image.
        progress: called with the share that is done, from 0 to 1.
    """
    works = work(run, passes, tile)
    rows, columns = -(-run.height // tile), -(-run.width // tile)
    kept: dict[int, Activation] = {}  # what is in run.kept
    with ExitStack() as cleanup:
        cleanup.callback(space.clear)
        for number, step in enumerate(passes):
            ending = kept.keys() - read_after(passes, number)
            fresh = {layer: _activation(run, layer, tile, space) for layer in step.writes}
            for activation in fresh.values():
                cleanup.callback(activation.release)
            statistics: ChannelStatistics | None = None
            for row, column in product(range(rows), range(columns)):
                wanted = cells(run, (*step.writes, step.target), tile, row, column)
                regions = demand(run, wanted, run.kept.keys())
                if column == 0:  # no tile from here on reads what is above these regions
                    for layer in ending:
                        kept[layer].release(regions[layer][0][0])
                values = evaluate(run, regions, wanted)
                for layer, activation in fresh.items():
                    activation.write(wanted[layer], values[layer])
                if step.target == len(run.layers) - 1:
                    sink(wanted[step.target], values[step.target])
                elif run.layers[step.target].needs_statistics:
                    here = channel_statistics(values[step.target])
                    statistics = here if statistics is None else statistics + here
                share = (row * columns + column + 1) / (rows * columns)
                progress((sum(works[:number]) + works[number] * share) / sum(works))
            if statistics is not None:
                run.norms[step.target] = statistics_of(run, step.target, statistics)
            for layer in ending:
                del run.kept[layer]
                kept.pop(layer).release()
            run.kept |= fresh
            kept |= fresh


def _activation(run: TiledImage, layer: int, tile: int, space: ScratchSpace) -> Activation:
    rows = band_height(run, tile) // run.layers[layer].stride
    return Activation(space, *run.size(layer), run.layers[layer].channels, run.dtype, rows)


def _scratch_folder(run: TiledImage, needed: int, wish: Path | None) -> Path:
    """The folder for files of so many bytes together. Raises UserError where it is missing or has too little space."""
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
            f"has {free / 1e9:.1f} GB free; choose another folder with the environment variable TMPDIR."
        )
    return folder
