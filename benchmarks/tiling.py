"""Are tiles exact, and how much memory and time do they take?

    python benchmarks/tiling.py [--checkpoint RESNET] [--size 6000 4000] [--check 2048 1536] [--threads 2]
                                [--picture PHOTO] [--only accuracy large]

Without --checkpoint it is a ResNet-9 of width 64 with drawn weights, which pass errors of a norm on more than trained
ones do. Without --picture it is the example pictures of datasets/ side by side, made as large as is asked for. Every
pass runs in a process of its own, so that its peak memory is its own; float32 on the CPU throughout.

Two parts, each with what must hold:

- accuracy: tiles beside the whole pass in float64 and in float32, where these fit memory: at most 1 grey level. The
  float32 pass is in the contiguous layout; in channels_last, where PyTorch's norms drift, it is measured too.
- large: tiles of two sizes beside each other: at most 1 level, 3 GB at most, and at most 1.6 times what a pass over
  512×512 pixels takes, by area.

The exit code is 1 where something does not hold. 6000×4000 pixels are 36 TFLOP a pass.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.nn import functional as F

from translate.checkpoints.format import load_generator
from translate.checkpoints.zoo import resolve
from translate.data.listing import list_images
from translate.data.tensors import to_pixels, to_tensor
from translate.devices import choose_device, describe, peak_memory
from translate.inference.tiling import translate_tiled
from translate.kernels.optimise import optimise
from translate.networks import build_generator, generator_config
from translate.networks.generator import Generator

LEVELS, GIGABYTES, TIMES = 1, 3.0, 1.6
"""What must hold: largest difference, peak memory, time by area."""
YARDSTICK = 512
"""Side of the image whose whole pass time is measured by: large enough to fill the processor, and it fits its caches as
well or as badly as a tile does."""
PARTS = ("accuracy", "large")
EXAMPLES = Path(__file__).parents[1] / "datasets"

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Pass:
    """One way through the network."""

    source: Path  # .npy of (H, W, C) uint8
    target: Path
    checkpoint: str | None
    width: int
    threads: int
    tile: int  # 0: whole
    double: bool = False  # the whole pass in float64
    contiguous: bool = False  # the whole pass in the contiguous layout
    repeats: int = 1  # of which the fastest counts


@dataclass(frozen=True)
class Result:
    """What it took."""

    seconds: float
    peak: int  # bytes, all of the process

    @property
    def gigabytes(self) -> float:
        """Peak memory."""
        return self.peak / 1e9


def generator_of(checkpoint: str | None, width: int) -> Generator:
    """A checkpoint's generator (its first direction), or a ResNet-9 with drawn weights."""
    if checkpoint is None:
        torch.manual_seed(0)
        generator: nn.Module = build_generator(generator_config(width=width))
    else:
        folder = resolve(checkpoint)
        generator = load_generator(folder, "a2b" if (folder / "a2b.safetensors").exists() else "b2a")
    assert isinstance(generator, Generator)
    return generator.eval()


class Strips(nn.Module):
    """A reflecting convolution of stride 1 a few rows at a time: in float64 PyTorch unfolds its input, 79 GB of it."""

    def __init__(self, conv: nn.Conv2d, rows: int = 32) -> None:
        super().__init__()
        self.conv, self.rows = conv, rows

    def forward(self, features: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C', H, W)."""
        margin, height = int(self.conv.padding[0]), features.shape[2]
        padded = F.pad(features, [margin] * 4, self.conv.padding_mode)
        ends = [(top, min(top + self.rows, height) + 2 * margin) for top in range(0, height, self.rows)]
        strips = [F.conv2d(padded[:, :, top:end], self.conv.weight, self.conv.bias) for top, end in ends]
        return torch.cat(strips, dim=2)


def work(one: Pass, pipe: Any) -> None:
    """A pass's process."""
    torch.set_num_threads(one.threads)
    dtype = torch.float64 if one.double else torch.float32
    layout = torch.contiguous_format if one.contiguous else torch.channels_last
    generator = generator_of(one.checkpoint, one.width).to(dtype).to(memory_format=layout)
    optimise(generator, torch.device("cpu"), dtype)
    if one.double and isinstance(generator.head, nn.Conv2d):
        generator.add_module("head", Strips(generator.head))
    image = np.load(one.source, mmap_mode="r")
    times = []
    for _ in range(one.repeats):
        begun = time.perf_counter()
        if one.tile:
            out = np.lib.format.open_memmap(one.target, "w+", np.uint8, image.shape)
            translate_tiled(generator, image, out=out, tile=one.tile)
        else:
            with torch.inference_mode():
                batch = to_tensor(np.array(image))[None].to(dtype, memory_format=layout)
                np.save(one.target, to_pixels(generator(batch)[0]))
        times.append(time.perf_counter() - begun)
    pipe.send(Result(min(times), peak_memory()))


def run(one: Pass) -> Result:
    """Carry out a pass in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(one, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        result: Result = ours.recv()
    except EOFError:
        raise SystemExit(f"The pass with tiles of {one.tile} pixels ended without a result.") from None
    process.join()
    return result


def differences(one: Path, other: Path) -> tuple[int, float]:
    """The largest and the mean difference of two images in levels; rows at a time, for they may be large."""
    first, second = np.load(one, mmap_mode="r"), np.load(other, mmap_mode="r")
    largest, total = 0, 0
    for start in range(0, len(first), 256):
        apart = np.abs(first[start : start + 256].astype(np.int16) - second[start : start + 256])
        largest, total = max(largest, int(apart.max())), total + int(apart.sum(dtype=np.int64))
    return largest, total / first.size


def mosaic(width: int, height: int) -> Pixels:
    """The example pictures of datasets/ side by side, as large as this."""
    paths = [path for folder in sorted(EXAMPLES.glob("*/examples")) for path in list_images(folder)]
    columns = int(np.ceil(len(paths) ** 0.5))
    rows = -(-len(paths) // columns)
    cell = (-(-width // columns), -(-height // rows))
    sheet = Image.new("RGB", (cell[0] * columns, cell[1] * rows))
    for number in range(columns * rows):  # the last row is filled up with the first pictures
        picture = Image.open(paths[number % len(paths)]).convert("RGB")
        place = (number % columns * cell[0], number // columns * cell[1])
        sheet.paste(ImageOps.fit(picture, cell, Image.Resampling.BICUBIC), place)
    return np.asarray(sheet.crop((0, 0, width, height)))


def load_picture(path: Path | None, size: tuple[int, int] | None) -> Pixels:
    """A photograph, or the mosaic where there is none; of this size, or its own with sides cut to multiples of 4."""
    if path is None:
        return mosaic(*(size or (4000, 3000)))
    picture = Image.open(path).convert("RGB")
    if size is not None:
        return np.asarray(ImageOps.fit(picture, size, Image.Resampling.BICUBIC))
    return np.asarray(picture)[: picture.height // 4 * 4, : picture.width // 4 * 4]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print a table, and say what does not hold."""
    parser = argparse.ArgumentParser(description="Accuracy, memory and time of tiles.")
    parser.add_argument("--checkpoint", help="name or folder; a ResNet-9 with drawn weights where not given")
    parser.add_argument("--width", type=int, default=64, help="filters of the drawn one")
    parser.add_argument("--picture", type=Path, help="photograph, instead of the mosaic")
    parser.add_argument("--size", type=int, nargs=2, default=(6000, 4000), metavar=("W", "H"), help="the large image")
    parser.add_argument("--check", type=int, nargs=2, default=(2048, 1536), metavar=("W", "H"), help="the whole pass")
    parser.add_argument("--tiles", type=int, nargs=2, default=(512, 384), help="pixels of a tile's side")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    given = parser.parse_args(arguments)
    console = Console(width=120)
    network = given.checkpoint or f"ResNet-9 of width {given.width}, drawn"
    console.print(f"{network}; {describe(choose_device('cpu')).partition(',')[0]}, {given.threads} threads, float32")
    table = Table("", "s", "peak GB", "largest, levels", "mean, levels")
    missed: list[str] = []

    def must(held: bool, what: str) -> None:
        if not held:
            missed.append(what)

    with tempfile.TemporaryDirectory(dir="/var/tmp" if Path("/var/tmp").is_dir() else None) as name:
        scratch = Path(name)
        settings = (given.checkpoint, given.width, given.threads)

        def save(stem: str, pixels: Pixels) -> Path:
            np.save(scratch / f"{stem}.npy", pixels)
            return scratch / f"{stem}.npy"

        def row(title: str, one: Pass, against: Path | None = None) -> tuple[Result, int, float]:
            result = run(one)
            largest, mean = (0, 0.0) if against is None else differences(one.target, against)
            found = ("", "") if against is None else (str(largest), f"{mean:.3f}")
            table.add_row(title, f"{result.seconds:.1f}", f"{result.gigabytes:.2f}", *found)
            console.log(f"{title}: {result.seconds:.1f} s, {result.gigabytes:.2f} GB {' '.join(found)}")
            return result, largest, mean

        if "accuracy" in given.only:
            source = save("check", load_picture(given.picture, tuple(given.check)))
            size = "×".join(map(str, given.check))
            kinds = ("double", "contiguous", "channels-last", "tiled")
            double, plain, drifting, tiled = (scratch / f"check-{kind}.npy" for kind in kinds)
            row(f"{size}, whole, float64", Pass(source, double, *settings, tile=0, double=True))
            row(f"{size}, whole, channels_last", Pass(source, drifting, *settings, tile=0), double)
            row(f"{size}, whole, contiguous", Pass(source, plain, *settings, tile=0, contiguous=True), double)
            _, largest, _ = row(f"{size}, tiles", Pass(source, tiled, *settings, tile=given.tiles[0]), double)
            largest = max(largest, differences(tiled, plain)[0])
            must(largest <= LEVELS, f"tiles differ by {largest} levels from the whole pass")
        if "large" in given.only:
            small = save("small", load_picture(given.picture, (YARDSTICK, YARDSTICK)))
            measure = Pass(small, scratch / "small-made.npy", *settings, tile=0, repeats=3)
            yardstick = row(f"{YARDSTICK}×{YARDSTICK}, whole", measure)[0].seconds
            source = save("large", load_picture(given.picture, tuple(given.size)))
            size, area = "×".join(map(str, given.size)), given.size[0] * given.size[1] / YARDSTICK**2
            made = [scratch / f"large-{tile}.npy" for tile in given.tiles]
            passes = [Pass(source, target, *settings, tile) for target, tile in zip(made, given.tiles, strict=True)]
            result, _, _ = row(f"{size}, tiles of {given.tiles[0]}", passes[0])
            again, largest, _ = row(f"{size}, tiles of {given.tiles[1]}", passes[1], made[0])
            times = result.seconds / (yardstick * area)
            table.add_row("by area, of the small image", f"× {times:.2f}", "", "", "")
            must(largest <= LEVELS, f"tiles of two sizes differ by {largest} levels")
            must(max(result.gigabytes, again.gigabytes) <= GIGABYTES, f"memory exceeds {GIGABYTES:g} GB")
            must(times <= TIMES, f"a large image takes {times:.2f} times its share of a small one's time")
    console.print(table)
    for what in missed:
        console.print(f"Missed: {what}.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
