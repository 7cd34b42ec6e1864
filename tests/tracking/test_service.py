"""Online, with the real client and a stand-in for the service on this machine."""

from __future__ import annotations

import json
import os
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
from tests.tracking.service import Service
from translate.config import TrainConfig
from translate.runs.listing import read_run
from translate.tracking import weights_and_biases
from translate.tracking.history import read_history
from translate.tracking.offline import logged_rows
from translate.tracking.weights_and_biases import Tracker
from translate.training.trainer import train


def settings(run: Path, data: Path, **overrides: Any) -> dict[str, Any]:
    tree = tiny_settings("cyclegan", data, run, **overrides)
    tree["tracking"] = {"mode": "auto", "project": "stripes", "group": "night", "tags": ["tiny"]}
    return tree


def test_a_run_arrives_with_its_samples_and_checkpoints_and_goes_on(
    service: Service, unpaired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    tree = settings(run, unpaired, run__steps=4)
    tree["evaluation"] = {"every": 2, "extractor": "none", "size": 32}
    train(TrainConfig.build(tree))
    tree["run"]["steps"] = 6
    train(TrainConfig.build(tree), resume=True)

    ((identity, told),) = service.runs.items()
    assert (told["project"], told["groupName"], told["tags"]) == ("stripes", "night", ["tiny"])
    assert json.loads(told["config"])["optim"]["value"]["lr"] == 2e-4
    assert told["exit_code"] == 0
    arrived, kept = service.history(identity), read_history(run / "history.jsonl")
    assert [row["_step"] for row in arrived] == [1, 2, 3, 4, 5, 6]
    for row, line in zip(arrived, kept, strict=True):
        assert {name: row[name] for name in line if name != "step"} == {n: v for n, v in line.items() if n != "step"}
    assert "val/cycle_l1_a2b" in arrived[-1]
    assert arrived[-1]["samples_table"]["nrows"] == 4
    assert any("media/images/samples" in name for name in service.files)
    aliases = [{alias["alias"] for alias in made["aliases"]} for made in service.artifacts]
    assert {"latest", "step-6"} in aliases
    assert any("best" in names for names in aliases)
    assert any(name.endswith("/a2b.safetensors") for name in service.files)
    assert read_run(run).tracked_at == f"{service.url}/somebody/stripes/runs/{identity}"
    assert "wandb sync" not in capsys.readouterr().err
    assert service.errors == []


def test_steps_that_the_service_has_are_not_sent_again(service: Service, tmp_path: Path) -> None:
    config = TrainConfig.build(settings(tmp_path, tmp_path))
    identity = ""
    for steps in ((1, 2, 3, 4), (3, 4, 5)):  # killed after step 4, resumed from a state of step 2
        tracker = Tracker(config, tmp_path, identity or None)
        for step in steps:
            tracker.log({"step": step, "G_A": step / 4})
        tracker.finish()
        identity = str(tracker.run_id)
        time.sleep(1)
    assert [(row["_step"], row["G_A"]) for row in service.history(identity)] == [(n, n / 4) for n in range(1, 6)]


def test_warnings_are_alerts_and_tables_are_bounded(service: Service, tmp_path: Path) -> None:
    tracker = Tracker(TrainConfig.build(settings(tmp_path, tmp_path)), tmp_path, None)
    large = np.zeros((600, 300, 3), np.uint8)
    Image.fromarray(large).save(tmp_path / "sheet.png")
    tracker.log({"step": 1, "G_A": 1.0})
    tracker.log_samples(tmp_path / "sheet.png", {"horse → zebra": [(large, large)] * 40}, 1)
    tracker.log_checkpoint(tmp_path / "deleted", 1, "latest")  # by `run.keep`, before it was sent
    tracker.warn("D_A has won.")
    assert tracker.finish() == []
    assert service.alerts == ["D_A has won."]
    (table,) = [json.loads(file) for name, file in service.files.items() if name.endswith("samples_table.table.json")]
    assert len(table["data"]) == 16
    assert [(cell["width"], cell["height"]) for cell in table["data"][0][3:]] == [(128, 256)] * 2


@pytest.mark.alone
def test_a_service_that_hangs_costs_nothing_and_the_run_is_sent_later(
    service: Service,
    unpaired: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(weights_and_biases, "INIT_SECONDS", 3)
    service.hangs = True
    run = tmp_path / "run"
    tracker = Tracker(TrainConfig.build(settings(run, unpaired)), tmp_path, None)
    begun = time.perf_counter()
    for step in range(1000):
        tracker.log({"step": step, "G_A": 1.0})
    assert time.perf_counter() - begun < 1
    tracker.finish()
    train(TrainConfig.build(settings(run, unpaired)))
    assert "wandb sync" in capsys.readouterr().err
    assert len(read_history(run / "history.jsonl")) == 6
    service.hangs = False
    subprocess.run([sys.executable, "-m", "wandb", "sync", run / "wandb"], check=True, capture_output=True)
    assert [row["_step"] for row in next(map(service.history, service.runs))] == [1, 2, 3, 4, 5, 6]


def test_a_service_that_dies_does_not_stop_the_training(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_and_biases, "FINISH_SECONDS", 3)
    tracker = Tracker(TrainConfig.build(settings(tmp_path, tmp_path)), tmp_path, None)
    tracker.log({"step": 1, "G_A": 1.0})
    while not service.runs:
        time.sleep(0.05)
    service.hangs = True
    tracker.log({"step": 2, "G_A": 0.5})
    begun = time.perf_counter()
    (note,) = tracker.finish()
    assert time.perf_counter() - begun < 20
    assert f"wandb sync --include-online {tmp_path}/wandb/run-*-{tracker.run_id}" in note
    pytest.importorskip("wandb").teardown()  # as the process's end does
    (file,) = (tmp_path / "wandb").glob("run-*/run-*.wandb")
    assert [row["_step"] for row in logged_rows(file)] == [1, 2]


def test_nothing_is_sent_without_a_login(
    service: Service, unpaired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name)
    train(TrainConfig.build(settings(tmp_path / "run", unpaired)))
    assert list((tmp_path / "run" / "wandb").glob("offline-run-*"))
    assert (service.asked, service.posts) == ([], 0)


@pytest.mark.slow
def test_the_sweep_file_runs_with_the_agent(service: Service, unpaired: Path, tmp_path: Path) -> None:
    """The agent asks the service for jobs and starts the command of the sweep file, in processes of their own."""
    sweep = yaml.safe_load((REPOSITORY / "datasets" / "horse2zebra" / "sweep.yaml").read_text())
    file = tmp_path / "tiny.yaml"
    file.write_text(yaml.safe_dump(settings(tmp_path / "unused", unpaired, run__steps=2)))
    given = ["--run.steps=20000", "--evaluation.every=2000"]
    words = [str(file) if word == "horse2zebra" else word for word in sweep["command"] if word not in given]
    words[words.index("${program}")] = f"{sys.executable}"
    words[words.index("train") : words.index("train")] = ["-m", "translate"]
    service.sweep = sweep | {"command": words}
    service.jobs = [{"model.lambda_identity": 0.5, "optim.lr_discriminator": lr} for lr in (0.0001, 0.0002)]
    subprocess.run(
        [sys.executable, "-m", "wandb", "agent", "somebody/stripes/night", "--count", "2"],
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        timeout=240,
    )
    assert len(service.runs) == 2
    for identity, told in service.runs.items():
        assert told["sweep"] == "night"
        assert read_run(tmp_path / "runs" / f"sweep-{identity}").config.dump()["model"]["lambda_identity"] == 0.5
        assert [row["_step"] for row in service.history(identity)] == [1, 2]
    rates = {row["lr_discriminator"] for identity in service.runs for row in service.history(identity)[:1]}
    assert rates == {0.0001, 0.0002}
