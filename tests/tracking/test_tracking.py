"""The local history and Weights & Biases, with the real client offline."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.conftest import tiny_settings
from tests.tracking.offline import history
from translate.config import TrainConfig
from translate.errors import UserError
from translate.tracking.history import History, read_history
from translate.tracking.weights_and_biases import Tracker, choose_mode
from translate.training.trainer import train


def test_history_is_truncated_to_the_state_and_mended(tmp_path: Path) -> None:
    history = History(tmp_path / "history.jsonl")
    for step in (1, 2, 3):
        history.append({"step": step, "G_A": 1 / 3})
    with history.path.open("a") as file:
        file.write('{"step": 4, "G_')
    assert [row["step"] for row in read_history(history.path)] == [1, 2, 3]
    history.truncate(2)
    history.append({"step": 3, "G_A": 0.1})
    assert read_history(history.path) == [
        {"step": 1, "G_A": 1 / 3},
        {"step": 2, "G_A": 1 / 3},
        {"step": 3, "G_A": 0.1},
    ]
    assert read_history(tmp_path / "none.jsonl") == []


def test_modes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    assert choose_mode("auto") == "offline"
    assert choose_mode("disabled") == "disabled"
    assert choose_mode("online") == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert choose_mode("auto") == "disabled"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert choose_mode("auto") == "disabled"
    with pytest.raises(UserError, match="needs Weights & Biases"):
        choose_mode("offline")


def test_an_offline_run_is_on_disk_and_resumes_under_its_id(unpaired: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb")
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "run", run__steps=3)
    tree["tracking"] = {"mode": "offline", "project": "test"}
    train(TrainConfig.build(tree))
    tree["run"]["steps"] = 6
    train(TrainConfig.build(tree), resume=True)
    files = sorted((tmp_path / "run" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(files) == 2
    assert files[0].name == files[1].name  # the same run: `wandb sync` makes it one
    state = json.loads((tmp_path / "run" / "state" / "step-00000006" / "state.json").read_text())
    assert files[0].name == f"run-{state['info']['tracker_id']}.wandb"
    for _ in range(100):  # its own process may still be writing
        tracked = [row for file in files for row in history(file) if "cycle_A" in row]
        if len(tracked) >= 6:
            break
        time.sleep(0.1)
    kept = read_history(tmp_path / "run" / "history.jsonl")
    assert [(row["_step"], row["cycle_A"], row["lr"]) for row in tracked] == [
        (row["step"], row["cycle_A"], row["lr"]) for row in kept
    ]


def test_training_goes_on_when_wandb_breaks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("wandb")
    config = TrainConfig.build(tiny_settings("cyclegan", tmp_path, tmp_path) | {"tracking": {"mode": "offline"}})
    tracker = Tracker(config, tmp_path, None)

    class Broken:
        def log(self, *_: object, **__: object) -> None:
            raise ConnectionError("the network is down")

    tracker.run.finish()
    tracker.run = Broken()
    tracker.log({"G_A": 1.0}, 1)
    tracker.log({"G_A": 1.0}, 2)
    tracker.log_samples(tmp_path / "none.png", 2)
    tracker.finish()
    assert caplog.text.count("the network is down") == 1
