"""Measuring while training: numbers in the history, the best step kept, and the run itself left as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conftest import tiny_settings
from tests.training.test_trainer import folder_for, losses
from translate.checkpoints.folder import read_config
from translate.checkpoints.format import load_generator
from translate.config import TrainConfig
from translate.errors import UserError
from translate.evaluation.classifier import ClassifierConfig, DomainClassifier, save_classifier
from translate.evaluation.judges import open_judges
from translate.inference.evaluate import evaluate
from translate.inference.translator import Translator
from translate.tracking.history import read_history
from translate.training import trainer
from translate.training.learner import Learner
from translate.training.trainer import train


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = ClassifierConfig(domains={"a": "day", "b": "night"}, width=4, stages=2, size=32)
    return save_classifier(tmp_path / "judge", DomainClassifier(config), config)


def settings(model: str, root: Path, run: Path, classifier: Path, **overrides: Any) -> dict[str, Any]:
    tree = tiny_settings(model, root, run, **overrides)
    tree["evaluation"] = {"every": 2, "size": 32, "classifier": str(classifier)}
    return tree


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """LPIPS without its weights, wherever the test runs."""

    def refuse(url: str, progress: object = None) -> Path:
        raise UserError(f"Cannot reach {url}.")

    monkeypatch.setattr("translate.features.lpips.published_weights", refuse)


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_a_measured_run_is_the_run_that_was_not_measured(
    model: str, request: pytest.FixtureRequest, tmp_path: Path, classifier: Path
) -> None:
    root = folder_for(model, request)
    plain = train(TrainConfig.build(tiny_settings(model, root, tmp_path / "plain")))
    measured = train(TrainConfig.build(settings(model, root, tmp_path / "measured", classifier)))
    assert losses(measured, model) == losses(plain, model)
    rows = {row["step"]: row for row in read_history(measured / "history.jsonl")}
    ways = ("a2b",) if model == "pix2pix" else ("a2b", "b2a")
    kinds = {"ssim", "psnr", "l1"} if model == "pix2pix" else {"ssim_source", "cycle_l1"}
    expected = {f"val/{name}_{way}" for name in kinds | {"kid", "fid", "classified_as_target"} for way in ways}
    for step, row in rows.items():
        found = {name for name in row if name.startswith("val/")}
        assert (expected <= found) if step % 2 == 0 else not found


@pytest.mark.parametrize("model", ["pix2pix", "cyclegan"])
def test_the_numbers_are_those_of_translate_evaluate(
    model: str, request: pytest.FixtureRequest, tmp_path: Path, classifier: Path
) -> None:
    """Direction, statistics of batch norm and scaling are as the checkpoint will be used."""
    root = folder_for(model, request)
    run = train(TrainConfig.build(settings(model, root, tmp_path / "run", classifier, data__direction="b2a")))
    row = read_history(run / "history.jsonl")[-1]
    checkpoint = run / "checkpoints" / "step-00000006"
    translator = Translator(checkpoint, device="cpu")
    found = evaluate(translator, root, open_judges(classifier=classifier, lpips=False), size=32).as_dict()
    for way in translator.directions:
        for name, value in found[way].items():
            if f"val/{name}_{way}" in row:
                assert row[f"val/{name}_{way}"] == pytest.approx(value, rel=1e-2, abs=5e-5), name
        assert read_config(checkpoint).metrics[way]["kid"] == row[f"val/kid_{way}"]


def test_the_best_step_is_kept(unpaired: Path, tmp_path: Path, classifier: Path) -> None:
    tree = settings("cyclegan", unpaired, tmp_path / "run", classifier, run__steps=10, run__keep=1)
    tree["evaluation"]["best"] = "cycle_l1_b2a"
    run = train(TrainConfig.build(tree))
    rows = [row for row in read_history(run / "history.jsonl") if "val/cycle_l1_b2a" in row]
    best = min(rows, key=lambda row: float(row["val/cycle_l1_b2a"]))
    config = read_config(run / "checkpoints" / "best")
    assert config.provenance.steps == best["step"]
    load_generator(run / "checkpoints" / "best", "a2b")
    newest = read_config(run / "checkpoints" / "step-00000010").metrics["best"]
    assert newest == {"cycle_l1_b2a": best["val/cycle_l1_b2a"], "step": best["step"]}


def test_a_resumed_run_remembers_its_best(unpaired: Path, tmp_path: Path, classifier: Path) -> None:
    def tree(name: str) -> dict[str, Any]:
        made = settings("cyclegan", unpaired, tmp_path / name, classifier, run__steps=8, run__save_every=3)
        made["evaluation"] |= {"best": "kid"}
        return made

    whole = train(TrainConfig.build(tree("whole")))

    class Interrupted(Exception):
        pass

    original = trainer.train_step

    def die(learner: Learner, batch: Any, step: int, lr_factor: float = 1.0) -> Any:
        if step == 7:
            raise Interrupted
        return original(learner, batch, step, lr_factor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "train_step", die)
        with pytest.raises(Interrupted):
            train(TrainConfig.build(tree("parts")))
    train(TrainConfig.build(tree("parts")), resume=True)

    def measured(run: Path) -> list[dict[str, Any]]:
        rows = read_history(run / "history.jsonl")
        return [{name: row[name] for name in row if name.startswith("val/")} | {"step": row["step"]} for row in rows]

    assert measured(tmp_path / "parts") == measured(whole)
    ends = [read_config(run / "checkpoints" / "step-00000008").metrics["best"] for run in (whole, tmp_path / "parts")]
    assert ends[0] == ends[1]


def test_mistakes_are_told_before_the_first_step(unpaired: Path, tmp_path: Path, classifier: Path) -> None:
    tree = settings("cyclegan", unpaired, tmp_path / "run", classifier)
    tree["evaluation"]["best"] = "ssim_a2b"
    with pytest.raises(UserError, match=r"evaluation.best is ssim_a2b, which is not measured here; there are .*kid"):
        train(TrainConfig.build(tree))
    tree = settings("cyclegan", unpaired, tmp_path / "other", classifier)
    tree["data"]["val_split"] = "nowhere"
    with pytest.raises(UserError, match="no images called nowhere"):
        train(TrainConfig.build(tree))
    assert read_history(tmp_path / "other" / "history.jsonl") == []
