"""Images of any size in bounded memory: in exact tiles where the generator describes its layers, else blended ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy.typing as npt
import torch

from translate.inference.tiling.blended import translate_blended
from translate.inference.tiling.exact import translate_exactly
from translate.networks.generator import Generator

__all__ = ["translate_tiled"]


def translate_tiled(
    generator: Generator,
    image: npt.NDArray[Any],
    *,
    tile: int = 256,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    bits: int | None = None,
    out: npt.NDArray[Any] | None = None,
    memory: int = 2**30,
    scratch: Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> npt.NDArray[Any]:
    """Translate an image tile by tile; neither the input nor the output exists as floating-point numbers as a whole.

    A generator with a graph gives what it would give for the whole image (see `exact`). One without is computed in
    overlapping tiles that are blended, and a warning says so (see `blended`).

    Args:
        generator: a network in evaluation mode; it is left as it is.
        image: (H, W, C) uint8 or uint16 (an array, or a memory-mapped file); sides multiples of `generator.multiple`.
        tile: pixels of a tile's side, rounded down to a multiple of `generator.multiple`, and at least that.
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
        ValueError: the image's sides are no such multiples, or the generator is in training mode.
    """
    if generator.training:
        raise ValueError("the generator must be in evaluation mode")
    height, width = image.shape[:2]
    if height % generator.multiple or width % generator.multiple:
        raise ValueError(f"sides of {width}×{height} pixels are not multiples of {generator.multiple}")
    device, graph = torch.device(device), generator.graph()
    if graph is None:
        return translate_blended(
            generator, image, tile=tile, device=device, dtype=dtype, bits=bits, out=out, progress=progress
        )
    return translate_exactly(
        generator,
        graph,
        image,
        tile=tile,
        device=device,
        dtype=dtype,
        bits=bits,
        out=out,
        memory=memory,
        scratch=scratch,
        progress=progress,
    )
