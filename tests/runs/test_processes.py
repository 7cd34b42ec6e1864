"""A training in a process of its own: found again, stopped, resumed, and never mistaken for another process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.conftest import tiny_settings
from tests.studio.trained import note, trained_run
from translate.config import TrainConfig
from translate.errors import TrainingStopped, UserError
from translate.runs import processes
from translate.runs.listing import read_run
from translate.tracking.history import read_history


def wait_for(condition: Callable[[], object], run: Path, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, (run / processes.LOG_FILE).read_text()
        time.sleep(0.1)


@pytest.mark.slow
def test_a_run_is_started_paused_and_resumed_to_its_end(unpaired: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "a b"
    tree = tiny_settings("cyclegan", unpaired, run, run__steps=200, run__sample_every=100, run__save_every=1000)
    processes.start(TrainConfig.build(tree))
    wait_for(lambda: read_history(run / "history.jsonl"), run)
    assert read_run(run).state == "running"
    with pytest.raises(UserError, match="running already"):
        processes.resume(run)
    processes.stop(run, "pause")
    wait_for(lambda: not processes.running(run), run)
    paused = read_run(run)
    assert paused.state == "paused"
    assert 0 < paused.step < 200
    processes.resume(run)
    assert processes.running(run)
    wait_for(lambda: not processes.running(run), run)
    finished = read_run(run)
    assert finished.state == "finished", finished.last_words()
    assert [row["step"] for row in finished.rows] == list(range(1, 201))
    assert finished.checkpoint == run / "checkpoints" / "step-00000200"


@pytest.mark.slow
def test_a_run_that_cannot_begin_says_why(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "nothing"
    processes.start(TrainConfig.build(tiny_settings("cyclegan", tmp_path / "missing", run)))
    wait_for(lambda: not processes.running(run), run)
    failed = read_run(run)
    assert failed.state == "failed"
    assert "missing does not exist" in failed.reason
    assert "Error" not in failed.reason


def test_pictures_move_into_the_run(unpaired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_launch", lambda run, *options: None)
    run = tmp_path / "runs" / "mine"
    processes.start(TrainConfig.build(tiny_settings("cyclegan", unpaired, run)), unpaired)
    assert not unpaired.exists()
    assert read_run(run).config.data.root == run / "data"
    assert (run / "data" / "trainA" / "0.png").exists()
    with pytest.raises(UserError, match="exists already"):
        processes.start(TrainConfig.build(tiny_settings("cyclegan", unpaired, run)))


def test_a_process_id_that_was_given_to_somebody_else_is_not_the_run(tmp_path: Path) -> None:
    run = trained_run(tmp_path, "run")
    note(run)
    assert processes.running(run)
    note(run, created=psutil.Process(os.getpid()).create_time() - 1000)
    assert processes.running(run) is None
    with pytest.raises(UserError, match="not running"):
        processes.stop(run, "pause")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    created = psutil.Process(gone.pid).create_time()
    deadline = time.monotonic() + 20
    while psutil.Process(gone.pid).status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
        time.sleep(0.01)
    note(run, pid=gone.pid, created=created)
    assert processes.running(run) is None  # ended, though nobody has asked after it yet
    gone.wait()
    assert processes.running(run) is None
    assert read_run(run).state == "failed"  # it left no word


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (None, "finished", ""),
        (TrainingStopped(15), "paused", ""),
        (UserError("The loss is broken."), "failed", "The loss is broken."),
        (ValueError("odd"), "failed", "ValueError: odd"),
    ],
)
def test_how_a_training_ends_is_noted(tmp_path: Path, error: Exception | None, state: str, reason: str) -> None:
    run = trained_run(tmp_path, "run")

    def train() -> None:
        with processes.noted(run):
            assert read_run(run).state == "running"
            if error is not None:
                raise error

    if error is None:
        train()
    else:
        with pytest.raises(type(error)):
            train()
    assert (read_run(run).state, read_run(run).reason) == (state, reason)


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    run = trained_run(tmp_path, "run")
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        note(run, pid=other.pid, created=psutil.Process(other.pid).create_time())
        with pytest.raises(UserError, match=f"process {other.pid}"), processes.noted(run):
            raise AssertionError("it must not get here")
        assert processes.running(run)  # and the other's note is left alone
    finally:
        other.kill()
        other.wait()
