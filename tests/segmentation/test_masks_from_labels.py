"""Masks from a label: which classes a word means, that the object is found, and what a call leaves behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

from tests.data.pictures import noise, write
from translate.cli import app
from translate.data.masks import object_share, read_mask
from translate.errors import UserError
from translate.features import Backbone, FeatureNetwork
from translate.features.timm_models import TimmBackbone
from translate.segmentation import folder as folder_module
from translate.segmentation import mask_images
from translate.segmentation.evidence import class_evidence
from translate.segmentation.folder import RECORD
from translate.segmentation.labels import GROUPS, classes_of
from translate.segmentation.pixel_classifier import fit_pixels
from translate.segmentation.refinement import guided_filter

LABELS = ("tench, Tinca tinca", "red fox, Vulpes vulpes", "kit fox", "zebra", *(f"thing {n}" for n in range(4, 1000)))


class RedSeer(Backbone):
    """Sees a zebra where a picture is red, in squares of 32 pixels; its features are the colours at stride 16."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = {16: 3}

    def maps(self, images: Tensor, strides: Sequence[int]) -> list[Tensor]:
        return [nn.functional.avg_pool2d(images, stride) for stride in strides]

    def logits_by_place(self, images: Tensor) -> Tensor:
        coarse = nn.functional.avg_pool2d(images, 32)
        scores = torch.zeros(len(images), len(LABELS), *coarse.shape[2:])
        scores[:, 3] = 20 * (coarse[:, 0] - coarse[:, 1])
        return scores


@pytest.fixture
def seer() -> FeatureNetwork:
    return FeatureNetwork(RedSeer(), name="seer", title="", licence="", source="", size=64, labels=LABELS)


def red_on_green(left: int, width: int = 96, height: int = 80) -> npt.NDArray[np.uint8]:
    """A red square of 40 pixels on green, both with some noise."""
    array = noise(height, width, 3, seed=left) // 4
    array[:, :, 1] += 150
    array[20:60, left : left + 40, 1] -= 150
    array[20:60, left : left + 40, 0] += 150
    return array


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for index in range(6):
        write(tmp_path / "A" / "deep" / f"{index}.png", red_on_green(8 * index))
    return tmp_path / "A"


# -------------------------------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("label", "classes"),
    [
        ("zebra", [3]),
        ("Zebra", [3]),
        ("Tinca tinca", [0]),
        ("17", [17]),
        ("fox", [1, 2]),
        ("zebra, tench", [0, 3]),
        ("kit fox", [2]),
        ("horse", sorted(GROUPS["horse"])),
    ],
)
def test_classes_that_a_label_means(label: str, classes: list[int], seer: FeatureNetwork) -> None:
    assert classes_of(seer, label) == classes


@pytest.mark.parametrize(("label", "sentence"), [("zebr", r"ImageNet has no class zebr"), (" ,", "label is empty")])
def test_labels_that_mean_nothing(label: str, sentence: str, seer: FeatureNetwork) -> None:
    with pytest.raises(UserError, match=sentence):
        classes_of(seer, label)


# --------------------------------------------------------------------------------------------------------------- parts


def test_evidence_is_where_the_object_is(seer: FeatureNetwork) -> None:
    image = torch.from_numpy(red_on_green(0)).permute(2, 0, 1)[None] / 127.5 - 1
    evidence = class_evidence(seer, image, [3], 20)
    assert evidence.shape == (20, 20)
    assert evidence[7:13, 2:6].min() > 0
    assert evidence[:, 15:].max() < -6  # not on the mirrored side


def test_pixels_are_told_apart_through_wrong_evidence() -> None:
    generator = torch.Generator().manual_seed(0)
    shown = torch.rand(2000, generator=generator) < 0.3
    features = torch.randn(2000, 4, generator=generator) + 6 * shown[:, None]
    evidence = torch.where(shown, 4.0, -4.0)
    wrong = torch.rand(2000, generator=generator) < 0.15
    evidence[wrong] *= -1
    classifier = fit_pixels(features, evidence, (-2, 2))
    assert classifier is not None
    assert ((classifier(features) > 0) == shown).float().mean() > 0.99
    assert fit_pixels(features, torch.full((2000,), -4.0), (-2, 2)) is None


def test_the_guided_filter_follows_edges_and_removes_noise() -> None:
    guide = np.zeros((40, 60, 3), np.float32)
    guide[:, 33:] = (1, 0.5, 0.2)
    rough = np.zeros((40, 60), np.float32)
    rough[:, 29:] = 1
    filtered = guided_filter(guide, rough)
    assert abs(filtered[:, 33:45].mean() - 1) < 0.02
    assert filtered[:, 32].max() < filtered[:, 33].min() - 0.4  # the step is the picture's
    flat = guided_filter(np.zeros((40, 60, 3), np.float32), rough)
    assert abs(flat[20, 29] - 0.5) < 0.1


# ------------------------------------------------------------------------------------------------------------- folders


def test_masks_of_a_folder_show_the_object(pictures: Path, seer: FeatureNetwork) -> None:
    seen: list[tuple[str, int, int]] = []
    result = mask_images(pictures, "zebra", seer, progress=lambda *step: seen.append(step))
    assert result.folder == pictures.with_name("A_mask")
    assert (result.made, result.present, result.failed, result.empty) == (6, 0, [], [])
    for index in range(6):
        mask = read_mask(result.folder / "deep" / f"{index}.png")
        expected = np.zeros((80, 96), bool)
        expected[20:60, 8 * index : 8 * index + 40] = True
        assert mask.shape == (80, 96)
        assert ((mask > 0) & expected).sum() / ((mask > 0) | expected).sum() > 0.85
    assert result.coverage == pytest.approx(1600 / 7680, abs=0.03)
    assert seen[0] == ("Learning what shows zebra", 1, 6)
    assert seen[-1] == ("Making masks", 6, 6)


def test_an_interrupted_folder_is_gone_on_with(pictures: Path, seer: FeatureNetwork) -> None:
    out = pictures.with_name("masks")
    whole = mask_images(pictures, "zebra", seer, out=out)
    before = {path: path.read_bytes() for path in out.rglob("*.png")}
    (out / "deep" / "3.png").unlink()
    kept = (out / "deep" / "1.png").stat().st_mtime_ns
    again = mask_images(pictures, "zebra", seer, out=out)
    assert (whole.made, again.made, again.present) == (6, 1, 5)
    assert {path: path.read_bytes() for path in out.rglob("*.png")} == before
    assert (out / "deep" / "1.png").stat().st_mtime_ns == kept
    assert mask_images(pictures, "zebra", seer, out=out).made == 0
    assert mask_images(pictures, "zebra", seer, out=out, overwrite=True).made == 6
    assert not list(out.rglob(".*.png"))


def test_masks_drawn_by_hand_are_kept(pictures: Path, seer: FeatureNetwork) -> None:
    drawn = write(pictures.with_name("A_mask") / "deep" / "2.png", np.zeros((80, 96), np.uint8))
    assert mask_images(pictures, "zebra", seer).made == 5
    assert object_share(read_mask(drawn)) == 0


def test_masks_of_another_label_are_not_mixed_in(pictures: Path, seer: FeatureNetwork) -> None:
    out = mask_images(pictures, "zebra", seer).folder
    with pytest.raises(UserError, match="holds masks of zebra made by seer; give another folder"):
        mask_images(pictures, "fox", seer)
    assert json.loads((out / RECORD).read_text())["classes"] == [3]
    (out / RECORD).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        mask_images(pictures, "zebra", seer)


def test_unreadable_pictures_are_named_and_the_rest_is_done(pictures: Path, seer: FeatureNetwork) -> None:
    (pictures / "deep" / "0.png").write_text("not an image")
    result = mask_images(pictures, "zebra", seer)
    assert result.made == 5
    assert len(result.failed) == 1
    assert str(pictures / "deep" / "0.png") in result.failed[0]
    assert not (result.folder / "deep" / "0.png").exists()


def test_pictures_without_the_object_get_an_empty_mask(pictures: Path, seer: FeatureNetwork) -> None:
    write(pictures / "meadow.png", red_on_green(0)[:, 50:])
    result = mask_images(pictures, "zebra", seer)
    assert result.empty == ["meadow.png"]
    assert not read_mask(result.folder / "meadow.png").any()


def test_folders_that_cannot_be_masked(pictures: Path, seer: FeatureNetwork, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        mask_images(tmp_path / "nowhere", "zebra", seer)
    with pytest.raises(UserError, match=r"seer sees no tench in"):
        mask_images(pictures, "tench", seer)
    write(pictures / "deep" / "0.jpg", red_on_green(0))
    with pytest.raises(UserError, match="would both have the mask"):
        mask_images(pictures, "zebra", seer)
    write(tmp_path / "bad" / "x.png", red_on_green(0)).write_text("no")
    with pytest.raises(UserError, match=r"None of the 1 pictures tried in .*bad can be read"):
        mask_images(tmp_path / "bad", "zebra", seer)


def test_few_of_many_pictures_are_learned_from(
    pictures: Path, seer: FeatureNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_module, "FITTED", 2)
    seen: list[str] = []
    result = mask_images(pictures, "zebra", seer, progress=lambda what, *_: seen.append(what))
    assert seen.count("Learning what shows zebra") == 2
    assert result.made == 6


def test_the_command_says_what_it_did(pictures: Path, seer: FeatureNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("translate.features.load_features", {"lite0": seer}.__getitem__)
    result = CliRunner().invoke(app, ["mask", str(pictures), "--label", "zebra"])
    assert result.exit_code == 0
    assert f"6 masks in {pictures}_mask, which cover 2" in result.output
    write(pictures / "meadow.png", red_on_green(0)[:, 50:])
    (pictures / "broken.png").write_text("not an image")
    result = CliRunner().invoke(app, ["mask", str(pictures), "--label", "zebra"])
    assert result.exit_code == 1
    assert f"1 mask in {pictures}_mask, which cover 0% of a picture on average; 6 were there already." in result.output
    assert "No zebra in 1: meadow.png" in result.output
    assert "No mask: Cannot read" in result.output


def test_scores_by_place_average_to_the_scores_of_the_image() -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    backbone = TimmBackbone(timm.create_model("tf_efficientnet_lite0").eval())
    network = FeatureNetwork(backbone, name="random", title="", licence="", source="", size=96, labels=LABELS)
    image = torch.rand(2, 3, 96, 96) * 2 - 1
    with torch.no_grad():
        places = network.logits_by_place(image)
        assert places.shape == (2, 1000, 3, 3)
        torch.testing.assert_close(places.mean((2, 3)), network.logits(image), atol=1e-5, rtol=1e-4)


def test_a_network_without_scores_by_place_is_refused() -> None:
    network = FeatureNetwork(Backbone(), name="plain", title="", licence="", source="", size=64, labels=LABELS)
    with pytest.raises(UserError, match="plain has no class activation maps; use lite0"):
        network.logits_by_place(torch.zeros(1, 3, 64, 64))
