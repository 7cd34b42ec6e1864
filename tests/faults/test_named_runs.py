"""Issue 19, number 1: the folder that is named is the run, wherever it was trained and from wherever it is named."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.conftest import picture, tiny_settings
from tests.test_cli import Result, translate
from translate.config import TrainConfig
from translate.errors import UserError
from translate.runs import processes
from translate.runs.listing import read_run
from translate.tracking.history import read_history
from translate.training.resuming import is_copy
from translate.training.state import load_newest_state
from translate.training.trainer import train


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with pictures in `photos`, and the run `runs/a` of two steps that was trained on them."""
    for name in ("trainA", "trainB"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(3):
            picture(index).save(tmp_path / "photos" / name / f"{index}.png")
    monkeypatch.chdir(tmp_path)
    train(TrainConfig.build(tiny_settings("cyclegan", Path("photos"), Path("runs/a"), run__steps=2)))
    return tmp_path


def steps(run: Path) -> list[int]:
    return [row["step"] for row in read_history(run / "history.jsonl")]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def resume(run: Path | str) -> Result:
    return translate("train", run, "--resume", "--run.steps", 3)


def test_a_copy_goes_on_and_the_original_stays(trained: Path) -> None:
    shutil.copytree("runs/a", "runs/b")
    before = contents(Path("runs/a"))
    result = resume("runs/b")
    assert result.returncode == 0, result.stderr
    assert steps(Path("runs/b")) == [1, 2, 3]
    assert contents(Path("runs/a")) == before


def moved(root: Path) -> Path:
    shutil.move(root / "runs" / "a", root / "runs" / "c")
    return root / "runs" / "c"


def elsewhere(root: Path) -> Path:
    (root / "other").mkdir()
    os.chdir(root / "other")
    return Path("../runs/a")


def linked(root: Path) -> Path:
    (root / "link").symlink_to(root / "runs" / "a")
    return root / "link"


def named_by_its_settings(root: Path) -> Path:
    return moved(root) / "config.yaml"


def called_like_a_model(root: Path) -> Path:
    shutil.move(root / "runs" / "a", root / "cyclegan")
    return Path("cyclegan")


def with_a_variable_in_its_name(root: Path) -> Path:
    shutil.move(root / "runs" / "a", root / "runs" / "$HOME")
    return root / "runs" / "$HOME"


@pytest.mark.parametrize(
    "way", [moved, elsewhere, linked, named_by_its_settings, called_like_a_model, with_a_variable_in_its_name]
)
def test_what_is_named_goes_on_and_nothing_else_begins(trained: Path, way: Callable[[Path], Path]) -> None:
    named = way(trained)
    run = (named.parent if named.is_file() else named).resolve()
    result = resume(named)
    assert result.returncode == 0, result.stderr
    assert steps(run) == [1, 2, 3]
    histories = [path.resolve() for path in trained.rglob("history.jsonl")]
    assert histories == [run / "history.jsonl"]


def test_settings_of_earlier_versions_are_relative_to_the_working_directory(trained: Path) -> None:
    file = Path("runs/a/config.yaml")
    tree = yaml.safe_load(file.read_text())
    assert Path(tree["data"]["root"]).is_absolute()
    tree["data"]["root"], tree["run"]["dir"] = "photos", "runs/a"
    file.write_text(yaml.safe_dump(tree))
    assert resume("runs/a").returncode == 0
    os.chdir(trained / "photos")
    gone = translate("train", "../runs/a", "--resume", "--run.steps", 4)
    assert gone.returncode == 0  # the resumed run has written where they are


def test_data_inside_the_run_move_with_it_and_missing_data_are_named(trained: Path) -> None:
    config = TrainConfig.build(tiny_settings("cyclegan", Path("photos"), Path("runs/own"), run__steps=2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processes, "_launch", lambda run, *options: None)
        processes.start(config, Path("photos"))
    assert yaml.safe_load(Path("runs/own/config.yaml").read_text())["data"]["root"] == "data"
    shutil.move("runs/own", "moved")
    assert TrainConfig.load("moved").data.root == Path("moved/data")
    assert translate("train", "moved").returncode == 0
    assert steps(Path("moved")) == [1, 2]
    missing = resume("runs/a")  # its pictures went into the other run
    assert missing.returncode == 2
    assert f"The data folder {trained / 'photos'} does not exist" in missing.stderr.replace("\n", "")


@pytest.mark.parametrize("name", ["mask_A", "start_from", "extractor", "perceptual_weights"])
def test_every_path_of_a_saved_run_holds_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("thing").mkdir()
    Path("thing/config.json").touch()
    section = {"mask_A": "data", "start_from": "run", "extractor": "evaluation", "perceptual_weights": "model"}[name]
    config = TrainConfig.build({section: {name: "thing"}}, {"run.dir": "run"})
    Path("run").mkdir()
    config.save_in_run()
    monkeypatch.chdir("/")
    loaded = TrainConfig.load(tmp_path / "run")
    assert str(getattr(getattr(loaded, section), name)) == str(tmp_path / "thing")


def test_resume_never_begins_anew(trained: Path) -> None:
    shutil.rmtree("runs/a/state")
    before = contents(Path("runs/a"))
    lost = resume("runs/a")
    assert lost.returncode == 2
    assert "holds no saved state" in lost.stderr
    assert "--run.start_from runs/a" in lost.stderr.replace("\n", " ")
    assert contents(Path("runs/a")) == before
    for words in (
        ["cyclegan", "--data.root", "photos", "--run.dir", "runs/new"],
        ["facades", "--data.root", "photos", "--run.dir", "runs/new"],
        ["runs/a", "--run.dir", "runs/new"],
    ):
        result = translate("train", *words, "--resume")
        assert result.returncode == 2
        assert "nothing to resume" in result.stderr or "another folder" in result.stderr
    assert not Path("runs/new").exists()
    with pytest.raises(UserError, match="before its first state"):
        processes.resume(Path("runs/a"))


def test_a_run_that_ended_before_its_first_step_can_begin(trained: Path) -> None:
    shutil.rmtree("runs/a/state")
    Path("runs/a/history.jsonl").write_text("")
    Path("runs/a/state").mkdir()
    assert translate("train", "runs/a").returncode == 0
    assert steps(Path("runs/a")) == [1, 2]


def test_a_copy_is_tracked_as_a_run_of_its_own_and_a_moved_run_as_itself(
    trained: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = load_newest_state(Path("runs/a/state"))
    assert state is not None
    assert not is_copy(state, Path("runs/a"))
    shutil.copytree("runs/a", "runs/b")
    assert is_copy(state, Path("runs/b"))
    with caplog.at_level(logging.WARNING):
        assert resume("runs/b").returncode == 0
    assert "copy of another run" in caplog.text
    shutil.rmtree("runs/a")
    assert not is_copy(state, Path("runs/b"))


def test_the_note_of_a_running_process_is_not_that_of_a_copy(trained: Path) -> None:
    with processes.noted(Path("runs/a")):
        shutil.copytree("runs/a", "runs/b")
        assert processes.running(Path("runs/a"))
        assert not processes.running(Path("runs/b"))
        with pytest.raises(UserError, match="not running"):
            processes.stop(Path("runs/b"), "stop")
        shutil.move("runs/a", "runs/c")
        assert processes.running(Path("runs/c"))
        assert read_run(Path("runs/c")).state == "running"
        shutil.move("runs/c", "runs/a")


def test_a_folder_that_is_no_run_says_what_to_do(trained: Path) -> None:
    for name in ("photos", "./photos"):
        result = translate("train", name)
        assert result.returncode == 2
        assert "translate train cyclegan --data.root photos" in result.stderr.replace("\n", " ")
