"""Several processes: the run of one process with the batches of all, written once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
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


ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def commands(launcher: str) -> list[list[str]]:
    """How two processes are started: by one command, or by one on each of two nodes."""
    torchrun = [sys.executable, "-m", "torch.distributed.run"]
    if launcher == "torchrun":
        return [[*torchrun, "--standalone", "--nproc-per-node", "2", "-m", "translate"]]
    if launcher == "accelerate":
        accelerate = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"]
        return [[*accelerate, "--main_process_port", str(free_port()), "-m", "translate"]]
    rendezvous = ["--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{free_port()}", "--rdzv-id", "test"]
    node = [*torchrun, "--nnodes", "2", "--nproc-per-node", "1", *rendezvous, "-m", "translate"]
    return [node, node]


def free_port() -> int:
    with socket.create_server(("localhost", 0)) as server:
        return int(server.getsockname()[1])


def start(launcher: str, tree: dict[str, Any], file: Path) -> list[subprocess.Popen[str]]:
    file.write_text(yaml.safe_dump(tree))
    return [
        subprocess.Popen(
            [*command, "train", str(file)], cwd=REPOSITORY, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True
        )
        for command in commands(launcher)
    ]


def run(launcher: str, tree: dict[str, Any], file: Path) -> None:
    started = start(launcher, tree, file)
    for process in started:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors


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
@pytest.mark.parametrize(
    ("model", "launcher"), [("pix2pix", "torchrun"), ("cyclegan", "accelerate"), ("cyclegan", "two nodes")]
)
def test_two_processes_are_one_with_twice_the_batch(
    model: str, launcher: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root: Path = request.getfixturevalue("paired" if model == "pix2pix" else "unpaired")
    whole = read_history(train(TrainConfig.build(settings(model, root, tmp_path / "one", 2))) / "history.jsonl")
    # Two processes for two steps, then the rest in one: a run resumes with another number of processes.
    tree = settings(model, root, tmp_path / "two", 1)
    tree["run"] |= {"steps": 2}
    tree["optim"] |= {"schedule": "constant"}
    run(launcher, tree, tmp_path / "train.yaml")
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


@pytest.mark.slow
def test_a_killed_process_ends_the_run_in_words_and_the_run_goes_on_with_one(unpaired: Path, tmp_path: Path) -> None:
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=3000, run__compile="off")
    (launched,) = start("torchrun", tree, tmp_path / "train.yaml")
    history = tmp_path / "run" / "history.jsonl"
    patience = time.monotonic() + 120
    while len(read_history(history)) < 4 and time.monotonic() < patience:
        time.sleep(0.2)
    victims = [child for child in psutil.Process(launched.pid).children() if child.environ().get("RANK") == "1"]
    victims[0].kill()
    _, errors = launched.communicate(timeout=120)
    assert launched.returncode != 0
    assert "Another process of this run has ended" in errors and "--resume" in errors
    assert "RuntimeError" not in errors

    reached = read_history(history)[-1]["step"]
    tree["run"] |= {"steps": reached + 2}
    train(TrainConfig.build(tree), resume=True)
    assert [row["step"] for row in read_history(history)] == list(range(1, reached + 3))
