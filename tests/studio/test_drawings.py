"""Drawings on their way to a network."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from tests.conftest import REPOSITORY, SHARED_DATA
from tests.studio.tiny import tiny_checkpoint, tiny_run
from translate.checkpoints.folder import read_config
from translate.checkpoints.settings import DrawingConfig
from translate.checkpoints.zoo import Entry
from translate.config import TrainConfig
from translate.errors import UserError
from translate.studio.translating import drawings
from translate.training.observers.provenance import describe_checkpoint

LABELS = {"background": "#0000de", "palette": {"wall": "#0030ff", "door": "#00cfff", "shop": "#af0000"}}
LINES = {"background": "#ffffff", "palette": {"line": "#000000"}}


def message(image: Image.Image) -> str:
    png = io.BytesIO()
    image.save(png, "PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


def reader(folder: Path) -> Entry:
    checkpoint = tiny_checkpoint(folder, ("a2b",), drawing=LABELS, image_size=64)
    return Entry("labels", checkpoint, read_config(checkpoint), "folder")


def test_smoothed_strokes_become_colours_of_the_palette() -> None:
    image = Image.new("RGB", (64, 64), "#0000de")
    ImageDraw.Draw(image).ellipse((10, 10, 50, 50), fill="#00cfff")
    smooth = image.resize((128, 128), Image.Resampling.BICUBIC).resize((64, 64), Image.Resampling.BOX)
    assert len(smooth.getcolors(9999) or []) > 10
    snapped = drawings.snap(smooth, DrawingConfig.model_validate(LABELS))
    assert {colour for _, colour in snapped.getcolors(9) or []} <= {(0, 0, 222), (0, 48, 255), (0, 207, 255)}
    assert np.mean(np.asarray(snapped) != np.asarray(image)) < 0.05


def test_what_is_transparent_is_background() -> None:
    snapped = drawings.snap(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), DrawingConfig.model_validate(LINES))
    assert snapped.getcolors() == [(64, (255, 255, 255))]


def test_a_drawing_and_its_translation_come_back_as_files(tmp_path: Path) -> None:
    sheet = Image.new("RGB", (64, 64), "#0030ff")
    made = drawings.translate_drawing(message(sheet), reader(tmp_path / "labels"), tmp_path / "out")
    assert (made.sheet.name, made.picture.name) == ("drawing.png", "drawing-zebra.png")
    assert np.array_equal(np.asarray(Image.open(made.sheet)), np.asarray(sheet))
    assert Image.open(made.picture).size == (64, 64)


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "data:image/png;base64,no base64!",
        "data:image/png;base64," + base64.b64encode(b"no image").decode(),
        "data:text/plain;base64,AAAA",
        message(Image.new("1", (600, 600))),
    ],
)
def test_what_is_no_drawing_is_a_sentence(tmp_path: Path, broken: str) -> None:
    with pytest.raises(UserError, match="did not arrive whole"):
        drawings.translate_drawing(broken, reader(tmp_path / "labels"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_checkpoints_that_read_drawings_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSLATE_HOME", str(tmp_path / "home"))
    tiny_run(tmp_path / "runs", "photos")
    tiny_run(tmp_path / "runs", "labels", drawing=LABELS)
    tiny_run(tmp_path / "runs", "backwards", directions=("b2a",), drawing=LABELS)  # makes drawings
    found = drawings.readers(tmp_path / "runs")
    assert "labels" in found
    assert not {"photos", "backwards"} & set(found)


@pytest.mark.parametrize("task", ["facades", "edges2shoes"])
def test_the_examples_that_ship_have_the_colours_of_their_preset(task: str) -> None:
    config = DrawingConfig.model_validate(
        yaml.safe_load((REPOSITORY / "datasets" / task / "train.yaml").read_text(encoding="utf-8"))["drawing"]
    )
    examples = list((REPOSITORY / "datasets" / task / "examples").glob("*.png"))
    assert len(examples) == 2
    for path in examples:
        image = Image.open(path).convert("RGB")
        assert image.size == (256, 256)
        assert np.array_equal(np.asarray(drawings.snap(image, config)), np.asarray(image))


@pytest.mark.skipif(not (SHARED_DATA / "facades").exists(), reason="needs the façades")
def test_the_palette_of_facades_is_the_one_of_the_data() -> None:
    tree = yaml.safe_load((REPOSITORY / "datasets" / "facades" / "train.yaml").read_text(encoding="utf-8"))
    config = DrawingConfig.model_validate(tree["drawing"])
    assert len(config.palette) == 12
    near, used = [], set()
    for path in sorted((SHARED_DATA / "facades" / "val").iterdir())[:20]:
        with Image.open(path) as pair:
            labels = pair.convert("RGB").crop((256, 0, 512, 256))
        snapped = drawings.snap(labels, config)
        near.append(np.abs(np.asarray(labels, dtype=int) - np.asarray(snapped)).max(axis=2) < 24)
        used |= {colour for count, colour in snapped.getcolors() or [] if count > 100}
    assert np.mean(near) > 0.75  # the rest are the smears of JPEG between two labels
    assert len(used) == 12


def test_a_run_hands_its_colours_on_to_its_checkpoints() -> None:
    settings = TrainConfig.load(REPOSITORY / "datasets" / "facades" / "train.yaml")
    config = describe_checkpoint(settings, 1, 1.0, 1, 1.0, "")
    assert config.drawing is not None
    assert config.drawing.palette["shop"] == "#af0000"


@pytest.mark.parametrize(
    "drawing",
    [
        {"background": "white", "palette": {"line": "#000000"}},
        {"background": "#ffffff", "palette": {"line": "#FFFFFF"}},
        {"background": "#ffffff", "palette": {}},
    ],
)
def test_a_palette_that_cannot_be_drawn_with_is_refused(drawing: dict[str, object]) -> None:
    with pytest.raises(UserError, match="drawing"):
        TrainConfig.build({"drawing": drawing})
