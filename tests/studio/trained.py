"""Run folders as a training leaves them, made in no time."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import psutil
from PIL import Image

from tests.conftest import TINY_MODEL, picture
from tests.studio.tiny import tiny_checkpoint
from translate.config import TrainConfig
from translate.runs.processes import NOTE_FILE, Note


def trained_run(runs: Path, name: str, steps: int = 40, model: str = "cyclegan", **settings: Any) -> Path:
    """A finished run of `steps` steps with a row every second one, two sheets and a checkpoint.

    `settings` are dotted, with __ for dots, and override its config.
    """
    run = runs / name
    (run / "samples").mkdir(parents=True)
    tree = {
        "name": name,
        "title": name.replace("-", " ").capitalize(),
        "model": {"name": model, **TINY_MODEL},
        "data": {"root": "pictures", "domain_A": "horse", "domain_B": "zebra", "crop_size": 32, "load_size": 36},
        "run": {"dir": str(run), "steps": steps, "log_every": 2, "device": "cpu"},
        "tracking": {"mode": "disabled"},
    }
    overrides = {key.replace("__", "."): value for key, value in settings.items()}
    TrainConfig.build(tree, overrides).save(run / "config.yaml")
    names = (
        ("G_GAN", "G_L1", "D_real", "D_fake")
        if model == "pix2pix"
        else ("G_A", "G_B", "cycle_A", "cycle_B", "D_A", "D_B")
    )
    with (run / "history.jsonl").open("w", encoding="utf-8") as file:
        for step in range(2, steps + 1, 2):
            losses = {loss: 1 / (1 + place) + math.exp(-step / 20) for place, loss in enumerate(names)}
            pace = {"step_seconds": 0.5, "images_per_second": 2.0, "elapsed_seconds": step / 2, "memory_gb": 0.5}
            file.write(json.dumps({"step": step, "epoch": step / 10} | losses | pace) + "\n")
    for number, step in enumerate((steps // 2, steps)):
        sheet = Image.new("RGB", (3 * 32 + 8, 4 * 32 + 12), "white")
        for place in range(12):
            tile = picture(100 * number + place, (32, 32))
            sheet.paste(tile, (place % 3 * 36, place // 3 * 36))
        sheet.save(run / "samples" / f"step-{step:08d}.png")
    tiny_checkpoint(run / "checkpoints" / f"step-{steps:08d}", name=name, title=str(tree["title"]))
    note(run, outcome="finished")
    return run


def note(run: Path, **changes: Any) -> None:
    """Say in the run folder that this very process trains there, unless `changes` say otherwise."""
    me = psutil.Process(os.getpid())
    about = Note(me.pid, me.create_time()).__dict__ | changes
    (run / NOTE_FILE).write_text(json.dumps(about), encoding="utf-8")
