"""`translate evaluate`: from a checkpoint and a folder to numbers, files and a table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models
import typer
from PIL import Image
from torch import nn
from typer.testing import CliRunner

from tests.conftest import tiny_settings
from tests.features.conftest import needs_lite
from tests.inference.conftest import MakeCheckpoint
from translate.checkpoints.folder import read_config
from translate.checkpoints.format import write_config
from translate.checkpoints.settings import Provenance
from translate.commands.evaluate import best_and_last
from translate.commands.evaluate import evaluate as command
from translate.config import TrainConfig
from translate.errors import UserError
from translate.evaluation.classifier import ClassifierConfig, DomainClassifier, save_classifier
from translate.evaluation.extractors import Extractor
from translate.evaluation.judges import Judges
from translate.evaluation.similarity import ssim
from translate.inference.evaluate import evaluate
from translate.inference.translator import Translator


class _Means(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean(dim=(2, 3)) / 255


@pytest.fixture
def judges() -> Judges:
    return Judges(Extractor("means", "none", _Means(), torch.device("cpu")), None, None, [])


@pytest.fixture
def classifier(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = ClassifierConfig(domains={"a": "day", "b": "night"}, width=4, stages=2, size=32)
    return save_classifier(tmp_path / "judge", DomainClassifier(config), config)


def val_images(folder: Path) -> list[np.ndarray]:
    return [np.asarray(Image.open(path)) for path in sorted(folder.iterdir())]


def test_both_directions_and_the_cycle_of_an_unpaired_folder(
    make_checkpoint: MakeCheckpoint, unpaired: Path, judges: Judges
) -> None:
    translator = Translator(make_checkpoint(), device="cpu")
    result = evaluate(translator, unpaired, judges, size=0)
    found = result.as_dict()
    assert [one.direction for one in result.directions] == ["a2b", "b2a"]
    for way, folder in (("a2b", "valA"), ("b2a", "valB")):
        sources = val_images(unpaired / folder)
        made = [np.asarray(translator(image, way)) for image in sources]
        back = [np.asarray(translator(image, "b2a" if way == "a2b" else "a2b")) for image in made]
        gaps = [np.abs(one.astype(float) - other).mean() / 255 for one, other in zip(back, sources, strict=True)]
        assert found[way]["cycle_l1"] == pytest.approx(np.mean(gaps), rel=1e-4)
        assert found[way]["ssim_source"] == pytest.approx(np.mean(ssim(made, sources)), rel=1e-4)
        assert {"fid", "kid", "kid_untranslated", "kid_real"} <= found[way].keys()
        assert (found[way]["images"], found[way]["images_target"]) == (2, 2)
    assert found["kid"] == found["a2b"]["kid"]
    assert (found["extractor"], found["paired"], found["split"]) == ("means", False, "val")
    assert found["resize"] == "own size; features: none"
    json.dumps(found, allow_nan=False)


def test_pairs_of_a_pix2pix_checkpoint(make_checkpoint: MakeCheckpoint, paired: Path, judges: Judges) -> None:
    folder = make_checkpoint(directions=("a2b",))
    result = evaluate(Translator(folder, device="cpu"), paired, judges, size=64)
    found = result.as_dict()
    assert found["paired"]
    assert {"ssim", "psnr", "l1"} <= found.keys()
    assert not {"cycle_l1", "ssim_source"} & found.keys()
    translator = Translator(folder, device="cpu")
    gaps = []
    for file in sorted((paired / "val").iterdir()):
        both = Image.open(file)
        left, right = (
            both.crop(box).resize((64, 64), Image.Resampling.BICUBIC) for box in ((0, 0, 40, 40), (40, 0, 80, 40))
        )
        gaps.append(np.abs(np.asarray(translator(left)).astype(float) - np.asarray(right)).mean() / 255)
    assert found["l1"] == pytest.approx(np.mean(gaps), rel=1e-4)
    assert "64×64" in found["resize"]


def test_pix2pix_on_two_folders_takes_them_as_pairs(
    make_checkpoint: MakeCheckpoint, unpaired: Path, judges: Judges
) -> None:
    folder = make_checkpoint(directions=("a2b",))
    config = read_config(folder)
    write_config(folder, config.model_copy(update={"provenance": Provenance(model="pix2pix")}))
    assert evaluate(Translator(folder, device="cpu"), unpaired, judges, size=0).paired
    assert not evaluate(Translator(folder, device="cpu"), unpaired, judges, size=0, paired=False).paired


def test_the_direction_of_the_run_says_which_folder_is_read(
    make_checkpoint: MakeCheckpoint, paired: Path, judges: Judges, tmp_path: Path
) -> None:
    """A run trained b2a reads what lies on disk as B: its checkpoint's a is the folder's B."""
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    tree = tiny_settings("pix2pix", paired, run, data__direction="b2a")
    TrainConfig.build(tree).save(run / "config.yaml")
    folder = run / "checkpoints" / "step-00000001"
    shutil.move(make_checkpoint(directions=("a2b",)), folder)
    translator = Translator(folder, device="cpu")
    swapped = evaluate(translator, paired, judges, size=0)
    assert swapped.swapped
    right_half = np.asarray(Image.open(paired / "val" / "0.png"))[:, 40:]
    assert (swapped.directions[0].sources[0] == right_half).all()
    assert not evaluate(translator, paired, judges, size=0, swap=False).swapped


def test_one_direction_and_few_images(make_checkpoint: MakeCheckpoint, unpaired: Path, judges: Judges) -> None:
    translator = Translator(make_checkpoint(), device="cpu")
    result = evaluate(translator, unpaired, judges, direction="BtoA", split="train", limit=3, size=0)
    assert [one.direction for one in result.directions] == ["b2a"]
    assert result.as_dict()["images"] == 3
    assert "kid_real" not in result.as_dict()  # the training images are those that were judged
    with pytest.raises(UserError, match="no direction c2d"):
        evaluate(translator, unpaired, judges, direction="c2d")


def test_grey_checkpoints_are_measured_too(make_checkpoint: MakeCheckpoint, unpaired: Path, judges: Judges) -> None:
    translator = Translator(make_checkpoint(in_channels=1, out_channels=1), device="cpu")
    assert "kid" in evaluate(translator, unpaired, judges, size=0).as_dict()


# -------------------------------------------------------------------------------------------------------------- command


def run_command(*words: object) -> str:
    app = typer.Typer()
    app.command()(command)
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_the_command_prints_writes_and_records(
    make_checkpoint: MakeCheckpoint, unpaired: Path, classifier: Path, tmp_path: Path
) -> None:
    folder = make_checkpoint()
    out, report = tmp_path / "new" / "result.json", tmp_path / "report"
    words = [folder, unpaired, "--classifier", classifier, "--no-lpips", "--size", 32, "--device", "cpu"]
    shown = run_command(*words, "--json", out, "--report", report, "--record")
    assert "horse → zebra" in shown and "Taken for the target" in shown
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    assert {"fid", "kid", "classified_as_target", "images", "extractor", "resize"} <= found.keys()
    assert "domain classifier" in found["extractor"]
    assert (report / "report.html").exists() and (report / "b2a.csv").exists()
    recorded = read_config(folder).metrics
    assert recorded["b2a"]["kid"] == found["b2a"]["kid"]
    assert recorded["a2b"]["resize"] == found["resize"]
    assert "kid" in (folder / "README.md").read_text(encoding="utf-8")


def test_offline_the_command_leaves_out_what_it_cannot_have(
    make_checkpoint: MakeCheckpoint, paired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from translate.evaluation import extractors
    from translate.features import lpips, torchvision_models

    def offline(url: str, progress: object = None) -> Path:
        raise UserError(f"Cannot reach {url}.")

    monkeypatch.setattr(extractors, "published_weights", offline)
    monkeypatch.setattr(torchvision_models, "published_weights", offline)
    monkeypatch.setattr(lpips, "published_weights", offline)
    words = [make_checkpoint(directions=("a2b",)), paired, "--size", 32, "--device", "cpu"]
    shown = run_command(*words, "--json", tmp_path / "result.json")
    assert "LPIPS is left out." in shown and "FID and KID are left out." in shown and "translate classifier" in shown
    found: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
    assert {"ssim", "psnr", "l1"} <= found.keys() and not {"fid", "kid", "lpips"} & found.keys()
    for wish in (["--lpips"], ["--extractor", "inception"], ["--extractor", "resnet18"]):
        with pytest.raises(UserError, match="Cannot reach"):
            run_command(*words, *wish)


def test_a_judge_that_took_part_in_the_training_is_refused_unless_asked_for(
    make_checkpoint: MakeCheckpoint, unpaired: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "resnet.pth"
    torch.save(torchvision.models.resnet18(weights=None).state_dict(), weights)
    folder = make_checkpoint(directions=("a2b",))
    config = read_config(folder)
    write_config(folder, config.model_copy(update={"provenance": Provenance(features=["lite0", "resnet18"])}))
    words = [folder, unpaired, "--size", 32, "--no-lpips", "--device", "cpu"]
    judge = ["--extractor", "resnet18", "--extractor-weights", weights]
    with pytest.raises(UserError, match=r"trained against resnet18, so resnet18 cannot judge it.*--same-judge"):
        run_command(*words, *judge)
    assert "its numbers are too good" in " ".join(run_command(*words, *judge, "--same-judge").split())
    assert "too good" not in run_command(*words, "--extractor", "none")


def test_masks_beside_the_images_tell_object_from_background(make_checkpoint: MakeCheckpoint, unpaired: Path) -> None:
    (unpaired / "valA_mask").mkdir()
    mask = np.zeros((40, 40), np.uint8)
    mask[:20, :20] = 255
    for name in ("0.png", "1.png"):
        Image.fromarray(mask).save(unpaired / "valA_mask" / name)
    translator = Translator(make_checkpoint(), device="cpu")
    found = evaluate(translator, unpaired, Judges(None, None, None, []), size=0).as_dict()
    inside, outside = [], []
    for image in val_images(unpaired / "valA"):
        gap = np.abs(np.asarray(translator(image, "a2b")).astype(float) - image).mean(axis=2)
        inside.append(gap[:20, :20].mean())
        outside.append((gap[26:].sum() + gap[:26, 26:].sum()) / (40 * 40 - 26 * 26))
    assert found["a2b"]["change_inside"] == pytest.approx(np.mean(inside), rel=1e-4)
    assert found["a2b"]["change_outside"] == pytest.approx(np.mean(outside), rel=1e-4)
    assert found["a2b"]["images_with_mask"] == 2
    assert 0 <= found["a2b"]["background_changed"] <= 1
    assert "change_inside" not in found["b2a"]


def test_several_checkpoints_and_the_best_and_last_of_a_run(
    make_checkpoint: MakeCheckpoint, unpaired: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    for name, steps in (("best", 10), ("step-00000020", 20)):
        shutil.copytree(make_checkpoint(directions=("a2b",)), run / "checkpoints" / name)
        config = read_config(run / "checkpoints" / name)
        provenance = Provenance(steps=steps)
        write_config(run / "checkpoints" / name, config.model_copy(update={"provenance": provenance}))
    TrainConfig.build(tiny_settings("cyclegan", unpaired, run)).save(run / "config.yaml")
    out, report = tmp_path / "result.json", tmp_path / "report"
    words = [unpaired, "--extractor", "none", "--no-lpips", "--size", 32, "--device", "cpu"]
    run_command(run, make_checkpoint(), *words, "--json", out, "--report", report)
    found = json.loads(out.read_text(encoding="utf-8"))
    assert len(found) == 3
    pages = sorted(path.parent.name for path in report.glob("*/report.html"))
    assert [name.split("-")[0] for name in pages] == ["1", "2", "3"]
    assert pages[:2] == ["1-best", "2-step-00000020"]
    assert best_and_last(str(run)) == [str(run / "checkpoints" / "best"), str(run / "checkpoints" / "step-00000020")]
    assert best_and_last("horse2zebra") == ["horse2zebra"]
    shutil.rmtree(run / "checkpoints" / "step-00000020")
    assert best_and_last(str(run)) == [str(run)]


@needs_lite(1)
def test_a_label_by_an_independent_judge(make_checkpoint: MakeCheckpoint, unpaired: Path, tmp_path: Path) -> None:
    out = tmp_path / "result.json"
    words = [make_checkpoint(), unpaired, "--extractor", "none", "--no-lpips", "--size", 32, "--device", "cpu"]
    shown = run_command(*words, "--label", "zebra", "--structure", "lite1", "--json", out)
    assert "Called zebra by lite1" in shown and "KID by lite1" in shown and "Structure distance" in shown
    found = json.loads(out.read_text(encoding="utf-8"))
    assert {
        "top1_lite1",
        "top5_lite1",
        "top1_lite1_source",
        "top1_lite1_real",
        "kid_lite1",
        "fid_lite1",
    } <= found.keys()
    assert found["judges"] == {"lite1": "EfficientNet-Lite1 on ImageNet, 240×240, bicubic (antialiased)"}
    assert found["label"] == "zebra"
    with pytest.raises(UserError, match="ImageNet has no class horse"):
        run_command(*words, "--label", "horse")
