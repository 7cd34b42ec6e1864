"""The Translator: the only way from a checkpoint to pictures, for every part of this program."""

from __future__ import annotations

import copy
import threading
from pathlib import Path
from typing import Literal, Self, TypeAlias, overload

import numpy as np
import torch
from PIL import Image

from translate.checkpoints.card import model_of
from translate.checkpoints.folder import read_config
from translate.checkpoints.format import load_generator
from translate.checkpoints.settings import CheckpointConfig
from translate.checkpoints.zoo import resolve
from translate.data.tensors import from_batch, to_batch
from translate.devices import choose_device, choose_precision
from translate.errors import UserError
from translate.inference.raster import Depth, Raster, read_raster, to_picture
from translate.inference.runtimes.engines import Engine, choose_engine, make_engine
from translate.inference.temporal_norm import average_over_frames
from translate.inference.tiling import translate_tiled
from translate.inference.working_size import TOLERANCE, Size, add_change, enlarge, reduce
from translate.kernels.optimise import optimise
from translate.networks.generator import Generator
from translate.settings import Direction

TILED_FROM = 1_100_000
"""Pixels above which an image is computed in tiles: for its memory, and because PyTorch's norms of channels_last images
add up their pixels one by one in float32. At 2048×1536 that costs up to 3 grey levels, here at most 0.2; tiles are
exact (measured against float64)."""
BLENDED_FROM = 2**21
"""Pixels above which a generator that does not describe its layers computes an image in blended tiles. They are not
exact, so images stay whole as long as memory allows: at this size three activations of 64 channels take 1.6 GB."""
TILE = 512
SMALLEST_SIDE = 32
"""Pixels that a side must have; narrower images are padded, because a bottleneck needs something left to reflect."""

Picture: TypeAlias = str | Path | Image.Image | np.ndarray


def load(
    name_or_folder: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    calibration: Path | None = None,
    size: Size = "auto",
    depth: str | None = None,
) -> Translator:
    """Open a checkpoint by name (built-in, downloaded, a run under runs/) or by folder.

    Args:
        name_or_folder: e.g. `horse2zebra`, `runs/mine`, or a folder with a config.json.
        device: auto, cpu, cuda, cuda:1, mps.
        precision: auto, float32, bfloat16, float16.
        engine: auto (torch), torch, onnxruntime, openvino, openvino-int8. Tiles and films are PyTorch's in any case.
        calibration: for openvino-int8: a folder of images of what is translated; needed once for each checkpoint.
        size: what pictures are translated at: auto, full, or pixels of the longer side; see `working_size`.
        depth: of results in files: 8, 16 or float; None: as the checkpoint learned it from its data.
    Raises:
        UserError: no such checkpoint, or its files are damaged; or the engine is not to be had, or another word is none
            of these.
    """
    return Translator(
        resolve(name_or_folder),
        device=device,
        precision=precision,
        engine=engine,
        calibration=calibration,
        size=size,
        depth=depth,
    )


class Translator:
    """A checkpoint ready to translate. Weights of a direction are read when it is first used; threads may share it."""

    def __init__(
        self,
        folder: Path,
        *,
        device: str = "auto",
        precision: str = "auto",
        engine: str = "auto",
        calibration: Path | None = None,
        size: Size = "auto",
        depth: str | None = None,
    ) -> None:
        if depth not in (None, "8", "16", "float"):
            raise UserError(f"The depth {depth} is none of 8, 16 and float.")
        self._depth = depth
        self.folder = Path(folder)
        self.config: CheckpointConfig = read_config(self.folder)
        self.device = choose_device("cpu" if device == "auto" and engine not in ("auto", "torch") else device)
        self.dtype = choose_precision(precision, self.device)
        self.engine = choose_engine(engine, self.device, precision)
        self.calibration = calibration
        self.size = size
        self._engines: dict[str, Engine] = {}
        self._steady = False
        self._generators: dict[str, Generator] = {}
        self._loading = threading.Lock()

    @property
    def directions(self) -> list[Direction]:
        """The directions there are weights for: a2b, b2a or both, first the one that is meant where none is named."""
        return list(self.config.generators)

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
            image: a file, a PIL image, or an array (H, W, C) or (H, W) of uint8 or uint16. What becomes of a file's
                orientation, colour profile, alpha channel and metadata: see `raster`.
            direction: a2b or b2a; the checkpoint's first where it is not given.
            tile: compute in tiles of this many pixels, which bounds the memory and leaves the result as it is, but for
                generators that do not describe their layers (see `tiling`). None: images over TILED_FROM pixels (over
                BLENDED_FROM for such generators) in tiles of TILE, others whole; 0: always whole.
        Returns:
            an image of the same size: a PIL image of 8 bits, or an array of the input's type where an array came in.
        Raises:
            UserError: the file is no image, or the checkpoint lacks the direction.
        """
        generator = self.config.generators[self.direction(direction)]
        if isinstance(image, np.ndarray):
            pixels = image[:, :, None] if image.ndim == 2 else image
            if pixels.shape[2] != generator.in_channels:
                raise UserError(
                    f"{self.config.name} reads {generator.in_channels} channels; this array has {pixels.shape[2]}."
                )
            array: np.ndarray = self.translate_batch(pixels[None], direction, tile=tile)[0]
            return array[:, :, 0] if image.ndim == 2 and array.shape[2] == 1 else array
        raster = read_raster(image, generator.in_channels)
        made = self.translate_batch(raster.colour[None], direction, bits=8, tile=tile)[0]
        return to_picture(Raster(made, raster.alpha))

    def translate_batch(
        self, images: np.ndarray, direction: str | None = None, bits: int | None = None, tile: int | None = None
    ) -> np.ndarray:
        """Translate images of one size together.

        Pictures that are clearly larger than the checkpoint's working size are translated at that size, and the change
        is brought back to the full picture, unless the Translator's `size` says otherwise or `tile` is given.

        Args:
            images: (N, H, W, C) uint8 or uint16, C as the generator reads.
            direction: a2b or b2a.
            bits: 8 or 16, depth of the result; the input's where it is not given.
            tile: pixels of a tile's side; as for one image.
        Returns:
            (N, H, W, C') uint8 or uint16, C' as the generator makes.
        """
        longest = self.translated_at(images.shape[1], images.shape[2]) if tile is None else 0
        if longest:
            return np.stack([self._at_working_size(image, longest, direction, bits) for image in images])
        return self._at_full_size(images, direction, bits, tile)

    def translated_at(self, height: int, width: int) -> int:
        """The longer side, in pixels, that a picture of height × width is reduced to; 0 where it is taken as it is."""
        if self.size == "full":
            return 0
        longest = self.config.best_size if self.size == "auto" else self.size
        clearly_larger = max(height, width) > longest * (TOLERANCE if self.size == "auto" else 1)
        return longest if clearly_larger else 0

    def at_size(self, size: Size) -> Self:
        """A Translator that shares the weights of this one and translates pictures at another size."""
        other = copy.copy(self)
        other.size = size
        return other

    def _at_working_size(self, image: np.ndarray, longest: int, direction: str | None, bits: int | None) -> np.ndarray:
        """Translate one (H, W, C) image at a reduced size and bring the change, or the new drawing, back."""
        bits = bits or image.dtype.itemsize * 8
        small = reduce(image, longest)
        made = self._at_full_size(small[None], direction, bits=16)[0]
        if self.keeps_input(direction):
            return add_change(image, small, made, bits)
        return enlarge(made, image.shape[0], image.shape[1], bits)

    def keeps_input(self, direction: str | None) -> bool:
        """Whether translations are changes of their input, as of photographs, and no new drawings, as of label maps."""
        generator = self.config.generators[self.direction(direction)]
        model = model_of(self.config)
        return generator.in_channels == generator.out_channels and (model is None or not model.paired)

    def _at_full_size(
        self, images: np.ndarray, direction: str | None = None, bits: int | None = None, tile: int | None = None
    ) -> np.ndarray:
        """Translate (N, H, W, C) images as they are, whole or in tiles."""
        direction = self.direction(direction)
        config = self.config.generators[direction]
        height, width = images.shape[1:3]
        padded = _pad(images, config.multiple)
        top, left = (padded.shape[1] - height) // 2, (padded.shape[2] - width) // 2
        if tile is None and height * width > TILED_FROM:
            limit = TILED_FROM if self.generator(direction).graph() else BLENDED_FROM
            tile = TILE if height * width > limit else 0
        if tile:
            network = self.generator(direction)
            whole = [
                translate_tiled(network, image, tile=tile, device=self.device, dtype=self.dtype, bits=bits)
                for image in padded
            ]
            return np.stack(whole)[:, top : top + height, left : left + width]
        batch = to_batch(padded, self.device)
        with torch.inference_mode():
            made = self._run(direction)(batch)
            made = made[:, :, top : top + height, left : left + width]
            return from_batch(made, bits or images.dtype.itemsize * 8)

    def generator(self, direction: str) -> Generator:
        """The network of a direction, on the Translator's device, in evaluation mode."""
        with self._loading:
            if direction not in self._generators:
                network = load_generator(self.folder, direction)
                assert isinstance(network, Generator)
                if self._steady:
                    average_over_frames(network)
                network = network.to(self.device).to(memory_format=torch.channels_last)
                self._generators[direction] = optimise(network, self.device, self.dtype)
            return self._generators[direction]

    def _run(self, direction: Direction) -> Engine:
        """What computes a direction: an engine, or for a film the network itself, whose norms remember the frames."""
        generator = self.generator(direction)
        if self._steady:
            autocast = torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)
            run: Engine = autocast(generator)
            return run
        with self._loading:
            if direction not in self._engines:
                self._engines[direction] = make_engine(
                    self.engine,
                    generator,
                    self.folder,
                    direction,
                    device=self.device,
                    dtype=self.dtype,
                    calibration=self.calibration,
                )
            return self._engines[direction]

    def depth(self, direction: str | None = None) -> Depth | None:
        """How deep a direction's results in files are; None: as deep as what is translated."""
        side = self.config.sides.get("b" if self.direction(direction) == "a2b" else "a")
        if self._depth is None:
            return Depth(side.depth, side.range) if side else None
        wanted: dict[str, Literal[8, 16, "float"]] = {"8": 8, "16": 16, "float": "float"}
        return Depth(wanted[self._depth], side.range if side and side.depth == "float" else (0.0, 1.0))

    def steady(self) -> Translator:
        """A Translator for the frames of one film in their order, by one caller: see `temporal_norm`."""
        other = copy.copy(self)
        other._steady, other._generators, other._loading = True, {}, threading.Lock()
        return other

    def warm_up(self, size: int = 256, direction: str | None = None) -> Self:
        """Read the weights and prepare the kernels for images of size×size pixels, so that the first one is quick."""
        channels = self.config.generators[self.direction(direction)].in_channels
        self.translate_batch(np.zeros((1, size, size, channels), np.uint8), direction)
        return self

    def direction(self, wish: str | None) -> Direction:
        """The direction that a2b, b2a, AtoB or BtoA means; None means the first there is.

        Raises:
            UserError: the checkpoint lacks it.
        """
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
