"""The Translator: the only way from a checkpoint to pictures, for every part of this program."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TypeAlias, overload

import numpy as np
import torch
from PIL import Image

from translate.checkpoints.folder import read_config
from translate.checkpoints.format import load_generator
from translate.checkpoints.zoo import resolve
from translate.config import CheckpointConfig, Direction
from translate.data.images import open_image, to_array, to_pixels, to_tensor
from translate.devices import choose_device, choose_precision
from translate.errors import UserError
from translate.inference.tiling import translate_tiled

TILED_FROM = 1_100_000
"""Pixels above which an image is computed in tiles: for its memory, and because PyTorch's norms of channels_last images
add up their pixels one by one in float32. At 2048×1536 that costs up to 3 grey levels, here at most 0.2; tiles are
exact (measured against float64)."""
TILE = 512
SMALLEST_SIDE = 32
"""Pixels; narrower images are padded, because a network's bottleneck needs something left to reflect."""

Picture: TypeAlias = str | Path | Image.Image | np.ndarray


def load(name_or_folder: str | Path, *, device: str = "auto", precision: str = "auto") -> Translator:
    """Open a checkpoint by name (built-in, downloaded, a run under runs/) or by folder.

    Args:
        name_or_folder: e.g. `horse2zebra`, `runs/mine`, or a folder with a config.json.
        device: auto, cpu, cuda, cuda:1, mps.
        precision: auto, float32, bfloat16, float16.
    Raises:
        UserError: no such checkpoint, or its files are damaged.
    """
    return Translator(resolve(name_or_folder), device=device, precision=precision)


class Translator:
    """A checkpoint ready to translate. Weights of a direction are read when it is first used; threads may share it."""

    def __init__(self, folder: Path, *, device: str = "auto", precision: str = "auto") -> None:
        self.folder = Path(folder)
        self.config: CheckpointConfig = read_config(self.folder)
        self.device = choose_device(device)
        self.dtype = choose_precision(precision, self.device)
        self._generators: dict[str, torch.nn.Module] = {}
        self._loading = threading.Lock()

    @property
    def directions(self) -> list[Direction]:
        """The directions there are weights for: a2b, b2a or both."""
        return [direction for direction in ("a2b", "b2a") if direction in self.config.generators]

    @overload
    def __call__(self, image: np.ndarray, direction: str | None = None, tile: int | None = None) -> np.ndarray: ...
    @overload
    def __call__(
        self, image: str | Path | Image.Image, direction: str | None = None, tile: int | None = None
    ) -> Image.Image: ...
    def __call__(
        self, image: Picture, direction: str | None = None, tile: int | None = None
    ) -> Image.Image | np.ndarray:
        """Translate one image.

        Args:
            image: a file, a PIL image, or an array (H, W, C) or (H, W) of uint8 or uint16. An alpha channel is kept.
            direction: a2b or b2a; may be left out where the checkpoint has one, and is a2b where it has both.
            tile: compute in tiles of this many pixels, which bounds the memory and leaves the result as it is (see
                `tiling`). None: images over TILED_FROM pixels in tiles of TILE, others whole; 0: always whole.
        Returns:
            an image of the same size: a PIL image, or an array of the input's type where an array came in.
        Raises:
            UserError: the file is no image, or the checkpoint lacks the direction.
        """
        generator = self.config.generators[self._direction(direction)]
        if isinstance(image, np.ndarray):
            pixels = image[:, :, None] if image.ndim == 2 else image
            if pixels.shape[2] != generator.in_channels:
                raise UserError(
                    f"{self.config.name} reads {generator.in_channels} channels; this array has {pixels.shape[2]}."
                )
            array: np.ndarray = self.translate_batch(pixels[None], direction, tile=tile)[0]
            return array[:, :, 0] if image.ndim == 2 and array.shape[2] == 1 else array
        picture = open_image(image)
        made = self.translate_batch(to_array(picture, generator.in_channels)[None], direction, bits=8, tile=tile)[0]
        result: Image.Image = Image.fromarray(made.squeeze(2) if made.shape[2] == 1 else made)
        if picture.has_transparency_data and made.shape[2] in (1, 3):
            result.putalpha(picture.convert("RGBA").getchannel("A"))
        return result

    def translate_batch(
        self, images: np.ndarray, direction: str | None = None, bits: int | None = None, tile: int | None = None
    ) -> np.ndarray:
        """Translate images of one size together.

        Args:
            images: (N, H, W, C) uint8 or uint16, C as the generator reads.
            direction: a2b or b2a.
            bits: 8 or 16, depth of the result; the input's where it is not given.
            tile: pixels of a tile's side; as for one image.
        Returns:
            (N, H, W, C') uint8 or uint16, C' as the generator makes.
        """
        direction = self._direction(direction)
        config = self.config.generators[direction]
        height, width = images.shape[1:3]
        padded = _pad(images, config.multiple)
        top, left = (padded.shape[1] - height) // 2, (padded.shape[2] - width) // 2
        if tile is None and height * width > TILED_FROM:
            tile = TILE
        if tile:
            network = self.generator(direction)
            whole = [
                translate_tiled(network, image, tile=tile, device=self.device, dtype=self.dtype, bits=bits)
                for image in padded
            ]
            return np.stack(whole)[:, top : top + height, left : left + width]
        batch = torch.stack([to_tensor(image) for image in padded]).to(self.device, memory_format=torch.channels_last)
        autocast = torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)
        with torch.inference_mode(), autocast:
            made = self.generator(direction)(batch)
        made = made[:, :, top : top + height, left : left + width].float().cpu()
        return np.stack([to_pixels(image, bits or images.dtype.itemsize * 8) for image in made])

    def generator(self, direction: str) -> torch.nn.Module:
        """The network of a direction, on the Translator's device, in evaluation mode."""
        with self._loading:
            if direction not in self._generators:
                network = load_generator(self.folder, direction)
                self._generators[direction] = network.to(self.device).to(memory_format=torch.channels_last)
            return self._generators[direction]

    def _direction(self, wish: str | None) -> Direction:
        known = {"atob": "a2b", "btoa": "b2a"}.get(wish.lower(), wish.lower()) if wish else self.directions[0]
        for direction in self.directions:
            if direction == known:
                return direction
        there = ", ".join(f"{direction} ({' → '.join(self.config.ends(direction))})" for direction in self.directions)
        raise UserError(f"{self.config.name} has no direction {wish}; it has {there}.")


def _pad(images: np.ndarray, multiple: int) -> np.ndarray:
    """Reflect the borders of (N, H, W, C) images until their sides are multiples of `multiple`; they stay centred."""
    margins = []
    for side in images.shape[1:3]:
        missing = max(-(-side // multiple) * multiple, -(-SMALLEST_SIDE // multiple) * multiple) - side
        margins.append((missing // 2, missing - missing // 2))
    if margins == [(0, 0), (0, 0)]:
        return images
    return np.pad(images, ((0, 0), *margins, (0, 0)), mode="reflect")
