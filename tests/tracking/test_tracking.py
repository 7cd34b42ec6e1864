"""The local history and Weights & Biases, with the real client offline."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY, tiny_settings
from tests.tracking.service import Service
from translate.config import TrainConfig
from translate.errors import UserError
from translate.tracking.history import History, read_history
from translate.tracking.offline import last_logged_step, logged_rows
from translate.tracking.weights_and_biases import Tracker, choose_mode
from translate.training.trainer import train


def offline(run: Path, data: Path, **overrides: Any) -> TrainConfig:
    tree = tiny_settings("cyclegan", data, run, **overrides)
    tree["tracking"] = {"mode": "offline", "project": "test", "group": "night", "tags": ["tiny"], "gradients": True}
    return TrainConfig.build(tree)


def tracked(run: Path) -> list[dict[str, Any]]:
    """What W&B keeps of a run's offline sessions, in the order in which `wandb sync` sends them."""
    return [row for file in sorted((run / "wandb").glob("offline-run-*/run-*.wandb")) for row in logged_rows(file)]


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


def test_modes(home: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose_mode("auto") == "offline"
    assert choose_mode("disabled") == "disabled"
    with pytest.raises(UserError, match="wandb login"):
        choose_mode("online")
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert choose_mode("auto") == "disabled"
    assert choose_mode("offline") == "offline"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert choose_mode("auto") == "disabled"
    with pytest.raises(UserError, match="needs Weights & Biases"):
        choose_mode("offline")


def test_an_offline_run_and_its_resume_hold_what_the_history_holds(
    home: None, unpaired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    train(offline(run, unpaired, run__steps=3))
    train(offline(run, unpaired, run__steps=6), resume=True)
    rows, kept = tracked(run), read_history(run / "history.jsonl")
    assert [row["_step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    for row, line in zip(rows, kept, strict=True):
        assert {name: row[name] for name in line if name != "step"} == {n: v for n, v in line.items() if n != "step"}
    assert {"G_A", "lr", "images_per_second", "utilisation", "gradients/G_A", "gradients/D_B"} <= set(rows[0])
    assert all(0 < row["gradients/G_B"] < math.inf for row in rows)
    assert [row["_step"] for row in rows if "samples/path" in row] == [3, 4, 6]
    shape = rows[-1]["samples_table/nrows"], rows[-1]["samples_table/ncols"]
    assert shape == (4, 5)  # two validation images, there and back
    (identity,) = {path.stem for path in run.glob("wandb/offline-run-*/run-*.wandb")}
    said = capsys.readouterr().err
    assert f"wandb sync {run}/wandb/offline-run-*-{identity.removeprefix('run-')}" in said


@pytest.mark.slow
def test_a_run_that_is_killed_and_resumed_is_one_run(service: Service, unpaired: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = offline(run, unpaired, run__steps=400, run__save_every=7, run__sample_every=10)
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(config.dump()))
    process = subprocess.Popen(
        [sys.executable, "-m", "translate", "train", tmp_path / "settings.yaml"],
        cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not read_history(run / "history.jsonl")[24:]:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    told = read_history(run / "history.jsonl")
    (session,) = (run / "wandb").glob("offline-run-*/run-*.wandb")
    size = -1
    while size != (size := session.stat().st_size):  # the client's own process notices a moment later
        time.sleep(1)

    config.run.steps = told[-1]["step"] + 5
    train(config, resume=True)
    steps = list(range(1, config.run.steps + 1))
    assert [row["_step"] for row in tracked(run)] == steps
    assert [row["step"] for row in read_history(run / "history.jsonl")] == steps

    assert service.asked == []  # offline is offline, even for somebody who is logged in
    subprocess.run([sys.executable, "-m", "wandb", "sync", run / "wandb"], check=True, capture_output=True)
    (identity,) = service.runs
    assert session.name == f"run-{identity}.wandb"
    assert [row["_step"] for row in service.history(identity)] == steps
    losses = {row["step"]: row["cycle_A"] for row in read_history(run / "history.jsonl")}
    assert [row["cycle_A"] for row in service.history(identity)] == list(losses.values())


def test_rows_that_the_client_lost_are_sent_after(home: None, tmp_path: Path) -> None:
    config = offline(tmp_path, tmp_path)
    tracker = Tracker(config, tmp_path, None)
    for step in (1, 2, 3):
        tracker.log({"step": step, "G_A": step / 2})
    tracker.finish()
    history = History(tmp_path / "history.jsonl")
    for step in (1, 2, 3, 4, 5):  # of which the last two were in memory when the lights went out
        history.append({"step": step, "G_A": step / 2, "warnings": ["D_A has won."]})
    time.sleep(1.1)  # the client names its folders by the second
    again = Tracker(config, tmp_path, tracker.run_id)
    for step in (3, 4, 5, 6):
        again.log({"step": step, "G_A": step / 2})
    again.finish()
    assert [(row["_step"], row["G_A"]) for row in tracked(tmp_path)] == [(step, step / 2) for step in range(1, 7)]
    assert last_logged_step(tmp_path / "wandb", str(tracker.run_id)) == 6
    assert last_logged_step(tmp_path / "wandb", "another") == -1


def test_a_torn_file_is_read_up_to_the_tear(home: None, tmp_path: Path) -> None:
    tracker = Tracker(offline(tmp_path, tmp_path), tmp_path, None)
    for step in range(1, 400):  # more than one block of the file
        tracker.log({"step": step} | {f"loss_{number}": number / step for number in range(10)})
    tracker.finish()
    (file,) = (tmp_path / "wandb").glob("offline-run-*/run-*.wandb")
    assert [row["_step"] for row in logged_rows(file)] == list(range(1, 400))
    os.truncate(file, file.stat().st_size // 2)
    steps = [row["_step"] for row in logged_rows(file)]
    assert 50 < len(steps) < 399
    assert steps == list(range(1, len(steps) + 1))


def test_training_goes_on_when_the_client_breaks(
    home: None, unpaired: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ConnectionError("the network is down")

    monkeypatch.setattr("wandb.sdk.wandb_run.Run.log", broken)
    train(offline(tmp_path / "run", unpaired))
    assert caplog.text.count("the network is down") == 1
    monkeypatch.setattr("wandb.init", broken)
    train(offline(tmp_path / "other", unpaired))
    assert caplog.text.count("the network is down") == 2
    assert len(read_history(tmp_path / "other" / "history.jsonl")) == 6
