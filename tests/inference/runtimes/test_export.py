"""Exported files: the same pictures in other runtimes, at any size, and what they say of themselves."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.inference.conftest import MakeCheckpoint
from translate.checkpoints.format import load_generator
from translate.errors import UserError
from translate.inference.runtimes.export import READERS, SUFFIXES, export_checkpoint, need

RESIZE = {"upsample": "resize"}
RESIDUAL = {"residual": True, "norm": "none"}
UNET = {"architecture": "unet", "norm": "batch", "dropout": True}
for package in ("onnx", "onnxruntime", "onnxscript", "openvino"):
    pytest.importorskip(package)


def about(path: Path) -> dict[str, Any]:
    """What the file says of itself."""
    if path.suffix == ".onnx":
        text = {entry.key: entry.value for entry in need("onnx").load(path).metadata_props}["translate"]
    elif path.suffix == ".xml":
        text = need("openvino").Core().read_model(path).get_rt_info("translate").astype(str)
    else:
        extra: dict[str, Any] = {"translate.json": ""}
        load: Callable[..., Any] = torch.export.load if path.suffix == ".pt2" else torch.jit.load
        key = "extra_files" if path.suffix == ".pt2" else "_extra_files"
        load(path, **{key: extra})
        text = extra["translate.json"]
    told: dict[str, Any] = json.loads(text)
    return told


@pytest.mark.parametrize(
    ("format", "settings"),
    [
        ("onnx", RESIZE),
        ("onnx", UNET),
        ("openvino", RESIDUAL),
        ("torchscript", UNET),
        ("torchscript", RESIDUAL),
        ("torch", UNET),
    ],
)
def test_other_runtimes_make_the_same_picture(
    make_checkpoint: MakeCheckpoint, tmp_path: Path, format: Any, settings: dict[str, Any]
) -> None:
    directions = ("a2b", "b2a") if format == "torchscript" else ("b2a",)
    folder = make_checkpoint("horse zebra", directions, **settings)
    paths = export_checkpoint(folder, tmp_path / "out", format)
    suffix = SUFFIXES[format]
    models = [path for path in paths if path.suffix == suffix]
    assert [path.name for path in models] == [f"horse-zebra-{direction}{suffix}" for direction in directions]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(path.name for path in paths)
    told = about(models[-1])
    unit = 32 if settings.get("architecture") else 4
    assert (told["direction"], told["from"], told["to"], told["multiple"]) == ("b2a", "zebra", "horse", unit)
    run = READERS[format](models[-1])
    generator = load_generator(folder, "b2a")
    for shape in ((1, 3, 32, 32), (3, 3, 96, 64), (1, 3, 64, 160)):  # none of them one that the export has checked
        images = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
        with torch.inference_mode():
            wanted = generator(torch.from_numpy(images)).numpy()
        np.testing.assert_allclose(run(images), wanted, rtol=0, atol=1e-3)
        assert wanted.std() > 0.05


@pytest.mark.parametrize("format", ["onnx", "openvino", "torch"])
def test_half_the_size(make_checkpoint: MakeCheckpoint, tmp_path: Path, format: Any) -> None:
    folder = make_checkpoint(directions=("a2b",), width=32, blocks=2)
    sizes = {}
    for half in (False, True):
        paths = export_checkpoint(folder, tmp_path / str(half), format, half=half)
        sizes[half] = sum(path.stat().st_size for path in paths)
    assert sizes[True] < 0.6 * sizes[False]
    images = np.random.default_rng(1).uniform(-1, 1, (1, 3, 64, 64)).astype(np.float32)
    name = f"tiny-a2b{SUFFIXES[format]}"
    made, wanted = READERS[format](tmp_path / "True" / name), READERS[format](tmp_path / "False" / name)
    assert 0 < np.abs(made(images) - wanted(images)).mean() < 5e-3


def test_a_file_that_computes_something_else_is_not_kept(
    make_checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "tiny-a2b.pt2").write_text("an earlier one")
    read = READERS["torch"]

    def wrong(path: Path) -> Any:
        run = read(path)
        return lambda images: run(images) + (2e-3 if images.shape[2] != images.shape[3] else 0)

    monkeypatch.setitem(READERS, "torch", wrong)
    with pytest.raises(UserError, match=r"tiny-a2b\.pt2 computes something else.*0\.002 at"):
        export_checkpoint(make_checkpoint(), tmp_path / "out", "torch")
    assert [path.read_text() for path in (tmp_path / "out").iterdir()] == ["an earlier one"]


def test_missing_packages_are_named(
    make_checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(UserError, match=r"needs onnxscript; install it with: pip install 'translate-images\[export\]'"):
        export_checkpoint(make_checkpoint(), tmp_path / "out", "onnx")
    assert not list((tmp_path / "out").iterdir())
