"""Engines: the same translation whoever computes it, conversions made once, integers only where they hold quality."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import translate
from tests.conftest import picture
from tests.inference.conftest import MakeCheckpoint
from translate.checkpoints.format import load_generator
from translate.errors import UserError
from translate.inference.runtimes import engines, quantise
from translate.inference.runtimes.engines import choose_engine
from translate.inference.runtimes.export import need
from translate.inference.runtimes.fused import fuse

CPU = torch.device("cpu")
for package in ("onnx", "onnxruntime", "onnxscript", "openvino"):
    pytest.importorskip(package)


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where converted models go."""
    monkeypatch.setenv("TRANSLATE_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "engines"


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder of images to calibrate with."""
    (tmp_path / "photographs").mkdir()
    for seed in range(6):
        picture(seed, (80, 64)).save(tmp_path / "photographs" / f"{seed}.png")
    return tmp_path / "photographs"


@pytest.mark.parametrize("settings", [{"upsample": "resize", "residual": True}, {"architecture": "unet"}])
def test_every_engine_translates_alike(make_checkpoint: MakeCheckpoint, settings: dict[str, Any]) -> None:
    folder = make_checkpoint("one", ("a2b",), **settings)
    pixels = np.stack([np.asarray(picture(seed, (50, 70))) for seed in range(2)])
    wanted = translate.load(folder, device="cpu", precision="float32").translate_batch(pixels).astype(int)
    assert wanted.std() > 5
    for engine in ("onnxruntime", "openvino"):
        made = translate.load(folder, precision="float32", engine=engine).translate_batch(pixels)
        assert np.abs(made - wanted).max() <= 1, engine
    rounded = translate.load(folder, precision="bfloat16", engine="openvino").translate_batch(pixels)
    assert np.abs(rounded - wanted).mean() < 5


def test_a_conversion_is_kept_until_the_weights_change(
    make_checkpoint: MakeCheckpoint, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, pixels = make_checkpoint("one", ("a2b",)), np.asarray(picture(0))
    first = translate.load(folder, engine="onnxruntime", precision="float32")(pixels)
    (kept,) = models.iterdir()  # and no draft beside it
    monkeypatch.setattr(engines, "as_onnx", None)
    assert np.array_equal(translate.load(folder, engine="onnxruntime", precision="float32")(pixels), first)
    monkeypatch.undo()
    monkeypatch.setenv("TRANSLATE_HOME", str(models.parent))
    other = make_checkpoint("one", ("a2b",), blocks=0)
    second = translate.load(other, engine="onnxruntime", precision="float32")(pixels)
    assert not np.array_equal(first, second)
    assert {kept} < set(models.iterdir())


def test_a_conversion_that_computes_something_else_is_not_kept(
    make_checkpoint: MakeCheckpoint, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_checkpoint("one", ("a2b",))
    wrong = load_generator(make_checkpoint("other", ("a2b",), norm="none"), "a2b")
    monkeypatch.setattr(engines, "fuse", lambda generator: fuse(wrong))
    with pytest.raises(UserError, match="computes something else"):
        translate.load(folder, engine="openvino")(np.asarray(picture(0)))
    assert list(models.iterdir()) == []


def test_only_the_latest_conversions_are_kept(
    make_checkpoint: MakeCheckpoint, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models.mkdir(parents=True)
    for number in range(4):
        (models / f"{number}.onnx").write_text("")
    (models / ".draft.onnx").write_text("another process is at it")
    monkeypatch.setattr(engines, "KEPT", 2)
    translate.load(make_checkpoint("one", ("a2b",)), engine="onnxruntime", precision="float32")(np.asarray(picture(0)))
    assert len(list(models.glob("[!.]*"))) == 2
    assert (models / ".draft.onnx").exists()


def test_threads_share_an_engine(make_checkpoint: MakeCheckpoint) -> None:
    translator = translate.load(make_checkpoint("one", ("a2b",)), engine="openvino", precision="float32").warm_up(64)
    pictures = [np.asarray(picture(seed, (64, 64))) for seed in range(4)]
    alone, together = [translator(image) for image in pictures], {}

    def work(number: int) -> None:
        for _ in range(5):
            together[number] = translator(pictures[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, image in enumerate(alone):
        assert np.array_equal(together[number], image)


def test_integers(
    make_checkpoint: MakeCheckpoint, photographs: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantise, "QUALITY", 30.0)  # weights drawn at random magnify what is rounded
    folder = make_checkpoint("one", ("a2b",), width=8, blocks=2)
    pixels = np.asarray(picture(9, (64, 64)))
    with pytest.raises(UserError, match=r"images of horse, --calibration FOLDER"):
        translate.load(folder, engine="openvino-int8")(pixels)
    words: dict[str, Any] = {"engine": "openvino-int8", "precision": "float32"}
    made = translate.load(folder, calibration=photographs, **words)(pixels)
    wanted = translate.load(folder, device="cpu", precision="float32")(pixels)
    assert 25 < quantise.psnr(made, wanted) < 70
    (file,) = models.glob("*int8*")
    kinds = [node.op_type for node in need("onnx").load(file).graph.node]
    assert kinds.count("QuantizeLinear") == 4  # the convolutions of two blocks
    assert np.array_equal(translate.load(folder, **words)(pixels), made)  # no images are needed from now on


def test_integers_only_where_they_hold_quality(
    make_checkpoint: MakeCheckpoint, photographs: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_checkpoint("one", ("a2b",), width=8, blocks=2)
    built: list[int] = []

    def falling(one: Any, other: Any) -> float:
        """As if each layer in integers cost 10 dB."""
        return 65.0 - 10 * built[-1]

    insert = quantise.insert

    def counted(model: Any, roundings: dict[str, Any]) -> Any:
        built.append(len(roundings))
        return insert(model, roundings)

    built.append(0)
    monkeypatch.setattr(quantise, "insert", counted)
    monkeypatch.setattr(quantise, "psnr", falling)
    monkeypatch.setattr(quantise, "QUALITY", 45.0)
    words: dict[str, Any] = {"engine": "openvino-int8", "precision": "float32", "calibration": photographs}
    translate.load(folder, **words)(np.asarray(picture(0)))
    assert built == [0, 4, 3, 2]
    built[:] = [0]
    monkeypatch.setattr(quantise, "QUALITY", 60.0)
    other = make_checkpoint("two", ("a2b",), width=8, blocks=1)
    with pytest.raises(UserError, match="would fall below 60 dB; use the engine openvino"):
        translate.load(other, **words)(np.asarray(picture(0)))
    assert len(list(models.glob("*int8*"))) == 1
    assert not list(models.glob(".*"))


def test_smoothing_and_cutting_help() -> None:
    """A channel that is a hundred times louder than the rest, and one number that is far out."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(16, 16, 3))
    image = torch.randn(1, 16, 32, 32)
    image[:, 0] *= 100
    image[0, 1, 0, 0] = 60
    (rounding,) = quantise.observe(network, [image], ["0"]).values()
    plain = float(image.max() - image.min()) / 255
    with torch.inference_mode():
        wanted = network(image)
        scales = torch.from_numpy(rounding.scales)[None, :, None, None]
        smooth = ((image / scales / rounding.step).round() + rounding.zero).clamp(0, 255) - rounding.zero
        made, naive = network(smooth * rounding.step * scales), network((image / plain).round() * plain)
    assert (made - wanted).std() < 0.5 * (naive - wanted).std()
    assert rounding.error == pytest.approx(float((made - wanted).var() / wanted.var()), rel=0.7)


@pytest.mark.parametrize(
    ("wish", "device", "precision", "sentence"),
    [
        ("tensorflow", "cpu", "auto", "no engine called tensorflow; there are auto, torch, onnxruntime"),
        ("openvino", "cuda", "auto", "openvino computes on the CPU, not on cuda"),
        ("onnxruntime", "cpu", "bfloat16", "ONNX Runtime computes in float32"),
    ],
)
def test_engines_that_are_not_to_be_had(wish: str, device: str, precision: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        choose_engine(wish, torch.device(device), precision)


def test_a_missing_package_is_named(make_checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(UserError, match=r"needs openvino; install it with: pip install 'translate-images\[export\]'"):
        translate.load(make_checkpoint(), engine="openvino")


def test_too_few_images_to_calibrate_with(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    picture(0).save(tmp_path / "few" / "one.png")
    translator = translate.load(make_checkpoint(), engine="openvino-int8", calibration=tmp_path / "few")
    with pytest.raises(UserError, match="few has 1 images; at least 4 of horse are needed"):
        translator(np.asarray(picture(0)))
