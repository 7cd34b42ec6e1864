"""The .pth files of pytorch-CycleGAN-and-pix2pix, both ways.

Such a file is the bare state dict of one network; `from_reference` finds out which network, so that nobody has to
repeat --netG, --norm and --no_dropout (issues 296, 461, 671 and 812 of that project).
"""

from __future__ import annotations

import contextlib
import pickle
import re
import warnings
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from translate._version import __version__
from translate.checkpoints.architecture import empty_generator
from translate.checkpoints.folder import CONFIG_FILE, read_config, weights_file
from translate.checkpoints.format import load_generator, save_checkpoint
from translate.checkpoints.reference_keys import (
    discriminator_from_reference,
    discriminator_to_reference,
    from_reference,
    to_reference,
)
from translate.checkpoints.settings import CheckpointConfig, Provenance
from translate.errors import UserError
from translate.networks import GeneratorConfig
from translate.networks.resnet import ResNetConfig
from translate.networks.unet import UNetConfig
from translate.settings import Direction, explain

__all__ = [
    "discriminator_from_reference",
    "discriminator_to_reference",
    "export_reference",
    "from_reference",
    "import_reference",
    "net_G",
    "to_reference",
]


def import_reference(
    files: Sequence[Path],
    out: Path,
    *,
    name: str | None = None,
    domains: tuple[str, str] = ("A", "B"),
    direction: Direction | None = None,
    statistics: Literal["running", "image"] | None = None,
) -> Path:
    """Make a checkpoint folder of one generator (pix2pix, or half of a CycleGAN) or of both generators of a CycleGAN.

    Args:
        files: `latest_net_G.pth`; or `latest_net_G_A.pth` and `latest_net_G_B.pth` in any order; of two files with
            other names the first is a2b.
        out: the checkpoint folder to write; one that exists is replaced.
        name: of the checkpoint; that of the folder if not given.
        domains: what a2b reads and what it makes. For a pix2pix model trained with --direction BtoA these are the
            reference's B and A: what its generator reads comes first.
        direction: of a single file; b2a for a file called `*_G_B.pth` and else a2b if not given.
        statistics: of batch norm. "image" if not given: the reference's test.py leaves the generator in training mode
            (unless --eval is given) and takes one image at a time, as section 3.3 of the pix2pix paper says, so each
            image is normalised by its own statistics. Dropout, which test.py then applies too, never is here.
    Returns:
        `out`.
    Raises:
        UserError: a file is missing, damaged, holds code, or is no generator; `out` is some other folder.
    """
    files, out = [Path(file) for file in files], Path(out)
    if out.exists() and not (out / CONFIG_FILE).is_file() and (out.is_file() or any(out.iterdir())):
        raise UserError(f"{out} exists and is not a checkpoint; choose a new folder for the imported one.")
    if any(out.resolve() in file.resolve().parents for file in files):
        raise UserError(
            f"{out} holds the file to import and would be replaced; choose a new folder for the checkpoint."
        )

    configs: dict[Direction, GeneratorConfig] = {}
    generators: dict[str, nn.Module] = {}
    for towards, file in _directions(files, direction).items():
        try:
            configs[towards], state = from_reference(_read(file))
        except ValueError as error:
            reason = explain(error) if isinstance(error, ValidationError) else error
            raise UserError(f"{file} is not a generator of the reference implementation: {reason}.") from error
        generators[towards] = empty_generator(configs[towards])
        generators[towards].load_state_dict(state, assign=True)

    batch_norm = any(config.norm == "batch" for config in configs.values())
    first = next(iter(configs.values()))
    config = CheckpointConfig(
        name=name or out.resolve().name,
        domains={"a": domains[0], "b": domains[1]},
        generators=configs,
        image_size=first.size if isinstance(first, UNetConfig) else 256,
        statistics=statistics or ("image" if batch_norm else "running"),
        provenance=Provenance(
            model=f"imported from {' and '.join(file.name for file in files)} of pytorch-CycleGAN-and-pix2pix",
            version=__version__,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )
    return save_checkpoint(out, config, generators)


def export_reference(folder: Path, out: Path, module_prefix: bool = False) -> list[Path]:
    """Write a checkpoint's generators as the reference implementation saves them.

    Args:
        folder: a checkpoint folder.
        out: folder for `latest_net_G.pth`, or for `latest_net_G_A.pth` (a2b) and `latest_net_G_B.pth` (b2a) of a
            checkpoint with both directions, i.e. the reference's `checkpoints/NAME`.
        module_prefix: put `module.` before every name, for code that loads into nn.DataParallel.
    Returns:
        the files.
    Warns:
        UserWarning: the reference's classes can build the generator, but its --netG has no name for it.
    Raises:
        UserError: no checkpoint, damaged weights, or an architecture that the reference does not have.
    """
    config = read_config(folder)
    names = {"a2b": "latest_net_G_A.pth", "b2a": "latest_net_G_B.pth"}
    states: dict[Path, dict[str, Tensor]] = {}
    for direction, architecture in config.generators.items():
        load_generator(folder, direction)  # raises for weights that are missing or do not fit
        weights = safetensors.torch.load_file(weights_file(folder, direction))
        state = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in weights.items()}
        try:
            state = to_reference(state, architecture)
        except ValueError as error:
            raise UserError(f"{folder} cannot be exported: {error}.") from error
        path = Path(out) / (names[direction] if len(config.generators) == 2 else "latest_net_G.pth")
        states[path] = {f"module.{key}": tensor for key, tensor in state.items()} if module_prefix else state
        if net_G(architecture) is None:
            warnings.warn(
                f"{path.name} has {_extent(architecture)}: the reference implementation's classes can build that, its "
                "--netG (6 or 9 blocks, 128 or 256 pixels) cannot.",
                stacklevel=2,
            )
    for path, state in states.items():
        _write(state, path)
    return list(states)


def net_G(config: GeneratorConfig) -> str | None:
    """The reference's --netG for a generator that it has; None where its command line has none of this depth."""
    if isinstance(config, UNetConfig):
        return f"unet_{config.size}" if config.size in (128, 256) else None
    if isinstance(config, ResNetConfig):
        return f"resnet_{config.blocks}blocks" if config.blocks in (6, 9) else None
    return None


def _extent(config: GeneratorConfig) -> str:
    return f"a {config.describe()}"


def _directions(files: list[Path], direction: Direction | None) -> dict[Direction, Path]:
    """Which file translates which way."""
    ends = [match.group(1) if (match := re.search(r"G_([AB])$", file.stem)) else None for file in files]
    if len(files) == 1:
        return {direction or ("b2a" if ends == ["B"] else "a2b"): files[0]}
    if len(files) != 2:
        raise UserError(f"A checkpoint is made of one generator or two, not of {len(files)} files.")
    if direction is not None:
        raise UserError("The direction can be chosen for a single file; with two the first (or *_G_A.pth) is A to B.")
    a2b, b2a = reversed(files) if ends == ["B", "A"] else files
    return {"a2b": a2b, "b2a": b2a}


def _read(path: Path) -> dict[str, Tensor]:
    """The state dict in a .pth file, without running any code in it."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    try:
        # Files from before PyTorch 1.6 are no archives and cannot be mapped.
        content: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        if code := re.search(r"GLOBAL (\S+)", str(error)):
            raise UserError(
                f"{path} holds code ({code[1]}) besides weights and is not opened; get a plain one."
            ) from error
        raise UserError(f"{path} is damaged or no .pth file; copy or download it again.") from error
    except Exception as error:  # a torn file gives OSError, EOFError, RuntimeError, IndexError, struct.error, …
        raise UserError(f"{path} is damaged or no .pth file; copy or download it again.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds a {type(content).__name__} and not the weights of a generator.")
    if not all(isinstance(key, str) and isinstance(tensor, Tensor) for key, tensor in content.items()):
        there = ", ".join(str(key) for key in list(content)[:3])
        raise UserError(f"{path} holds more than the weights of one generator ({there}, …); give the file of net_G.")
    return content


def _write(state: dict[str, Tensor], path: Path) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(state, unfinished)
        unfinished.replace(path)
    except (OSError, RuntimeError) as error:
        raise UserError(f"Cannot write {path}: {getattr(error, 'strerror', None) or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()
