"""What a checkpoint owes to others: its teacher, and the feature networks that its start and its teacher had."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

import tests.tiny_features  # noqa: F401 - registers `tiny`
from tests.conftest import tiny_settings
from translate.checkpoints.folder import read_config
from translate.checkpoints.format import load_generator, save_checkpoint
from translate.cli import main
from translate.config import TrainConfig
from translate.errors import UserError
from translate.evaluation.judges import open_judges, partial_judges
from translate.tracking.history import read_history
from translate.training.trainer import train


@pytest.fixture
def teacher(unpaired: Path, tmp_path: Path) -> Path:
    """A run that was trained against `tiny`."""
    tree = tiny_settings("cyclegan", unpaired, tmp_path / "teacher", run__steps=2)
    tree["model"] |= {"lambda_content": 1.0, "content_features": "tiny"}
    tree["data"] |= {"domain_A": "day", "domain_B": "night"}
    return train(TrainConfig.build(tree))


def student(teacher: Path, root: Path, run: Path, **settings: Any) -> dict[str, Any]:
    tree = tiny_settings("distillation", root, run, **settings)
    tree["model"] |= {"teacher": str(teacher), "generator": {"width": 2, "blocks": 1}}
    return tree


def newest(run: Path) -> Path:
    return sorted((run / "checkpoints").glob("step-*"))[-1]


def test_a_student_says_who_taught_it_and_against_what(teacher: Path, unpaired: Path, tmp_path: Path) -> None:
    run = train(TrainConfig.build(student(teacher, unpaired, tmp_path / "student")))
    provenance = read_config(newest(run)).provenance
    digest = hashlib.sha256((newest(teacher) / "a2b.safetensors").read_bytes()).hexdigest()
    assert (provenance.teacher, provenance.teacher_digest) == (str(teacher), digest)
    assert provenance.features == ["tiny"]
    card = (newest(run) / "README.md").read_text()
    assert f"Distilled from: {teacher} (SHA-256 of its weights: {digest})" in card
    assert "Method: Distillation" in card


def test_networks_are_inherited_from_the_start(teacher: Path, unpaired: Path, tmp_path: Path) -> None:
    start = {"run__start_from": str(teacher), "run__steps": 3}
    first = train(TrainConfig.build(tiny_settings("cyclegan", unpaired, tmp_path / "first", **start)))
    again = {"run__start_from": str(first), "run__steps": 3}
    config = TrainConfig.build(tiny_settings("cyclegan", unpaired, tmp_path / "second", **again))
    assert read_config(newest(train(config))).provenance.features == ["tiny"]
    config.run.steps, config.run.start_from = 5, "gone"  # the state of a run that goes on has it
    assert read_config(newest(train(config, resume=True))).provenance.features == ["tiny"]


def test_a_distillation_resumes_exactly_and_only_with_its_teacher(
    teacher: Path, unpaired: Path, tmp_path: Path
) -> None:
    tree = student(teacher, unpaired, tmp_path / "whole")
    tree["optim"] = {"schedule": "constant"}
    whole = train(TrainConfig.build(tree))
    tree = student(teacher, unpaired, tmp_path / "parts", run__steps=3)
    tree["optim"] = {"schedule": "constant"}
    train(TrainConfig.build(tree))
    tree["run"]["steps"] = 6
    train(TrainConfig.build(tree), resume=True)
    kept = ("G_pixel", "G_GAN", "D_real", "D_fake")
    rows = [
        [[row[name] for name in kept] for row in read_history(run / "history.jsonl")]
        for run in (whole, tmp_path / "parts")
    ]
    assert rows[0] == rows[1]

    folder = newest(teacher)
    networks = {way: load_generator(folder, way) for way in ("a2b", "b2a")}
    networks["a2b"].get_parameter("head.bias").data.add_(0.1)
    save_checkpoint(folder, read_config(folder), networks)
    tree["run"]["steps"] = 8
    with pytest.raises(UserError, match="weights are others now"):
        train(TrainConfig.build(tree), resume=True)


def test_a_network_is_known_by_all_of_its_names() -> None:
    pytest.importorskip("timm")
    judges = open_judges("none", panel=["tiny"], lpips=False)
    judges.panel[0].network.name = "timm/tf_efficientnet_lite1"
    for name in ("lite1", "tf_efficientnet_lite1", "timm/tf_efficientnet_lite1", "timm/tf_efficientnet_lite1.in1k"):
        with pytest.raises(UserError, match="cannot judge"):
            partial_judges(judges, [name], "mine")
    assert partial_judges(judges, ["lite0"], "mine") == []


def test_the_command_trains_and_compares(
    teacher: Path, unpaired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "student"
    flags = ["--data.root", str(unpaired), "--data.load_size", "36", "--data.workers", "0", "--run.steps", "2"]
    flags += ["--run.device", "cpu", "--tracking.mode", "disabled", "--model.discriminator.width", "4"]
    command = ["distil", str(teacher), "-o", str(out), "--width", "2", "--blocks", "1", "--extractor", "none", *flags]
    with pytest.raises(SystemExit) as left:
        main(command)
    assert not left.value.code
    report = json.loads((out / "comparison.json").read_text())
    assert report["student"]["parameters"] < report["teacher"]["parameters"]
    assert report["student"]["gmac"] < report["teacher"]["gmac"]
    assert report["student"]["milliseconds"] > 0
    assert report["teacher"]["evaluation"]["ssim_source"] != report["student"]["evaluation"]["ssim_source"]
    config = read_config(newest(out))
    assert config.domains == {"a": "day", "b": "night"}
    assert config.image_size == 32
    assert config.generators["a2b"].width == 2
    shown = capsys.readouterr().out
    assert "GMAC" in shown
    assert "SSIM to the source" in shown


def test_a_partial_judge_is_refused_before_the_training(
    teacher: Path, unpaired: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--data.root", str(unpaired), "--judge", "tiny", "--extractor", "none"]
    with pytest.raises(SystemExit) as left:
        main(["distil", str(teacher), "-o", str(tmp_path / "student"), *flags])
    assert left.value.code == 2
    assert "tiny cannot judge it" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "student").exists()
