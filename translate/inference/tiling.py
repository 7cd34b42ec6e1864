"""Images of any size in bounded memory: tiles whose result equals the whole-image pass.

Instance norm makes naive tiles differ in colour, because each is normalised by its own mean and variance (CycleGAN
issue 32; pytorch-CycleGAN-and-pix2pix issues 760 and 1040). Here the statistics are those of the whole image, so seams
cannot exist: the network runs layer by layer, each layer tile by tile with the halo that its convolution reads, padded
only where the image ends. While the tiles of a layer are computed, their means and variances are merged; the layer is
normalised when the next one reads it.

What does not fit memory goes to nameless files, or is made again for each layer that reads it where that is cheaper
(`passes`). What is read and computed for one tile is in `tiles`, the layers are in `layers`, their arithmetic in
`operations`, where they are kept in `activations`, and how tiles' statistics become the image's in `moments`.

Where no layer needs statistics of the image (batch norm, no norm, or estimated ones), nothing need be kept: tiles with
a halo as wide as the network sees (85 pixels for nine blocks) go through in one pass, unless the halo would cost more
than half again (a U-Net sees more than most images hold: it runs layer by layer).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from translate.data.tensors import to_pixels, to_tensor
from translate.errors import UserError
from translate.inference.activations import Activation, Space
from translate.inference.estimates import estimate_statistics
from translate.inference.layers import layers_of
from translate.inference.moments import Moments, moments_of
from translate.inference.operations import Region
from translate.inference.passes import Pass, band_height, peak_of, plan, read_after, work
from translate.inference.tiles import Run, cells, demand, evaluate, statistics_of
from translate.networks.resnet import ResNetGenerator
from translate.networks.unet import UNetGenerator

Statistics: TypeAlias = Literal["exact", "fast"]
"""Of instance norm, for an image in tiles: of all of it, or of patches where its activations would not fit memory."""


def translate_tiled(
    generator: nn.Module,
    image: npt.NDArray[Any],
    *,
    tile: int = 256,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    statistics: Statistics = "exact",
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
    kept: dict[int, Activation] = {}  # what is in run.kept
    with ExitStack() as cleanup:
        cleanup.callback(space.clear)
        for number, step in enumerate(passes):
            ending = kept.keys() - read_after(passes, number)
            fresh = {layer: _activation(run, layer, tile, space) for layer in step.writes}
            for activation in fresh.values():
                cleanup.callback(activation.release)
            moments: Moments | None = None
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
                elif run.layers[step.target].needs_statistics and step.target not in run.norms:
                    here = moments_of(values[step.target])
                    moments = here if moments is None else moments + here
                share = (row * columns + column + 1) / (rows * columns)
                progress((sum(works[:number]) + works[number] * share) / sum(works))
            if moments is not None:
                run.norms[step.target] = statistics_of(run, step.target, moments)
            for layer in ending:
                del run.kept[layer]
                kept.pop(layer).release()
            run.kept |= fresh
            kept |= fresh


def _activation(run: Run, layer: int, tile: int, space: Space) -> Activation:
    rows = band_height(run, tile) // run.layers[layer].stride
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
