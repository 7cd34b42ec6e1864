"""Generators as files for other programs: ONNX, OpenVINO, TorchScript and torch.export, checked when they are written.

All take images of any number and size: «image», (N, C, H, W) float32 in [-1, 1], sides multiples of what the file says;
and give «translation», the same way. What a file says of itself is one JSON text, under the name «translate» in ONNX's
metadata and OpenVINO's rt_info, and as the extra file translate.json in the others.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.fx.experimental import _config as fx_config
from torch.nn.utils import parametrize

from translate._version import __version__
from translate.checkpoints.folder import read_config
from translate.checkpoints.format import load_generator
from translate.checkpoints.settings import CheckpointConfig
from translate.errors import UserError
from translate.inference.runtimes.fused import fuse
from translate.networks.generator import Generator
from translate.settings import Direction

Format: TypeAlias = Literal["onnx", "openvino", "torchscript", "torch"]
Images: TypeAlias = npt.NDArray[np.float32]
"""Images (N, C, H, W) in [-1, 1]."""

SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".pt", "torch": ".pt2"}
TOLERANCE = 1e-3
"""Largest difference from PyTorch's float32 output that a written file may show, in [-1, 1]: an eighth of a level."""
LARGEST_SMALLEST = 16
"""Most multiples that are tried; a generator that takes no image of fewer is assumed to take one of so many."""
INPUT, OUTPUT, ABOUT = "image", "translation", "translate"


def export_checkpoint(folder: Path, out: Path, format: Format, *, half: bool = False) -> list[Path]:
    """Write one model a direction into the folder `out`: NAME-a2b.onnx, and .bin beside .xml for OpenVINO.

    Each is loaded again and compared with PyTorch at three sizes, one of which is not square, before it gets its name.

    Args:
        folder: a checkpoint folder.
        out: folder for the files; files of the same names in it are replaced.
        format: of the files.
        half: store the weights as float16, at half the size; the arithmetic stays float32. The comparison is then with
            the same rounded weights.
    Returns:
        the files.
    Raises:
        UserError: a package is missing, the checkpoint is damaged, a file computes something else than PyTorch, or the
            folder cannot be written.
    """
    config = read_config(folder)
    written = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out, prefix=".unfinished-") as draft:
            for direction in config.generators:
                generator = load_generator(folder, direction)
                assert isinstance(generator, Generator)
                network = fuse(generator)
                expected = store_half(network) if half else generator
                name = re.sub(r"[^\w.-]+", "-", f"{config.name}-{direction}") + SUFFIXES[format]
                path = Path(draft) / name
                WRITERS[format](network, generator, describe(config, direction), path)
                compare(READERS[format](path), expected, generator, name)
            for path in sorted(Path(draft).iterdir()):
                shutil.move(path, out / path.name)
                written.append(out / path.name)
    except OSError as error:
        raise UserError(f"Cannot write into {out}: {error.strerror or error}.") from error
    return written


def describe(config: CheckpointConfig, direction: Direction) -> str:
    """The JSON text that is written into an exported file: where it is from, what it reads and what it makes."""
    source, target = config.ends(direction)
    generator = config.generators[direction]
    about = {
        "program": f"translate {__version__}",
        "name": config.name,
        "title": config.title,
        "direction": direction,
        "from": source,
        "to": target,
        "in_channels": generator.in_channels,
        "out_channels": generator.out_channels,
        "multiple": generator.multiple,
        "range": config.value_range,
        "image_size": config.image_size,
    }
    return json.dumps(about, ensure_ascii=False)


def need(name: str) -> Any:
    """Import an optional package. Raises UserError that says how to get it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise UserError(f"This needs {package}; install it with: pip install 'translate-images[export]'") from error


def store_half(network: nn.Module) -> nn.Module:
    """Keep the weights of convolutions as float16; they become float32 when they are used. Returns the module."""
    for layer in list(network.modules()):
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layer.weight = nn.Parameter(layer.weight.half(), requires_grad=False)
            parametrize.register_parametrization(layer, "weight", _Widened(), unsafe=True)
    return network


class _Widened(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight.float()


# -------------------------------------------------------------------------------------------------------------- writing


def as_program(network: nn.Module, generator: Generator) -> torch.export.ExportedProgram:
    """Trace a network as a graph for any number of images of any size that it takes.

    Args:
        network: a fused generator.
        generator: the generator itself, which tells the channels and the multiple of pixels.
    """
    unit, fewest = generator.multiple, fewest_multiples(generator)
    shape = {0: torch.export.Dim("batch", min=1)}
    for axis, name in ((2, "rows"), (3, "columns")):
        shape[axis] = unit * torch.export.Dim(name, min=fewest)
    steps = max(-(-32 // unit), fewest)  # unequal sides, neither of them 1 in the middle: no special case is traced
    image = torch.zeros(2, generator.in_channels, 2 * steps * unit, 3 * steps * unit)
    # Else the graph refuses a U-Net's smallest size, which is 1 in its middle.
    with fx_config.patch(backed_size_oblivious=True):  # type: ignore[attr-defined]
        return torch.export.export(network, (image,), dynamic_shapes=(shape,))


def fewest_multiples(generator: Generator) -> int:
    """The smallest side of an image that a generator takes, in units of `generator.multiple`.

    Reflection needs more pixels than it adds, and instance norm more than one, also in the coarsest layers.
    """
    for count in range(1, LARGEST_SMALLEST):
        side = count * generator.multiple
        with torch.inference_mode(), contextlib.suppress(RuntimeError, ValueError):
            generator(torch.zeros(1, generator.in_channels, side, side))
            return count
    return LARGEST_SMALLEST


def as_onnx(network: nn.Module, generator: Generator, about: str) -> Any:
    """A fused generator as an onnx.ModelProto. Raises UserError where onnx or onnxscript is missing."""
    onnx = need("onnx")
    need("onnxscript")
    with _quietly():
        program = torch.onnx.export(
            as_program(network, generator), dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False
        )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {ABOUT: about})
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        for place, name in ((0, "batch"), (2, "height"), (3, "width")):
            value.type.tensor_type.shape.dim[place].dim_param = name
    return model


def _write_onnx(network: nn.Module, generator: Generator, about: str, path: Path) -> None:
    path.write_bytes(as_onnx(network, generator, about).SerializeToString())


def _write_openvino(network: nn.Module, generator: Generator, about: str, path: Path) -> None:
    openvino = need("openvino")
    model = openvino.Core().read_model(io.BytesIO(as_onnx(network, generator, about).SerializeToString()))
    model.set_rt_info(about, ABOUT)
    openvino.save_model(model, path, compress_to_fp16=False)


def _write_torchscript(network: nn.Module, generator: Generator, about: str, path: Path) -> None:
    side = -(-32 // generator.multiple) * generator.multiple
    image = torch.zeros(1, generator.in_channels, side, side)
    with _quietly():
        traced = torch.jit.trace(network, image, check_trace=False)  # type: ignore[no-untyped-call]
        torch.jit.save(traced, path, _extra_files={f"{ABOUT}.json": about})


def _write_torch(network: nn.Module, generator: Generator, about: str, path: Path) -> None:
    with _quietly():
        torch.export.save(as_program(network, generator), path, extra_files={f"{ABOUT}.json": about})


WRITERS: dict[Format, Callable[[nn.Module, Generator, str, Path], None]] = {
    "onnx": _write_onnx,
    "openvino": _write_openvino,
    "torchscript": _write_torchscript,
    "torch": _write_torch,
}


# ------------------------------------------------------------------------------------------------------------- checking


def compare(run: Callable[[Images], Images], expected: nn.Module, generator: Generator, name: str) -> None:
    """Compare a model with a network at three sizes.

    Args:
        run: the model.
        expected: what it should compute.
        generator: tells the channels and the multiple of pixels.
        name: of the model, for the message.
    Raises:
        UserError: they differ by more than TOLERANCE.
    """
    side = -(-64 // generator.multiple) * generator.multiple
    for count, height, width in ((1, side, side), (2, side, 2 * side), (1, 2 * side, side + generator.multiple)):
        shape = (count, generator.in_channels, height, width)
        images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
        with torch.inference_mode():
            wanted = expected(torch.from_numpy(images)).numpy()
        made = run(images)
        difference = float(np.abs(made - wanted).max()) if made.shape == wanted.shape else float("inf")
        if not difference <= TOLERANCE:
            raise UserError(
                f"{name} computes something else than PyTorch (a difference of {difference:.2g} at {width}×{height} "
                f"pixels), so it was not kept; export to another format."
            )


def _read_onnx(path: Path) -> Callable[[Images], Images]:
    runtime = need("onnxruntime")
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {INPUT: images})[0]


def _read_openvino(path: Path) -> Callable[[Images], Images]:
    model = need("openvino").Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda images: model(images)[0]


def _in_torch(network: Callable[[Tensor], Tensor]) -> Callable[[Images], Images]:
    def run(images: Images) -> Images:
        with torch.inference_mode():
            made: Images = network(torch.from_numpy(images)).numpy()
        return made

    return run


def _read_torchscript(path: Path) -> Callable[[Images], Images]:
    return _in_torch(torch.jit.load(path))  # type: ignore[no-untyped-call]


def _read_torch(path: Path) -> Callable[[Images], Images]:
    return _in_torch(torch.export.load(path).module())


READERS: dict[Format, Callable[[Path], Callable[[Images], Images]]] = {
    "onnx": _read_onnx,
    "openvino": _read_openvino,
    "torchscript": _read_torchscript,
    "torch": _read_torch,
}


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Silence PyTorch's exporters, which report their progress in warnings, prints and thousands of log records."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
