"""Engines: PyTorch, ONNX Runtime and OpenVINO behind the same call.

An engine is a function of (N, C, H, W) float32 in [-1, 1] that gives the translation the same way. Models for the other
runtimes are made when they are first needed and kept in `home()/engines`, under a digest of all that they are made of.
"""

from __future__ import annotations

import hashlib
import json
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor

from translate._version import __version__
from translate.checkpoints.folder import read_config, weights_file
from translate.data.listing import list_images
from translate.downloads.home import home
from translate.errors import UserError
from translate.inference.runtimes.export import INPUT, Images, as_onnx, compare, describe, need
from translate.inference.runtimes.fused import fuse
from translate.inference.runtimes.quantise import calibration_images, quantise
from translate.networks.generator import Generator
from translate.settings import Direction

Engine: TypeAlias = Callable[[Tensor], Tensor]
Name = Literal["torch", "onnxruntime", "openvino", "openvino-int8"]
ENGINES: tuple[Name, ...] = get_args(Name)
KEPT = 24
"""Most models that are kept; beyond that, those that were not used for longest are deleted."""
HINTS = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
"""The names that OpenVINO gives to precisions."""


def choose_engine(wish: str, device: torch.device, precision: str) -> Name:
    """The engine asked for; `auto` is PyTorch, which needs no conversion.

    Raises:
        UserError: there is no such engine, its package is missing, or it has no such device or precision.
    """
    name = "torch" if wish == "auto" else wish
    if name not in ENGINES:
        raise UserError(f"There is no engine called {wish}; there are auto, {', '.join(ENGINES)}.")
    if name != "torch" and device.type != "cpu":
        raise UserError(f"The engine {name} computes on the CPU, not on {device}; leave out one of them.")
    if name == "onnxruntime" and precision not in ("auto", "float32"):
        raise UserError(f"ONNX Runtime computes in float32 on CPUs; for {precision} use the engine torch or openvino.")
    if name != "torch":
        need("onnxruntime" if name == "onnxruntime" else "openvino")
    return name


def make_engine(
    name: Name,
    generator: Generator,
    folder: Path,
    direction: Direction,
    *,
    device: torch.device,
    dtype: torch.dtype,
    calibration: Path | None = None,
) -> Engine:
    """An engine for a direction of a checkpoint; several threads may call it.

    Args:
        name: of the engine.
        generator: the direction's network in float32; it is left as it is.
        folder: the checkpoint.
        direction: a2b or b2a.
        device: where PyTorch computes.
        dtype: of the arithmetic; ONNX Runtime's is float32.
        calibration: for openvino-int8: a folder of images of the domain that is translated from. It is needed once.
    Raises:
        UserError: a package is missing, the converted model computes something else, calibration is missing or fails.
    """
    if name == "torch":
        return fuse(generator, dtype).to(device).to(memory_format=torch.channels_last)
    if name == "onnxruntime":
        return _onnxruntime(converted(generator, folder, direction))
    if name == "openvino":
        return _openvino(converted(generator, folder, direction), dtype)
    return _openvino(quantised(generator, folder, direction, dtype, calibration), dtype)


def converted(generator: Generator, folder: Path, direction: Direction) -> Path:
    """The ONNX file of a direction, made where it is missing, and checked when it is made."""
    config = read_config(folder)
    path = _place(folder, direction, "float32")
    if not path.is_file():
        model = as_onnx(fuse(generator), generator, describe(config, direction))
        draft = _draft(path, model)
        try:
            compare(_images(_onnxruntime_or_openvino(draft)), generator, generator, path.name)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        _prune(path.parent)
    path.touch()
    return path


def quantised(
    generator: Generator, folder: Path, direction: Direction, dtype: torch.dtype, calibration: Path | None
) -> Path:
    """The ONNX file of a direction with 8-bit integers, made where it is missing.

    Without calibration images the newest such file of the same weights is taken. Raises UserError where there is none.
    """
    pattern = f"int8-{HINTS[dtype]}"
    if calibration is None:
        known = sorted(
            _place(folder, direction, pattern).parent.glob(_place(folder, direction, pattern, "*").name),
            key=lambda path: path.stat().st_mtime,
        )
        if not known:
            source = read_config(folder).ends(direction)[0]
            raise UserError(
                f"8-bit integers need calibrating once: name a folder with images of {source}, --calibration FOLDER."
            )
        known[-1].touch()
        return known[-1]
    listing = [(path.name, path.stat().st_size) for path in list_images(calibration)]
    path = _place(folder, direction, pattern, hashlib.sha256(repr(listing).encode()).hexdigest()[:8])
    if not path.is_file():
        config = read_config(folder)
        images = calibration_images(config, direction, calibration)
        onnx = need("onnx")

        def build(model: Any) -> Callable[[Images], Images]:
            draft = _draft(path, model)
            try:
                return _images(_openvino(draft, dtype))
            finally:
                draft.unlink()

        plain = onnx.load(converted(generator, folder, direction))
        _draft(path, quantise(plain, fuse(generator), images, build, generator)).replace(path)
        _prune(path.parent)
    path.touch()
    return path


# ------------------------------------------------------------------------------------------------------------- runtimes


def _onnxruntime(path: Path) -> Engine:
    runtime = need("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = runtime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda images: torch.from_numpy(session.run(None, {INPUT: images.contiguous().numpy()})[0])


def _openvino(path: Path, dtype: torch.dtype) -> Engine:
    core = need("openvino").Core()
    hints = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": HINTS[dtype],
    }
    compiled = core.compile_model(path, "CPU", hints)
    own = threading.local()  # a request is one thread's at a time

    def run(images: Tensor) -> Tensor:
        if not hasattr(own, "request"):
            own.request = compiled.create_infer_request()
        return torch.from_numpy(own.request.infer([images.contiguous().numpy()])[0].copy())

    return run


def _onnxruntime_or_openvino(path: Path) -> Engine:
    """An engine in float32 to check a file with, of whichever runtime is installed."""
    try:
        return _onnxruntime(path)
    except UserError:
        return _openvino(path, torch.float32)


def _images(engine: Engine) -> Callable[[Images], Images]:
    return lambda images: engine(torch.from_numpy(images)).numpy()


# ---------------------------------------------------------------------------------------------------------------- cache


def _place(folder: Path, direction: Direction, kind: str, detail: str = "") -> Path:
    """The path that a model is kept at; its name is a digest of the weights and versions that it is made of."""
    config = read_config(folder)
    digest = hashlib.sha256()
    with weights_file(folder, direction).open("rb") as file:
        digest.update(hashlib.file_digest(file, "sha256").digest())
    made_of = [__version__, torch.__version__, config.statistics, config.generators[direction].model_dump(mode="json")]
    digest.update(json.dumps(made_of, sort_keys=True).encode())
    name = f"{digest.hexdigest()[:24]}-{kind}" + (f"-{detail}" if detail else "")
    return home() / "engines" / f"{name}.onnx"


def _draft(path: Path, model: Any) -> Path:
    """Write a model beside the place it is meant for. Raises UserError where that is impossible."""
    draft = path.with_name(f".{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(model.SerializeToString())
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise UserError(f"Cannot write the converted model {path}: {error.strerror or error}.") from error
    return draft


def _prune(folder: Path) -> None:
    for path in sorted(folder.glob("[!.]*.onnx"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        path.unlink(missing_ok=True)
