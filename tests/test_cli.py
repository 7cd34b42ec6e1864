"""The command line as people type it."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.conftest import REPOSITORY, picture, tiny_settings
from translate.cli import main


@dataclass
class Result:
    """What a command printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


def translate(*words: object) -> Result:
    """Run the command line in this process: a new one takes seconds to import what it needs."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr), pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    return Result(int(left.value.code or 0), stdout.getvalue(), stderr.getvalue())


def test_python_m_translate_is_the_command_line() -> None:
    command = [sys.executable, "-m", "translate", "train", "nowhere.yaml"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    assert result.returncode == 2
    assert result.stderr.startswith("Error: Cannot read the settings")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder made by `translate train` with overriding flags."""
    folder = tmp_path_factory.mktemp("cli")
    for name in ("trainA", "trainB"):
        (folder / "data" / name).mkdir(parents=True)
        for index in range(3):
            picture(index).save(folder / "data" / name / f"{index}.png")
    file = folder / "train.yaml"
    file.write_text(yaml.safe_dump(tiny_settings("cyclegan", Path("nowhere"), Path("nowhere"))))
    flags = ["--data.root", folder / "data", "--run.dir", folder / "runs" / "mine", "--run.steps", 2]
    result = translate("train", file, *flags, "--data.domain_A", "horse")
    assert result.returncode == 0, result.stderr
    return folder / "runs" / "mine"


def test_train_says_what_it_does(run: Path) -> None:
    settings = yaml.safe_load((run / "config.yaml").read_text())
    assert (settings["run"]["steps"], settings["data"]["domain_A"]) == (2, "horse")


def test_run_translates_a_file_and_a_folder(run: Path, tmp_path: Path) -> None:
    picture(1, (50, 30)).save(tmp_path / "one.png")
    assert (
        translate("run", run, tmp_path / "one.png", "-o", tmp_path / "made.jpg", "--direction", "b2a").returncode == 0
    )
    assert Image.open(tmp_path / "made.jpg").size == (50, 30)
    (tmp_path / "many" / "inner").mkdir(parents=True)
    picture(2).save(tmp_path / "many" / "inner" / "a.webp")
    (tmp_path / "many" / "b.png").write_bytes(b"broken")
    result = translate(
        "run", run, tmp_path / "many", "-o", tmp_path / "out", "--precision", "float32", "--device", "cpu"
    )
    assert result.returncode == 1
    assert "b.png" in result.stderr
    assert (tmp_path / "out" / "inner" / "a.webp").exists()


def test_models_lists_runs(run: Path) -> None:
    result = translate("models", "--runs", run.parent)
    assert result.returncode == 0
    assert "horse → B" in result.stdout


def test_export_and_import_round_trip(run: Path, tmp_path: Path) -> None:
    assert translate("export", run, "--format", "reference", "-o", tmp_path / "pth").returncode == 0
    files = sorted((tmp_path / "pth").glob("*.pth"))
    assert [file.name for file in files] == ["latest_net_G_A.pth", "latest_net_G_B.pth"]
    result = translate("import", *files, "-o", tmp_path / "back", "--domains", "horse,zebra")
    assert result.returncode == 0, result.stderr
    picture(1).save(tmp_path / "one.png")
    for name, checkpoint in (("first", run), ("second", tmp_path / "back")):
        translate("run", checkpoint, tmp_path / "one.png", "-o", tmp_path / f"{name}.png", "--precision", "float32")
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


def test_inspect_reports(run: Path) -> None:
    assert "trainA" in translate("inspect", run.parent.parent / "data").stdout
    assert translate("inspect", run.parent.parent / "data", "--json").stdout.startswith("{")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["train", "nowhere.yaml"], "Cannot read the settings"),
        (["train", "datasets/facades/train.yaml", "--data.root", "nowhere"], "nowhere"),
        (["train", "datasets/facades/train.yaml", "--data.sizes", "3"], "data.sizes: no such setting"),
        (["run", "nothing", "README.md", "-o", "out"], "nothing"),
        (["inspect", "nowhere"], "nowhere"),
        (["pull", "dataset", "horse2zebr"], "horse2zebra"),
        (["import", "nowhere.pth", "-o", "out"], "nowhere.pth"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(words: list[str], sentence: str) -> None:
    result = translate(*words)
    assert result.returncode == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_bench_runs_the_benchmark(capfd: pytest.CaptureFixture[str]) -> None:
    assert translate("bench", "training").returncode == 0
    assert "--reference PATH names no checkout" in capfd.readouterr().out


def test_settings_and_version() -> None:
    shown = translate("settings").stdout
    assert "--data.crop_size" in shown
    assert "--optim.lr" in shown
    assert translate("--version").stdout.strip()
