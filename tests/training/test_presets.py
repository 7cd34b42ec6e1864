"""Every preset of datasets/ trains and translates, in each way that a processor may compute it.

A compact preset is trained as it is, except for the number of steps. So are the others, but for what would only take
time: residual blocks after the second, which are all alike, batches of more than one image, and crops that can be
smaller without another kernel being chosen. Presets that then differ in names alone are one configuration, which is
trained once.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tests.conftest import REPOSITORY, picture
from translate.config import TrainConfig
from translate.devices import choose_device, has_fast_bfloat16
from translate.inference.translator import Translator
from translate.kernels import processor
from translate.kernels.winograd import WinogradConv
from translate.models import build_model, model_class, model_terms
from translate.tracking.history import read_history
from translate.training.trainer import train

PRESETS = [
    str(path.relative_to(REPOSITORY / "datasets").with_suffix(""))
    for path in sorted((REPOSITORY / "datasets").glob("*/*.yaml"))
    if path.name not in ("card.yaml", "sweep.yaml")
]
STEPS = 3
SIDE = 256
"""Width and height of the pictures, in pixels."""
SMALL_CROP = 128
"""The smallest crop of which the wide layers of the CycleGAN paper's generator, at a quarter of the resolution, are
computed by Winograd's algorithm for single images: 8 × 8 tiles of 4 × 4 pixels. A U-Net has its own smallest size."""

BY_WINOGRAD = {
    "apple2orange/train",
    "facades/compact",
    "horse2zebra/compact",
    "horse2zebra/cut",
    "horse2zebra/fastcut",
}
"""Configurations that train with Winograd's algorithm: 96 channels or more on both sides and 64 tiles or more."""


def load(preset: str, **overrides: Any) -> TrainConfig:
    return TrainConfig.load(REPOSITORY / "datasets" / f"{preset}.yaml", overrides)


def quick(preset: str) -> dict[str, Any]:
    """Settings that make a preset quick to train and leave the kinds of its layers as they are."""
    if preset.endswith("/compact"):
        return {}
    config = load(preset)
    changes: dict[str, Any] = {"optim.batch_size": 1}
    if config.model.generator.architecture == "resnet":
        changes |= {"model.generator.blocks": 2, "data.crop_size": min(config.data.crop_size, SMALL_CROP)}
    return changes


def configurations() -> dict[str, list[str]]:
    """{first preset: all presets that train the same networks in the same way}."""
    found: dict[str, list[str]] = {}
    for preset in PRESETS:
        tree = load(preset, **quick(preset)).dump()
        same = {"model": tree["model"], "optim": tree["optim"], "start": tree["run"]["start_from"]}
        same |= {name: tree["data"][name] for name in ("crop_size", "load_size", "augment", "augment_A", "augment_B")}
        found.setdefault(json.dumps(same, sort_keys=True), []).append(preset)
    return {presets[0]: presets for presets in found.values()}


CONFIGURATIONS = configurations()

COMPILED_PRECISION = "bfloat16" if has_fast_bfloat16(choose_device("cpu")) else "float32"
"""`train` compiles by itself in bfloat16 alone, on a CPU."""
TRACED = [name for name in CONFIGURATIONS if name not in ("edges2shoes/compact", "monet2photo/compact")]
"""What is compiled without writing code: neither that for which code is written, nor one with another's networks."""


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders of pictures made by code, four of each domain.

    {"paired": side by side, "unpaired": two folders, "masked": the same with masks of an object in the middle}
    """
    folders = {name: tmp_path_factory.mktemp(name) for name in ("paired", "unpaired")}
    for split in ("train", "val", "test"):
        for folder in (folders["paired"] / split, *(folders["unpaired"] / f"{split}{domain}" for domain in "AB")):
            folder.mkdir()
        for index in range(4):
            A, B = picture(2 * index, (SIDE, SIDE)), picture(2 * index + 1, (SIDE, SIDE))
            A.save(folders["unpaired"] / f"{split}A" / f"{index}.png")
            B.save(folders["unpaired"] / f"{split}B" / f"{index}.png")
            Image.fromarray(np.hstack([np.asarray(A), np.asarray(B)])).save(folders["paired"] / split / f"{index}.png")
    folders["masked"] = tmp_path_factory.mktemp("masked") / "data"
    shutil.copytree(folders["unpaired"], folders["masked"])
    mask = Image.fromarray(np.pad(np.full((SIDE // 2, SIDE // 2), 255, np.uint8), SIDE // 4))
    for folder in sorted(folders["masked"].iterdir()):
        masks = folder.with_name(f"{folder.name}_mask")
        masks.mkdir()
        for file in folder.iterdir():
            mask.save(masks / file.name)
    return folders


def train_and_translate(preset: str, folders: dict[str, Path], run: Path, **settings: Any) -> None:
    """Take three steps, translate a picture with the checkpoint they leave, and remove the run, which may be large."""
    config = load(preset)
    model = config.model
    kind = "paired" if model_class(model.name).paired else "masked" if config.data.object_crop.share else "unpaired"
    chosen = {
        "data.root": str(folders[kind]),
        "data.workers": 0,
        "run.dir": str(run),
        "run.steps": STEPS,
        "run.log_every": 1,
        "run.samples": 0,
        "run.device": "cpu",
        "tracking.mode": "disabled",
    }
    train(load(preset, **quick(preset), **chosen, **settings))
    rows = read_history(run / "history.jsonl")
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    losses = [row[term.name] for row in rows for term in model_terms(model)]
    assert len(losses) >= 5 * STEPS and all(map(math.isfinite, losses))
    translator = Translator(run / "checkpoints" / f"step-{STEPS:08}", device="cpu", precision=settings["run.precision"])
    for direction in translator.directions:
        made = np.asarray(translator(picture(99, (SIDE, SIDE)), direction))
        assert made.shape == (SIDE, SIDE, 3)
        assert made.std() > 0
    shutil.rmtree(run)


@pytest.fixture
def winograd_calls(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Take this processor for one with AVX2 alone. Holds an entry for each convolution by Winograd in training."""
    calls: list[object] = []
    apply = WinogradConv.apply

    def noted(*arguments: object) -> object:
        if torch.is_grad_enabled():
            calls.append(arguments[1])
        return apply(*arguments)

    monkeypatch.setattr(WinogradConv, "apply", noted)
    monkeypatch.setattr(processor, "has_avx2_alone", lambda: True)
    return calls


def test_every_preset_is_one_of_the_configurations() -> None:
    assert len(PRESETS) == sum(map(len, CONFIGURATIONS.values())) >= 18
    assert {"facades/train", "facades/compact"} <= set(PRESETS)
    assert {f"horse2zebra/{name}" for name in ("train", "compact", "cut", "fastcut")} <= set(PRESETS)


@pytest.mark.slow
@pytest.mark.parametrize("preset", CONFIGURATIONS)
def test_it_trains_in_float32(preset: str, pictures: dict[str, Path], tmp_path: Path) -> None:
    train_and_translate(preset, pictures, tmp_path / "run", **{"run.precision": "float32"})


@pytest.mark.slow
@pytest.mark.parametrize("preset", CONFIGURATIONS)
def test_it_trains_in_float32_on_a_processor_with_avx2_alone(
    preset: str, pictures: dict[str, Path], tmp_path: Path, winograd_calls: list[object]
) -> None:
    train_and_translate(preset, pictures, tmp_path / "run", **{"run.precision": "float32"})
    assert bool(winograd_calls) == (preset in BY_WINOGRAD)


@pytest.mark.slow
@pytest.mark.skipif(not has_fast_bfloat16(choose_device("cpu")), reason="this processor has no bfloat16")
@pytest.mark.parametrize("preset", CONFIGURATIONS)
def test_it_trains_in_bfloat16(preset: str, pictures: dict[str, Path], tmp_path: Path) -> None:
    train_and_translate(preset, pictures, tmp_path / "run", **{"run.precision": "bfloat16"})


@pytest.mark.slow
@pytest.mark.parametrize("preset", TRACED)
def test_it_trains_compiled(
    preset: str, pictures: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Traced and differentiated by torch.compile, then run operation by operation: writing code would take minutes."""
    compile_module = nn.Module.compile
    compiled: list[nn.Module] = []

    def trace(module: nn.Module, **options: Any) -> None:
        compiled.append(module)
        compile_module(module, backend="aot_eager", fullgraph=True, **options)

    monkeypatch.setattr(nn.Module, "compile", trace)
    settings = {"run.precision": COMPILED_PRECISION, "run.compile": "on"}
    train_and_translate(preset, pictures, tmp_path / "run", **settings)
    players = build_model(load(preset, **quick(preset)).model).players
    networks = [network for player in players for network in player.networks.values()]
    assert len(compiled) == sum(len(network) if isinstance(network, nn.ModuleList) else 1 for network in networks)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_it_trains_with_generated_code(pictures: dict[str, Path], tmp_path: Path) -> None:
    settings = {"run.precision": COMPILED_PRECISION, "run.compile": "on"}
    train_and_translate("edges2shoes/compact", pictures, tmp_path / "run", **settings)
