"""translate runs and translate compare."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.studio.trained import trained_run
from translate.commands import runs as commands
from translate.commands.terminal import console
from translate.errors import UserError


def measured(folder: Path, value: float, cycle: float) -> None:
    """Give a run a last row with metrics, and the best checkpoint that it chose by them."""
    row = {
        "step": 50,
        "G_A": 0.3,
        "cycle_A": cycle,
        "val/kid_a2b": value,
        "val/ssim_a2b": value,
        "val/kid_error_a2b": value,
    }
    with (folder / "history.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    (folder / "checkpoints" / "best").mkdir()
    about = {"metrics": {"a2b": {}, "best": {"kid": value, "step": 50}}}
    (folder / "checkpoints" / "best" / "config.json").write_text(json.dumps(about))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    measured(trained_run(tmp_path, "slow", optim__lr=0.0001), 0.02, 1.0)
    measured(trained_run(tmp_path, "fast", optim__lr=0.0002, run__steps=100), 0.05, 0.5)
    trained_run(tmp_path, "pairs", model="pix2pix")
    return tmp_path


def test_runs_lists_what_a_folder_holds(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.runs(folder, as_json=True)
    listed = {run["name"]: run for run in json.loads(capsys.readouterr().out)}
    assert set(listed) == {"slow", "fast", "pairs"}
    fast = listed["fast"]
    assert (fast["model"], fast["data"], fast["step"], fast["steps"]) == ("cyclegan", "pictures", 50, 100)
    assert fast["state"] == "finished"
    assert (fast["losses"]["cycle_A"], fast["metrics"]["val/kid_a2b"]) == (0.5, 0.05)
    assert fast["best"] == {"metric": "kid", "value": 0.05, "step": 50}
    assert listed["pairs"]["best"] is None


def test_runs_prints_a_table(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_width", 250)
    commands.runs(folder, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.lstrip().startswith("fast")]
    assert "50/100" in line
    assert "cycle_A 0.500" in line
    assert "kid 0.05 at step 50" in line
    commands.runs(folder / "none", as_json=False)
    assert "no runs" in capsys.readouterr().out


def test_compare_marks_the_better_run_where_that_is_known(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands.compare(["slow", "fast"], folder, as_json=True)
    compared = json.loads(capsys.readouterr().out)
    assert compared["settings"] == {"optim.lr": [0.0001, 0.0002], "run.steps": [40, 100]}
    results = compared["results"]
    assert results["val/kid_a2b"] == {"values": [0.02, 0.05], "better": ["slow"]}
    assert results["val/ssim_a2b"]["better"] == ["fast"]
    assert results["cycle_A"]["better"] == ["fast"]
    for name in ("G_A", "D_A", "val/kid_error_a2b"):  # losses of players, and an uncertainty, say nothing of quality
        assert results[name]["better"] == []


def test_compare_prints_both_runs_side_by_side(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_width", 160)
    commands.compare([str(folder / "slow"), "pairs"], folder, as_json=False)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["model.name", "cyclegan", "pix2pix"] in lines
    assert any(line[:2] == ["cycle_A", "1"] for line in lines)
    with pytest.raises(UserError, match="no run called none"):
        commands.compare(["slow", "none"], folder, as_json=False)
    with pytest.raises(UserError, match="two or more"):
        commands.compare(["slow"], folder, as_json=False)
