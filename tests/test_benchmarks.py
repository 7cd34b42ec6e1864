"""The comparisons in benchmarks/: what they say of a difference, and what they do without a checkout."""

from __future__ import annotations

import importlib
import importlib.util
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from tests.conftest import REPOSITORY
from translate.checkpoints import zoo
from translate.checkpoints.folder import read_config
from translate.losses import l1


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/reference_training.py."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    return importlib.import_module("reference_training")


@pytest.fixture
def inference(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/inference.py."""
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    return importlib.import_module("inference")


@pytest.fixture
def studio(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """benchmarks/studio.py."""
    pytest.importorskip("gradio", reason="the studio needs gradio")
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    return importlib.import_module("studio")


@pytest.fixture
def checkout() -> str:
    """A checkout of the reference implementation."""
    path = os.environ.get("TRANSLATE_REFERENCE")
    if not path:
        pytest.skip("TRANSLATE_REFERENCE names no checkout of pytorch-CycleGAN-and-pix2pix")
    return path


@pytest.mark.parametrize("name", ["reference_training", "reference_generators", "inference"])
def test_a_comparison_is_skipped_with_a_reason_without_a_checkout(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    main = importlib.import_module(name).main
    with pytest.raises(SystemExit) as left:
        main([])
    assert left.value.code == 0
    assert "skipped: --reference" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        main(["--reference", str(tmp_path)])
    assert left.value.code == 2
    assert f"{tmp_path} is no checkout" in capsys.readouterr().err


def test_a_checkouts_modules_do_not_stay(training: ModuleType, tmp_path: Path) -> None:
    for name in ("first", "second"):
        package = tmp_path / name / "models"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "networks.py").write_text(f"from . import names\nCHECKOUT = names.{name}\n")
        (package / "names.py").write_text(f"{name} = '{name}'\n")
    before, path = set(sys.modules), list(sys.path)
    for name in ("first", "second"):
        found = vars(training.import_from(tmp_path / name, "models.networks"))
        assert found["CHECKOUT"] == name
    assert set(sys.modules) == before
    assert sys.path == path


def test_differences_are_relative_and_a_missing_number_is_a_miss(training: ModuleType) -> None:
    limited = training.Arithmetic("x", torch.float32, limit=1e-4, limit_steps=2)
    theirs = [{"G": 100.0, "D": 0.01}, {"G": 100.0, "D": 0.01}, {"G": 100.0, "D": 0.01}]

    def missed(step: int, **changed: float) -> bool:
        ours = [losses | (changed if at == step else {}) for at, losses in enumerate(theirs)]
        found: bool = training.is_missed(training.differences(theirs, ours), limited)
        return found

    assert not missed(0, G=100.009)
    assert missed(0, G=100.011)
    assert missed(1, D=0.00999)
    assert missed(1, D=math.nan)
    assert not missed(2, D=0.02)  # beyond the steps that the limit is for
    with pytest.raises(KeyError):
        training.differences(theirs, [{"G": 100.0}] * 3)
    with pytest.raises(ValueError, match="3 steps of the reference and 2"):
        training.differences(theirs, theirs[:2])


def test_twenty_steps_equal_those_of_a_checkout(
    training: ModuleType, checkout: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert training.main(["--reference", checkout, "--quick"]) == 0, capsys.readouterr().out


def test_a_step_that_is_wrong_is_noticed(
    training: ModuleType, checkout: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(image: Tensor, target: Tensor) -> Tensor:
        return l1(image, target) * 1.001

    monkeypatch.setattr("translate.models.pix2pix.l1", wrong)
    assert training.main(["--reference", checkout, "--quick", "--only", "dropout"]) == 1
    assert "1 missed" in capsys.readouterr().out


def test_speed_counts_where_quality_holds(inference: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    grey = np.full((8, 8, 3), 128, np.uint8)

    def result(level: int, *milliseconds: float) -> Any:
        return inference.Result(3.0, 1.0, [grey, grey + np.uint8(level)], [each / 1000 for each in milliseconds])

    def side(engine: str, precision: str = "float32") -> Any:
        return inference.Side("net", Path("net"), engine, precision)

    reference = result(9, 90, 100, 400)
    results = {
        side("torch"): result(0, 50, 60, 70),
        side("torch", "bfloat16"): result(1, 30, 40, 50),
        side("openvino-int8", "bfloat16"): result(5, 10, 10, 10),
        side("onnxruntime"): "This needs onnxruntime",
        side("reference"): reference,
    }
    share, frames = inference.report(inference.Console(width=200), "net", results, reference)
    assert (share, frames) == (pytest.approx(0.4), pytest.approx(25))  # 1 level is 48 dB, 5 are 34
    printed = capsys.readouterr().out
    assert "This needs onnxruntime" in printed
    assert "34.2" in printed
    assert inference.report(inference.Console(width=200), "net", results, None)[1] == pytest.approx(25)


def test_our_picture_is_the_references(inference: ModuleType, checkout: str, tmp_path: Path) -> None:
    folder = inference.draw(tmp_path / "drawn", {"width": 4})
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    theirs = inference.reference_test(Path(checkout), folder)(image)
    ours = inference.ours(inference.Side("drawn", folder, "torch"), tmp_path)(image)
    assert np.abs(ours.astype(int) - theirs).max() <= 1  # theirs is cut off, ours rounded
    assert ours.std() > 5


def test_the_inference_benchmark_runs(
    inference: ModuleType, checkout: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSLATE_HOME", "nowhere")
    small = ["--width", "4", "--size", "64", "--rounds", "1", "--calls", "1", "--threads", "1"]
    code = inference.main(["--reference", checkout, *small, "--engines", "--compact"])
    printed = capfd.readouterr().out
    assert "of the reference's time" in printed
    assert code in (0, 1)


def test_the_tiling_benchmark_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    tiling = importlib.import_module("tiling")
    monkeypatch.setattr(tiling, "run", lambda one: _at_once(tiling, one))
    monkeypatch.setattr(tiling, "TIMES", float("inf"))
    monkeypatch.setattr(tiling, "YARDSTICK", 64)
    monkeypatch.setattr(tiling, "GIGABYTES", float("inf"))
    small = ["--width", "3", "--size", "192", "128", "--check", "96", "64", "--tiles", "64", "48", "--threads", "1"]
    assert tiling.main(small) == 0
    printed = capsys.readouterr().out
    for row in ("96×64, whole, float64", "96×64, tiles", "192×128, tiles of 48"):
        assert row in printed
    monkeypatch.setattr(tiling, "GIGABYTES", 0.0)
    assert tiling.main([*small, "--only", "large"]) == 1
    assert "Missed: memory exceeds 0 GB." in capsys.readouterr().out


def test_quality_is_measured_and_recorded_with_one_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(REPOSITORY / "benchmarks"))
    quality = importlib.import_module("quality")
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for folder, width in ((f"horse2zebra/{split}A", 64), (f"horse2zebra/{split}B", 64), (f"facades/{split}", 128)):
            (tmp_path / folder).mkdir(parents=True)
            for number in range(3):
                pixels = rng.integers(0, 256, (64, width, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / folder / f"{number}.png")
    shutil.copytree(zoo.BUILT_IN, tmp_path / "weights")
    monkeypatch.setattr(zoo, "BUILT_IN", tmp_path / "weights")
    monkeypatch.setattr(quality, "STEPS", 2)
    judged, page = tmp_path / "judges", tmp_path / "quality.md"
    words = [str(tmp_path), "--classifiers", str(judged), "--record", "--page", str(page), "--only"]
    assert quality.main([*words, "facades"]) == 0
    assert "| L1 |" in page.read_text("utf-8")
    assert "| KID |" in page.read_text("utf-8")
    assert "Taken for" not in page.read_text("utf-8")  # horse2zebra's judge knows nothing of façades
    metrics = read_config(tmp_path / "weights" / "facades").metrics["a2b"]
    assert metrics["images"] == 3
    assert "horse2zebra" in str(metrics["extractor"])
    assert f"| l1 | {metrics['l1']:.4g} |" in (tmp_path / "weights" / "facades" / "README.md").read_text("utf-8")

    monkeypatch.setattr(quality, "train_classifier", lambda *_, **__: pytest.fail("the classifier is there already"))
    assert quality.main([*words, "horse2zebra"]) == 0
    assert "zebra → horse" in page.read_text("utf-8")
    assert "Taken for the target" in page.read_text("utf-8")
    assert quality.main([str(tmp_path / "nothing"), "--classifiers", str(judged), "--only", "horse2zebra"]) == 1


def _at_once(tiling: ModuleType, one: Any) -> Any:
    """A pass in this process: a new one takes seconds."""
    results: list[Any] = []
    tiling.work(one, SimpleNamespace(send=results.append))
    return results[0]


def test_the_studios_table_tells_what_is_missed(studio: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*rows: Any) -> tuple[bool, str]:
        report = studio.Report("The studio")
        for name, *words in rows:
            getattr(report, name)(*words)
        studio.Console(width=160).print(report.table)
        return report.held, capsys.readouterr().out

    def crowd(peak: float, *failed: str) -> Any:
        return studio.Crowd([1.0, 2.5], list(failed), 100_000_000, int(peak), 100_000_000)

    first = crowd(500e6)
    assert told(("times", "an upload", [0.2, 0.5, 0.9], 0.6), ("crowd", "users", first, []))[0]
    held, printed = told(("times", "an upload", [0.2, 0.7, 0.9], 0.6))
    assert not held
    assert "0.70 s (0.20–0.90, 3 times)" in printed
    assert told(("crowd", "users", crowd(560e6), [first]))[0]
    assert not told(("crowd", "users", crowd(640e6), [first, crowd(600e6)]))[0]  # by and by is growth too
    held, printed = told(("crowd", "users", crowd(500e6, "the queue is full"), [first]))
    assert not held
    assert "2 of 3 served, the slowest in 2.5 s" in printed
    assert "the queue is full" in printed
    held, printed = told(("missing", "Playwright is missing"))
    assert held
    assert "not measured: Playwright is missing" in printed


@pytest.mark.alone
@pytest.mark.browser
@pytest.mark.slow
def test_the_studio_benchmark_runs(studio: ModuleType) -> None:
    small = ["--starts", "1", "--uploads", "1", "--users", "3", "--rounds", "1", "--size", "64"]
    words = [sys.executable, studio.__file__, *small, "--checkpoints", "facades", "--crowd-checkpoint", "facades"]
    # A process of its own: Playwright runs once in a process, and the browser tests may have it already.
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    printed = done.stdout
    assert done.returncode in (0, 1), done.stderr  # speed is of this moment
    assert "first page served" in printed
    assert printed.count("3 of 3 served") == 2
    if studio.shutil.which("chromium") and importlib.util.find_spec("playwright"):
        assert "result in the page, facades" in printed
