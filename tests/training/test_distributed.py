"""Several processes: the run of one process with the batches of all, written once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY, tiny_settings
from translate.config import TrainConfig
from translate.tracking.history import read_history
from translate.training.trainer import train

NAMES = {
    "pix2pix": ("D_real", "D_fake", "G_GAN", "G_L1"),
    "cyclegan": ("G_A", "G_B", "cycle_A", "cycle_B", "idt_A", "idt_B", "D_A", "D_B"),
}


def torchrun(tree: dict[str, Any], file: Path, processes: int, *words: str) -> None:
    file.write_text(yaml.safe_dump(tree))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += ["-m", "translate", "train", str(file), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def settings(model: str, root: Path, run: Path, batch_size: int) -> dict[str, Any]:
    tree = tiny_settings(model, root, run, run__steps=4, run__save_every=2, run__precision="float32")
    tree["optim"] = {"batch_size": batch_size}
    # Batch norm and dropout see each process's own images; without them the processes add up exactly.
    tree["model"]["generator"] = tree["model"]["generator"] | {"norm": "instance", "dropout": False}
    tree["model"]["discriminator"] = tree["model"]["discriminator"] | {"norm": "instance"}
    if model == "cyclegan":
        tree["model"]["pool_size"] = 3
    return tree


@pytest.mark.slow
@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_two_processes_are_one_with_twice_the_batch(model: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    root: Path = request.getfixturevalue("paired" if model == "pix2pix" else "unpaired")
    whole = read_history(train(TrainConfig.build(settings(model, root, tmp_path / "one", 2))) / "history.jsonl")
    # Two processes for two steps, then the rest in one: a run resumes with another number of processes.
    tree = settings(model, root, tmp_path / "two", 1)
    tree["run"] |= {"steps": 2}
    tree["optim"] |= {"schedule": "constant"}
    torchrun(tree, tmp_path / "train.yaml", 2)
    tree["run"] |= {"steps": 4}
    tree["optim"] |= {"batch_size": 2}
    train(TrainConfig.build(tree), resume=True)
    rows = read_history(tmp_path / "two" / "history.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 4]  # written once
    for row, wanted in zip(rows[:3], whole[:3], strict=True):
        for name in NAMES[model]:
            assert row[name] == pytest.approx(wanted[name], rel=1e-3), (row["step"], name)
    assert len(list((tmp_path / "two" / "state").iterdir())) == 2
    assert len(list((tmp_path / "two" / "samples").iterdir())) == 2
