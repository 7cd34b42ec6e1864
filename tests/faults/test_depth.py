"""Results are as deep as the images that were learned from, not as what is translated; --depth overrides that."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import translate
from tests.conftest import picture, tiny_settings
from tests.inference.conftest import MakeCheckpoint
from translate.checkpoints.folder import read_config
from translate.cli import main
from translate.config import TrainConfig
from translate.data.report import inspect_folder
from translate.errors import UserError
from translate.training.trainer import train

Images = npt.NDArray[Any]


def save(path: Path, levels: Images) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, levels)
    elif levels.dtype == np.uint16 and levels.ndim == 3:
        cv2.imwrite(str(path), levels[:, :, ::-1])
    else:
        Image.fromarray(levels).save(path)


def noise(seed: int, channels: int, dtype: Any, top: int) -> Images:
    shape = (40, 40) if channels == 1 else (40, 40, channels)
    return np.random.default_rng(seed).integers(0, top, shape, endpoint=True).astype(dtype)


TARGETS: dict[str, tuple[str, int, Any, int, Any]] = {  # suffix, channels, type, highest level; the depth learned
    "16-bit grey PNG": (".png", 1, np.uint16, 65535, 16),
    "8-bit colour": (".png", 3, np.uint8, 255, 8),
    "16-bit colour PNG": (".png", 3, np.uint16, 65535, 16),
    "16-bit grey TIFF": (".tif", 1, np.uint16, 65535, 16),
    "five channels of 16 bits": (".npy", 5, np.uint16, 65535, 16),
    "five channels of 8 bits": (".npy", 5, np.uint8, 255, 8),
    "numbers from 0 to 1": (".tif", 1, np.float32, 1, "float"),
    "numbers from 0 to 65535": (".tif", 1, np.float32, 65535, "float"),
}


@pytest.fixture(scope="module", params=TARGETS)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A checkpoint that was trained from 8-bit colour to a kind of target."""
    suffix, channels, dtype, top, _ = TARGETS[request.param]
    root = tmp_path_factory.mktemp("data")
    for index in range(3):
        save(root / "trainA" / f"{index}.png", np.asarray(picture(index)))
        save(root / "trainB" / f"{index}{suffix}", noise(index, channels, dtype, top))
    tree = tiny_settings("pix2pix", root, root / "run", run__steps=1)
    tree["model"]["generator"] = tree["model"]["generator"] | {"out_channels": channels}
    run = train(TrainConfig.build(tree))
    return request.param, sorted((run / "checkpoints").iterdir())[-1]


def translated(checkpoint: Path, source: Path, target: Path, *words: str) -> Images:
    with pytest.raises(SystemExit) as left:
        main(["run", str(checkpoint), str(source), "-o", str(target), *words])
    assert not left.value.code
    if target.suffix == ".npy":
        return np.asarray(np.load(target))
    made = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
    assert made is not None
    return np.asarray(made)


def test_the_depth_that_was_learned(trained: tuple[str, Path], tmp_path: Path) -> None:
    member, checkpoint = trained
    suffix, channels, dtype, top, depth = TARGETS[member]
    sides = read_config(checkpoint).sides
    assert (sides["a"].channels, sides["a"].depth, sides["a"].range) == (3, 8, (0, 255))
    assert (sides["b"].channels, sides["b"].depth, sides["b"].range) == (channels, depth, (0, top))
    picture(9).save(tmp_path / "eight.png")
    save(tmp_path / "sixteen.png", noise(9, 3, np.uint16, 65535))
    for source in ("eight.png", "sixteen.png"):  # whatever the depth of what is translated
        made = translated(checkpoint, tmp_path / source, tmp_path / f"out{suffix}")
        assert made.dtype == dtype
        assert made.size == 40 * 40 * channels
        assert 0 <= made.min() < made.max() <= top
        if top > 255:
            assert made.max() > 300  # not the levels of 8 bits under another name
            assert len(np.unique(made)) > 256


def test_an_override(trained: tuple[str, Path], tmp_path: Path) -> None:
    member, checkpoint = trained
    channels = TARGETS[member][1]
    picture(9).save(tmp_path / "a.png")
    suffix = ".npy" if channels == 5 else ".tif"
    kinds = {
        depth: translated(checkpoint, tmp_path / "a.png", tmp_path / f"{depth}{suffix}", "--depth", depth)
        for depth in ("8", "16", "float")
    }
    assert [kinds[depth].dtype for depth in kinds] == [np.uint8, np.uint16, np.float32]
    top = TARGETS[member][3] if TARGETS[member][4] == "float" else 1
    assert np.abs(kinds["float"] / top - kinds["16"] / 65535).max() < 1e-4
    assert np.abs(kinds["16"] / 65535 - kinds["8"] / 255).max() < 0.003


def test_formats_that_hold_less_are_named(
    trained: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    member, checkpoint = trained
    if TARGETS[member][1] == 5:
        pytest.skip("no picture has five channels")
    picture(9).save(tmp_path / "a.jpg")
    translated(checkpoint, tmp_path / "a.jpg", tmp_path / "out.jpg")
    said = "but .jpg files hold less; --format tif keeps all of it." in capsys.readouterr().err
    assert said == (TARGETS[member][4] != 8)


def test_old_checkpoints_stay_as_they_are(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    folder = make_checkpoint()
    assert read_config(folder).sides == {}
    picture(9).save(tmp_path / "eight.png")
    save(tmp_path / "sixteen.png", noise(9, 3, np.uint16, 65535))
    assert translated(folder, tmp_path / "eight.png", tmp_path / "one.png").dtype == np.uint8
    assert translated(folder, tmp_path / "sixteen.png", tmp_path / "two.png").dtype == np.uint16
    with pytest.raises(UserError, match="The depth 12 is none of 8, 16 and float"):
        translate.load(folder, depth="12")


@pytest.mark.parametrize("member", ["16-bit grey PNG", "five channels of 8 bits", "8-bit colour"])
def test_inspect_sets_the_channels(member: str, tmp_path: Path) -> None:
    suffix, channels, dtype, top, _ = TARGETS[member]
    for index in range(4):
        save(tmp_path / "trainA" / f"{index}.png", np.asarray(picture(index)))
        save(tmp_path / "trainB" / f"{index}{suffix}", noise(index, channels, dtype, top))
    report = inspect_folder(tmp_path)
    assert report.model == "pix2pix"
    words = shlex.split(report.command)
    if channels == 3:
        assert "--model.generator.in_channels" not in words
    else:
        assert words[-4:] == ["--model.generator.in_channels", "3", "--model.generator.out_channels", str(channels)]
