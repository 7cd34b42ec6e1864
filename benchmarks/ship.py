"""Make a built-in checkpoint of a training run: half precision, example pictures and what it makes of them.

    python benchmarks/ship.py RUN NAME [--summary TEXT] [--limits TEXT] [--directions a2b b2a]
    translate evaluate translate/checkpoints/weights/NAME DATA --classifier FOLDER --record

RUN may be the built-in checkpoint itself, to show other examples. They are those of datasets/NAME/examples, whose
licences are in datasets/PICTURES.md. An example is for b2a where its file is named after the second domain, else for
a2b; so are drawings.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file

from translate.checkpoints.architecture import empty_generator
from translate.checkpoints.folder import read_config, weights_file
from translate.checkpoints.format import save_checkpoint, write_config
from translate.checkpoints.settings import CheckpointConfig
from translate.checkpoints.zoo import resolve
from translate.config import TrainConfig
from translate.inference.translator import Translator
from translate.settings import Direction

ROOT = Path(__file__).parent.parent
WEIGHTS = ROOT / "translate" / "checkpoints" / "weights"
LONGEST = 512
"""Pixels of an example's longer side."""


def reader_of(example: Path, config: CheckpointConfig) -> Direction:
    """The direction that reads this example: b2a where its file is named after the second domain, else a2b."""
    return "b2a" if example.stem.split("-")[0] in config.domains["b"].lower().split() else "a2b"


def trained(folder: Path, config: CheckpointConfig, direction: Direction) -> torch.nn.Module:
    """The generator as it is on disk, batch norm's running averages included."""
    generator = empty_generator(config.generators[direction])
    generator.load_state_dict(load_file(weights_file(folder, direction)), assign=True)
    return generator


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the folder."""
    parser = argparse.ArgumentParser(description="Make a built-in checkpoint of a training run.")
    parser.add_argument("run", type=Path, help="a run's folder, or one of its checkpoints")
    parser.add_argument("name", help="what it is called: the data set's name")
    parser.add_argument("--summary", default="", help="one line on what it does")
    parser.add_argument("--limits", default="", help="one line on what it cannot do")
    parser.add_argument(
        "--directions",
        nargs="+",
        choices=("a2b", "b2a"),
        help="the first is what it does unasked; as in the run where not given",
    )
    given = parser.parse_args(arguments)

    source, target = resolve(given.run), WEIGHTS / given.name
    config = read_config(source)
    directions = given.directions or list(config.generators)
    examples = sorted((ROOT / "datasets" / given.name / "examples").glob("*"))
    preset = TrainConfig.load(ROOT / "datasets" / given.name / "compact.yaml")
    about = config.provenance.model_copy(update={"license": config.provenance.license or preset.license})
    config = config.model_copy(
        update={
            "name": given.name,
            "summary": given.summary or config.summary,
            "limits": given.limits or config.limits,
            "generators": {way: config.generators[way] for way in directions},
            "examples": [f"examples/{example.name}" for example in examples],
            "drawing": config.drawing or preset.drawing,
            "provenance": about,
        }
    )
    networks = {way: trained(source, config, way) for way in directions}  # before the folder goes: it may be the source
    shutil.rmtree(target, ignore_errors=True)
    save_checkpoint(target, config, networks, dtype=torch.float16)
    translator = Translator(target)
    for folder in ("examples", "samples"):
        (target / folder).mkdir()
    for example in examples:
        shutil.copy(example, target / "examples")
        with Image.open(example) as picture:
            before = picture.convert("RGB")
        before.thumbnail((LONGEST, LONGEST))
        way = reader_of(example, config)
        after = translator(before, way if way in directions else directions[0])
        for moment, shown in (("before", before), ("after", after)):
            shown.save(target / "samples" / f"{example.stem}_{moment}.webp", quality=88, method=6)
    write_config(target, read_config(target))  # the card again, now that there are samples to show
    size = sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    print(f"{target}: {size / 1e6:.2f} MB, {', '.join(directions)}, {len(examples)} examples")
    return 0


if __name__ == "__main__":
    sys.exit(main())
