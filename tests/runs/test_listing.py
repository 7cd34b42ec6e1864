"""What a folder of runs tells of them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.studio.trained import note, trained_run
from translate.errors import UserError
from translate.runs.listing import delete_run, differences, find_run, list_runs, read_run, running_one


def test_runs_are_listed_the_newest_first_and_others_are_left_out(tmp_path: Path) -> None:
    for number, name in enumerate(("old", "new")):
        os.utime(trained_run(tmp_path, name) / "history.jsonl", (1000 + number, 1000 + number))
    (tmp_path / "notes").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "config.yaml").write_text("model: {name: stylegan}")
    assert [run.name for run in list_runs(tmp_path)] == ["new", "old"]
    assert list_runs(tmp_path / "missing") == []


def test_a_name_is_no_path(tmp_path: Path) -> None:
    trained_run(tmp_path, "mine")
    (tmp_path / "runs").mkdir()
    assert find_run(tmp_path, "mine").name == "mine"
    for name in ("../mine", str(tmp_path / "mine"), "", "."):
        with pytest.raises(UserError, match="no training"):
            find_run(tmp_path / "runs", name)


def test_how_far_it_is_and_how_long_it_takes(tmp_path: Path) -> None:
    run = read_run(trained_run(tmp_path, "steps", steps=40, run__steps=100))
    assert (run.step, run.total, run.seconds_left) == (40, 100, 30.0)
    run = read_run(trained_run(tmp_path, "epochs", steps=40, run__epochs=20))  # ten steps an epoch
    assert (run.step, run.total) == (40, 200)
    assert [step for step, _ in run.sheets] == [20, 40]


def test_the_first_row_with_its_warming_up_is_no_measure_of_the_pace(tmp_path: Path) -> None:
    folder = trained_run(tmp_path, "run", steps=6, run__steps=10)
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    rows[0]["step_seconds"] = 90.0
    (folder / "history.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert read_run(folder).seconds_left == 2.0


def test_losses_measures_and_warnings_are_told_apart(tmp_path: Path) -> None:
    folder = trained_run(tmp_path, "run", steps=6)
    with (folder / "history.jsonl").open("a") as file:
        file.write(json.dumps({"step": 8, "G_A": 1.0, "val/lpips": 0.5, "warnings": ["D_A has won."]}) + "\n")
    run = read_run(folder)
    assert run.losses == ["G_A", "G_B", "cycle_A", "cycle_B", "D_A", "D_B"]
    assert run.measures == ["val/lpips"]
    assert run.curve("val/lpips") == [(8, 0.5)]
    assert run.warnings == ["D_A has won."]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"outcome": "finished"}, "finished"),
        ({"outcome": "stopped"}, "paused"),
        ({"outcome": "stopped", "wish": "pause"}, "paused"),
        ({"outcome": "stopped", "wish": "stop"}, "stopped"),
        ({}, "running"),
        ({"wish": "pause"}, "pausing"),
        ({"pid": 2**22, "wish": "pause"}, "paused"),
        ({"pid": 2**22}, "failed"),
    ],
)
def test_states(tmp_path: Path, changes: dict[str, object], state: str) -> None:
    run = trained_run(tmp_path, "run")
    note(run, **changes)
    assert read_run(run).state == state
    assert (running_one(tmp_path) == run) is (state in ("running", "pausing"))


def test_runs_from_before_there_were_notes(tmp_path: Path) -> None:
    for name, steps in (("whole", 40), ("half", 80)):
        (trained_run(tmp_path, name, run__steps=steps) / "process.json").unlink()
    assert {run.name: run.state for run in list_runs(tmp_path)} == {"whole": "finished", "half": "paused"}


def test_differences_are_those_that_explain_something(tmp_path: Path) -> None:
    runs = [read_run(trained_run(tmp_path, f"run-{lr}", optim__lr=lr, tracking__project=f"p{lr}")) for lr in (0.1, 0.2)]
    assert differences(runs) == [("optim.lr", [0.1, 0.2])]
    other = read_run(trained_run(tmp_path, "pairs", model="pix2pix"))
    found = dict(differences([runs[0], other]))
    assert found["model.lambda_L1"] == [None, 100.0]


def test_only_an_address_is_a_link(tmp_path: Path) -> None:
    folder = trained_run(tmp_path, "run")
    (folder / "wandb").mkdir()
    for text, address in (("https://wandb.ai/a/b/runs/c\n", "https://wandb.ai/a/b/runs/c"), ("javascript:alert()", "")):
        (folder / "wandb" / "url.txt").write_text(text)
        assert read_run(folder).tracked_at == address


def test_a_run_is_deleted_but_not_while_it_is_trained(tmp_path: Path) -> None:
    folder = trained_run(tmp_path, "run")
    note(folder)
    with pytest.raises(UserError, match="stop it first"):
        delete_run(read_run(folder))
    note(folder, outcome="stopped")
    delete_run(read_run(folder))
    assert list(tmp_path.iterdir()) == []
