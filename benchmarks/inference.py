"""How fast does the Translator translate beside the reference implementation's test path, on this machine?

    python benchmarks/inference.py --reference PATH [--size 256] [--rounds 5] [--threads 2] [--checkpoint RESNET_9]
                                   [--compact CHECKPOINT …] [--images FOLDER] [--engines torch openvino …]

PATH is a checkout of pytorch-CycleGAN-and-pix2pix. Its test path is what its `test.py` does with an image in memory:
`TestModel.set_input` and `test` (float32, eager), and the conversion to 8 bits. Ours is one call of the Translator,
from 8-bit pixels to 8-bit pixels, in every engine and precision there is. Each runtime lives in a process of its own
under this one, and they take turns: a round of the one, a round of the next, so that whatever else the machine does
hits all of them.

ResNet-9 has the same weights on both sides. Without --checkpoint they are drawn as the reference draws them, which is
harder on low precision than a trained network (8-bit integers do not hold quality with it): give a trained one where
there is one. The compact generators (ResNet of width 24 with 6 blocks, resize, with and without norms; U-Net of width
24 for 64 pixels) are drawn too where --compact names none. PSNR is that of the 8-bit output against PyTorch's float32,
of the worst of the images (the reference cuts off where we round: 51 dB). Images are FOLDER's, or the horse2zebra ones
beside this checkout, or drawn.

What must hold on two cores: the best engine of ResNet-9 takes at most 0.36 of the reference's time at 45 dB or more;
compact generators make 25 frames a second or more. The exit code is 1 where they do not.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageOps
from reference_checkout import add_reference, find_checkout, import_from
from rich.console import Console
from rich.progress import track
from rich.table import Table

from translate.checkpoints.format import load_generator, save_checkpoint
from translate.checkpoints.reference import net_G, to_reference
from translate.checkpoints.settings import CheckpointConfig
from translate.checkpoints.zoo import resolve
from translate.data.listing import list_images
from translate.devices import choose_device, describe, has_fast_bfloat16
from translate.errors import UserError
from translate.inference.runtimes.engines import ENGINES
from translate.inference.runtimes.quantise import FEWEST, psnr
from translate.inference.translator import Translator
from translate.networks import build_generator, generator_config

SHARE, DECIBELS, FRAMES = 0.36, 45.0, 25.0
"""What must hold: share of the reference's time, PSNR of the 8-bit output, frames a second of compact generators."""
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data" / "horse2zebra" / "valA"
COMPACT = {
    "ResNet, width 24, 6 blocks, resize": {"width": 24, "blocks": 6, "upsample": "resize"},
    "the same, residual, without norms": {
        "width": 24,
        "blocks": 6,
        "upsample": "resize",
        "residual": True,
        "norm": "none",
    },
    "U-Net, width 24, for 64 pixels": {"architecture": "unet", "width": 24, "size": 64},
}
CALIBRATION = "calibration"
MEASURED = 3
"""Images that PSNR is taken of; the rest is what integers are calibrated with."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Side:
    """One of those who take turns."""

    title: str  # of the network
    folder: Path
    engine: str  # "reference" is the reference's own code
    precision: str = "float32"

    @property
    def name(self) -> str:
        """The engine and its precision."""
        return f"{self.engine}, {self.precision}"

    @property
    def process(self) -> str:
        """Sides of one runtime share a process."""
        return self.engine.partition("-")[0]


@dataclass
class Result:
    """What a side did."""

    first: float  # seconds until the first image is translated, conversion included, without imports
    load: float  # the same when it is done again
    pictures: list[Pixels]
    times: list[float]


def reference_test(checkout: Path, folder: Path) -> Callable[[Pixels], Pixels]:
    """The reference's `TestModel` with the weights of a checkpoint, on the CPU."""
    config = CheckpointConfig.model_validate_json((folder / "config.json").read_text(encoding="utf-8"))
    architecture = config.generators["a2b"]
    with contextlib.redirect_stdout(io.StringIO()):
        network = import_from(checkout, "models.networks").define_G(
            architecture.in_channels,
            architecture.out_channels,
            architecture.width,
            net_G(architecture),
            norm=architecture.norm,
            use_dropout=architecture.dropout,
        )
    network.load_state_dict(to_reference(load_generator(folder, "a2b").state_dict(), architecture))
    test_model = import_from(checkout, "models.test_model").TestModel
    to_image = import_from(checkout, "util.util").tensor2im
    model = SimpleNamespace(device=torch.device("cpu"), netG=network, compute_visuals=lambda: None)
    model.forward = lambda: test_model.forward(model)

    def run(pixels: Pixels) -> Pixels:
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float().div(127.5).sub(1.0)
        test_model.set_input(model, {"A": image, "A_paths": []})
        test_model.test(model)
        made: Pixels = to_image(model.fake)
        return made

    return run


def ours(side: Side, calibration: Path) -> Callable[[Pixels], Pixels]:
    """The Translator."""
    translator = Translator(
        side.folder,
        device="cpu",
        precision=side.precision,
        engine=side.engine,
        calibration=calibration if side.engine == "openvino-int8" else None,
    )
    return lambda pixels: translator.translate_batch(pixels[None], "a2b")[0]


def open_side(
    side: Side, checkout: Path, calibration: Path, images: Sequence[Pixels]
) -> tuple[Callable[[Pixels], Pixels], Result]:
    """What translates, and how long it took to get there: the first time, and when what can be kept is kept."""
    waited = []
    for _ in range(2):
        begun = time.perf_counter()
        run = reference_test(checkout, side.folder) if side.engine == "reference" else ours(side, calibration)
        run(images[0])
        waited.append(time.perf_counter() - begun)
    return run, Result(waited[0], waited[1], [run(image) for image in images], [])


def work(pipe: Connection, checkout: Path, scratch: Path, images: list[Pixels], threads: int) -> None:
    """A runtime's process. (side, 0) opens a side and gives its Result, or the reason why not; (side, n) gives the
    seconds of each of n translations; None ends it."""
    torch.set_num_threads(threads)
    os.environ["TRANSLATE_HOME"] = str(scratch / "home")  # what was converted earlier would be ready at once
    runs: dict[Side, Callable[[Pixels], Pixels]] = {}
    for side, count in iter(pipe.recv, None):
        if side not in runs:
            try:
                runs[side], result = open_side(side, checkout, scratch / CALIBRATION, images)
            except (UserError, RuntimeError, OSError) as error:  # a package is missing, quality does not hold …
                pipe.send(str(error).splitlines()[0])
            else:
                pipe.send(result)
            continue
        times = []
        for number in range(count):
            begun = time.perf_counter()
            runs[side](images[number % len(images)])
            times.append(time.perf_counter() - begun)
        pipe.send(times)


def measure(
    sides: Sequence[Side], pipes: Mapping[str, Connection], rounds: int, calls: int
) -> dict[Side, Result | str]:
    """Let these sides take turns; one that cannot run has a reason instead of a result."""
    results: dict[Side, Result | str] = {}
    for side in track(sides, "Preparing", transient=True):  # one by one: it takes all cores
        pipes[side.process].send((side, 0))
        results[side] = pipes[side.process].recv()
    for _ in range(rounds):
        for side, result in results.items():
            if isinstance(result, Result):
                pipes[side.process].send((side, calls))
                result.times += pipes[side.process].recv()
    return results


def load_images(folder: Path | None, size: int, count: int) -> tuple[list[Pixels], str]:
    """Squares of size×size pixels, and what they are."""
    folder = folder or (SHARED_DATA if SHARED_DATA.is_dir() else None)
    if folder is not None:
        paths = list_images(folder)[:count]
        pictures = [ImageOps.fit(Image.open(path).convert("RGB"), (size, size)) for path in paths]
        return [np.asarray(picture) for picture in pictures], f"{len(pictures)} images of {folder.name}"
    drawn = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        image = np.zeros((size, size, 3))
        for cells in (4, 16, 64):  # detail at several sizes, as photographs have it
            noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
            image += np.asarray(noise.resize((size, size), Image.Resampling.BICUBIC)) * (4 / cells) ** 0.5
        drawn.append((image * 255 / image.max()).astype(np.uint8))
    return drawn, "drawn pictures"


def draw(folder: Path, settings: dict[str, Any]) -> Path:
    """A checkpoint whose weights are drawn as the reference draws them."""
    torch.manual_seed(0)
    architecture = generator_config(**settings)
    config = CheckpointConfig(name=folder.name, domains={"a": "A", "b": "B"}, generators={"a2b": architecture})
    return save_checkpoint(folder, config, {"a2b": build_generator(architecture)})


def sides_of(title: str, folder: Path, engines: Iterable[str], brief: bool) -> list[Side]:
    """Our sides for a network: all, or in brief only the best precision of an engine that may be the fastest.

    PyTorch's float32 comes first: PSNR is measured against it.
    """
    precisions = ["float32"] + (["bfloat16"] if has_fast_bfloat16(torch.device("cpu")) else [])
    sides = [Side(title, folder, "torch", precision) for precision in precisions]
    for engine in engines:
        if engine == "onnxruntime" and not brief:
            sides.append(Side(title, folder, engine))
        elif engine == "openvino":
            sides += [Side(title, folder, engine, precision) for precision in precisions[-1 if brief else 0 :]]
        elif engine == "openvino-int8":
            sides.append(Side(title, folder, engine, precisions[-1]))
    return sides


def report(
    console: Console, title: str, results: Mapping[Side, Result | str], reference: Result | None
) -> tuple[float, float]:
    """Print a network's table; gives the least share of the reference's time at DECIBELS, and the most frames there."""
    table = Table("", "ms an image", "of the reference", "frames/s", "PSNR, dB", "ready after, again, s", title=title)
    exact = next(result for result in results.values() if isinstance(result, Result) and result is not reference)
    share, frames = float("inf"), 0.0
    for side, result in results.items():
        if isinstance(result, str):
            table.add_row(side.name, result, "", "", "", "")
            continue
        median = statistics.median(result.times)
        quality = min(psnr(*pair) for pair in zip(result.pictures, exact.pictures, strict=True))
        of = median / statistics.median(reference.times) if reference else float("nan")
        if result is not reference and quality >= DECIBELS:
            share, frames = min(share, of), max(frames, 1 / median)
        table.add_row(
            side.name,
            f"{median * 1e3:.1f} ({min(result.times) * 1e3:.1f}–{max(result.times) * 1e3:.1f})",
            f"{of:.3f}" if reference else "",
            f"{1 / median:.1f}",
            f"{quality:.1f}",
            f"{result.first:.1f}, {result.load:.1f}",
        )
    console.print(table)
    return share, frames


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print a table a network."""
    parser = argparse.ArgumentParser(description="Time our Translator beside the reference implementation's test path.")
    add_reference(parser)
    parser.add_argument("--size", type=int, default=256, help="pixels of the square images")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=3, help="images a round")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument("--width", type=int, default=64, help="filters of the drawn ResNet-9")
    parser.add_argument("--checkpoint", help="a trained ResNet-9; drawn weights where not given")
    parser.add_argument("--compact", nargs="*", help="trained compact checkpoints; drawn ones where not given")
    parser.add_argument("--images", type=Path, help="folder of images to measure and calibrate with")
    parser.add_argument("--engines", nargs="*", default=list(ENGINES), choices=ENGINES, help="besides torch")
    given = parser.parse_args(arguments)
    checkout = find_checkout(parser, given.reference)
    console = Console(width=120)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        images, what = load_images(given.images, given.size, MEASURED + 4 * FEWEST)
        (scratch / CALIBRATION).mkdir()
        for number, image in enumerate(images[MEASURED:]):
            Image.fromarray(image).save(scratch / CALIBRATION / f"{number:03d}.png")
        machine = describe(choose_device("cpu")).partition(",")[0]
        console.print(f"{given.size}×{given.size} pixels, {what}, {given.threads} threads; {machine}")

        resnet = resolve(given.checkpoint) if given.checkpoint else draw(scratch / "resnet-9", {"width": given.width})
        networks = {"ResNet-9": resnet}
        if given.compact:
            networks |= {checkpoint: resolve(checkpoint) for checkpoint in given.compact}
        elif given.compact is None:
            networks |= {
                title: draw(scratch / f"compact-{number}", settings)
                for number, (title, settings) in enumerate(COMPACT.items())
            }
        sides = {
            title: sides_of(title, folder, given.engines, brief=title != "ResNet-9")
            for title, folder in networks.items()
        }
        sides["ResNet-9"].append(Side("ResNet-9", resnet, "reference"))
        context = multiprocessing.get_context("spawn")
        pipes: dict[str, Connection] = {}
        processes = []
        for process in sorted({side.process for group in sides.values() for side in group}):
            pipes[process], theirs = context.Pipe()
            words = (theirs, checkout, scratch, images[:MEASURED], given.threads)
            processes.append(context.Process(target=work, args=words, daemon=True))
            processes[-1].start()
        held = True
        for title, group in sides.items():
            results = measure(group, pipes, given.rounds, given.calls)
            last = results.get(Side(title, networks[title], "reference"))
            reference = last if isinstance(last, Result) else None
            share, frames = report(console, title, results, reference)
            if title == "ResNet-9":
                held &= share <= SHARE
                console.print(
                    f"The fastest at {DECIBELS:g} dB takes {share:.3f} of the reference's time (≤ {SHARE:g}).\n"
                )
            else:
                held &= frames >= FRAMES
                console.print(f"{frames:.1f} frames a second at {DECIBELS:g} dB (≥ {FRAMES:g}).\n")
        for pipe in pipes.values():
            pipe.send(None)
        for worker in processes:
            worker.join()
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
