"""A training run from outside: what it leaves behind, and that nothing can stop it from being gone on with, exactly."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.conftest import REPOSITORY, tiny_settings
from translate.checkpoints.folder import read_config
from translate.checkpoints.format import load_generator
from translate.config import TrainConfig
from translate.errors import UserError
from translate.tracking.history import read_history
from translate.training import trainer
from translate.training.learner import Learner
from translate.training.trainer import train

LOSSES = {
    "pix2pix": {"D_real", "D_fake", "G_GAN", "G_L1", "G_total"},
    "cyclegan": {"G_A", "G_B", "cycle_A", "cycle_B", "idt_A", "idt_B", "D_A", "D_B", "G_total"},
}


def folder_for(model: str, request: pytest.FixtureRequest) -> Path:
    folder: Path = request.getfixturevalue("paired" if model == "pix2pix" else "unpaired")
    return folder


def losses(run: Path, model: str) -> dict[int, dict[str, float]]:
    """The losses of a run by step."""
    rows = read_history(run / "history.jsonl")
    return {row["step"]: {name: row[name] for name in LOSSES[model]} for row in rows}


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_a_run_leaves_what_the_docs_promise(model: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    tree = tiny_settings(model, folder_for(model, request), tmp_path / "run")
    tree["data"] |= {"domain_A": "day", "domain_B": "night", "direction": "b2a"}
    run = train(TrainConfig.build(tree))
    assert TrainConfig.load(run / "config.yaml") == TrainConfig.build(tree)
    rows = read_history(run / "history.jsonl")
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert LOSSES[model] | {"epoch", "lr", "images_per_second", "step_seconds", "data_seconds"} <= rows[0].keys()
    assert sorted(path.name for path in (run / "samples").iterdir()) == ["step-00000004.png", "step-00000006.png"]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["step-00000003", "step-00000006"]
    config = read_config(run / "checkpoints" / "step-00000006")
    assert config.domains == {"a": "night", "b": "day"}
    assert (config.provenance.steps, config.provenance.model) == (6, model)
    assert set(config.generators) == ({"a2b"} if model == "pix2pix" else {"a2b", "b2a"})
    assert config.statistics == ("image" if model == "pix2pix" else "running")
    for direction in config.generators:
        load_generator(run / "checkpoints" / "step-00000006", direction)


def test_pix2pix_learns_the_negative(paired: Path, tmp_path: Path) -> None:
    tree = tiny_settings("pix2pix", paired, tmp_path / "run", run__steps=150, run__log_every=10, run__samples=0)
    tree["model"]["generator"] = {"width": 8, "blocks": 0, "downsamplings": 1, "architecture": "resnet", "norm": "none"}
    tree["model"]["generator"] |= {"dropout": False, "init": "kaiming"}
    tree["optim"] = {"lr": 2e-3}
    history = read_history(train(TrainConfig.build(tree)) / "history.jsonl")
    assert history[-1]["G_L1"] < 0.35 * history[0]["G_L1"]


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
@pytest.mark.parametrize("stopped_after", [3, 4])
def test_stopped_and_resumed_is_the_run_never_stopped(
    model: str, stopped_after: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    root = folder_for(model, request)
    # Kaleidoscopic, but in every respect a run: augmentations, dropout, image pool, moving average, decaying rate.
    extra: dict[str, Any] = {"data__augment": [{"Rotate": {"limit": 5}}], "run__steps": 10}
    whole = train(TrainConfig.build(tiny_settings(model, root, tmp_path / "whole", **extra)))
    tree = tiny_settings(model, root, tmp_path / "parts", **extra)
    tree["run"]["save_every"] = stopped_after

    class Interrupted(Exception):
        pass

    # The state of step `stopped_after` is on disk and the next step is under way when the process goes away.
    original = trainer.train_step

    def die(learner: Learner, batch: Any, step: int, lr_factor: float = 1.0) -> Any:
        if step == stopped_after + 1:
            raise Interrupted
        return original(learner, batch, step, lr_factor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "train_step", die)
        with pytest.raises(Interrupted):
            train(TrainConfig.build(tree))
    train(TrainConfig.build(tree), resume=True)
    assert losses(tmp_path / "parts", model) == losses(whole, model)
    for direction in ("a2b", "b2a") if model == "cyclegan" else ("a2b",):
        first = load_generator(whole / "checkpoints" / "step-00000010", direction).state_dict()
        second = load_generator(tmp_path / "parts" / "checkpoints" / "step-00000010", direction).state_dict()
        assert all((first[name] == second[name]).all() for name in first)


def start(tree: dict[str, Any], file: Path, *words: str) -> subprocess.Popen[str]:
    file.write_text(yaml.safe_dump(tree))
    command = [sys.executable, "-m", "translate", "train", str(file), *words]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@pytest.mark.slow
@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_killed_at_random_moments_and_resumed(model: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """SIGKILL three times between the first save and step 60: the losses are, bit for bit, those of one run."""
    root = folder_for(model, request)
    length: dict[str, Any] = {"run__steps": 60, "run__save_every": 7, "run__sample_every": 25}
    whole = train(TrainConfig.build(tiny_settings(model, root, tmp_path / "whole", **length)))
    tree = tiny_settings(model, root, tmp_path / "killed", **length)
    history = tmp_path / "killed" / "history.jsonl"
    rng = random.Random()
    kills = sorted(rng.sample(range(10, 57), 3))
    for number, kill in enumerate(kills):
        process = start(tree, tmp_path / "train.yaml", *(["--resume"] if number else []))
        while process.poll() is None:
            if history.exists() and len(history.read_bytes().splitlines()) >= kill:
                break
            time.sleep(0.002)
        time.sleep(rng.random() * 0.02)  # anywhere in a step, a save or a sheet of samples
        process.kill()
        process.communicate()
    process = start(tree, tmp_path / "train.yaml", "--resume")
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert losses(tmp_path / "killed", model) == losses(whole, model), f"killed at {kills}"


@pytest.mark.slow
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_saves_and_leaves(signum: int, code: int, unpaired: Path, tmp_path: Path) -> None:
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=100_000, run__save_every=100_000)
    tree["run"]["compile"] = "off"
    process = start(tree, tmp_path / "train.yaml")
    history = tmp_path / "run" / "history.jsonl"
    while not read_history(history) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signum)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code, output
    last = read_history(history)[-1]["step"]
    saved = [int(path.name.removeprefix("step-")) for path in (tmp_path / "run" / "state").iterdir()]
    assert saved == [last]
    assert "--resume" in output
    assert "Traceback" not in output


def test_a_folder_with_a_run_is_not_overwritten(unpaired: Path, tmp_path: Path) -> None:
    config = TrainConfig.build(tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=1))
    train(config)
    with pytest.raises(UserError, match="already holds a run"):
        train(config)


def test_resuming_a_finished_run_trains_no_further_and_a_longer_one_goes_on(unpaired: Path, tmp_path: Path) -> None:
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=2)
    train(TrainConfig.build(tree))
    train(TrainConfig.build(tree), resume=True)
    assert [row["step"] for row in read_history(tmp_path / "run" / "history.jsonl")] == [1, 2]
    tree["run"]["steps"] = 4
    train(TrainConfig.build(tree), resume=True)
    assert [row["step"] for row in read_history(tmp_path / "run" / "history.jsonl")] == [1, 2, 3, 4]


def test_a_torn_state_costs_only_the_steps_since_the_one_before(unpaired: Path, tmp_path: Path) -> None:
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=6)
    whole = losses(train(TrainConfig.build(tree)), "cyclegan")
    (tmp_path / "run" / "state" / "step-00000006" / "tensors.safetensors").write_bytes(b"torn")
    train(TrainConfig.build(tree), resume=True)
    assert losses(tmp_path / "run", "cyclegan") == whole


def test_a_run_fine_tunes_a_checkpoint_and_resumes_its_own_weights(unpaired: Path, tmp_path: Path) -> None:
    first = TrainConfig.build(tiny_settings("cyclegan", unpaired, tmp_path / "first"))
    train(first)
    settings = {"run__start_from": str(tmp_path / "first"), "run__steps": 3}
    second = TrainConfig.build(tiny_settings("cyclegan", unpaired, tmp_path / "second", **settings))
    train(second)
    fresh = TrainConfig.build(tiny_settings("cyclegan", unpaired, tmp_path / "fresh", run__steps=3))
    train(fresh)
    tuned, new = losses(tmp_path / "second", "cyclegan"), losses(tmp_path / "fresh", "cyclegan")
    assert tuned[1]["cycle_A"] != new[1]["cycle_A"]
    card = (tmp_path / "second" / "checkpoints" / "step-00000003" / "README.md").read_text()
    assert f"Started from: {tmp_path / 'first'}" in card
    second.run.steps = 6
    second.run.start_from = "no-such-checkpoint"  # not looked for again: the run has weights of its own
    train(second, resume=True)
    assert max(losses(tmp_path / "second", "cyclegan")) == 6


def test_a_state_of_another_model_is_refused(unpaired: Path, tmp_path: Path) -> None:
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=1)
    train(TrainConfig.build(tree))
    tree["model"]["generator"] = {"width": 8, "blocks": 2}
    with pytest.raises(UserError, match="other networks"):
        train(TrainConfig.build(tree), resume=True)


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_good_state(unpaired: Path, tmp_path: Path) -> None:
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=50, run__save_every=1)
    tree["run"]["log_every"] = 50
    tree["model"] |= {"objective": "wgan_gp"}
    tree["optim"] = {"lr": 1e18, "schedule": "constant"}
    with pytest.raises(UserError, match="no longer a number"):
        train(TrainConfig.build(tree))
    tree["optim"]["lr"] = 1e-4
    tree["run"]["steps"] = 1
    train(TrainConfig.build(tree), resume=True)  # the state left is a whole one
    rows = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert all(np.isfinite(row["G_total"]) for row in rows)


def test_unreadable_images_are_named_and_counted(
    unpaired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (unpaired / "trainA" / "0.png").write_bytes(b"not an image")
    train(TrainConfig.build(tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=12)))
    shown = capsys.readouterr().err
    assert shown.count("Skipped") == 1
    assert "0.png" in shown
    assert "1 unreadable so far" in shown


@pytest.mark.parametrize("schedule", ["linear", "step", "plateau", "cosine", "constant"])
def test_every_schedule_trains(schedule: str, unpaired: Path, tmp_path: Path) -> None:
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run")
    tree["optim"] = {"schedule": schedule, "lr": 1e-3}
    rates = [row["lr"] for row in read_history(train(TrainConfig.build(tree)) / "history.jsonl")]
    assert rates[0] == 1e-3
    assert (rates[-1] < 1e-3) == (schedule in ("linear", "cosine"))


def test_sheets_show_real_fake_and_reconstruction(unpaired: Path, tmp_path: Path) -> None:
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__samples=2)
    sheet = Image.open(train(TrainConfig.build(tree)) / "samples" / "step-00000006.png")
    assert sheet.size == (3 * 36 + 2 * 4, 4 * 36 + 3 * 4)  # two samples, A and B, each real, fake, rec
