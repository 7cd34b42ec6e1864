"""The checkpoint folder: config.json, one safetensors file a direction, a model card.

    horse2zebra/
      config.json               all that is needed to use the weights (`translate.config.CheckpointConfig`)
      a2b.safetensors           the generator from A to B; b2a.safetensors where there is one
      README.md                 the model card
      samples/                  pictures for the card, where there are any

Nothing in it is code and nothing is unpickled, so a folder from a stranger can be opened.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from translate.checkpoints.architecture import empty_generator
from translate.checkpoints.card import model_card
from translate.checkpoints.folder import (
    CARD_FILE,
    CONFIG_FILE,
    flush,
    open_weights,
    read_config,
    weights_file,
)
from translate.checkpoints.settings import CheckpointConfig
from translate.errors import UserError
from translate.networks.blocks import use_image_statistics
from translate.settings import Direction

WEIGHT_DTYPES = (torch.float32, torch.float16, torch.bfloat16)


# --------------------------------------------------------------------------------------------------------------- saving


def save_checkpoint(
    folder: Path,
    config: CheckpointConfig,
    generators: Mapping[str, nn.Module] | Mapping[Direction, nn.Module],
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write a checkpoint folder; either the whole new one is there afterwards or the old one still is.

    Args:
        folder: the checkpoint folder. One that exists is replaced, with all that lies in it.
        config: what goes into config.json; written in full, so that later defaults cannot change what it means.
        generators: one module for each direction in `config.generators`, as `build_generator` makes it (neither
            compiled nor wrapped for several processes); may lie on any device.
        dtype: of the parameters on disk: float32, float16 or bfloat16. Buffers (running statistics) keep their own.
    Returns:
        `folder`.
    Raises:
        UserError: the weights do not fit into float16, or the folder cannot be written.
        ValueError: a module does not fit `config`, or the dtype is none of the three.
    """
    if dtype not in WEIGHT_DTYPES:
        raise ValueError(f"weights are float32, float16 or bfloat16 on disk, not {dtype}")
    if set(generators) != set(config.generators):
        raise ValueError(f"generators for {sorted(generators)} do not fit a config for {sorted(config.generators)}")
    states = {}
    for direction, architecture in config.generators.items():
        states[direction] = _state(generators[direction], dtype, config.name)
        problem = _misfit(states[direction], empty_generator(architecture))
        if problem:
            raise ValueError(f"the generator for {direction} is not what the config says: {problem}")

    folder = Path(folder)
    unfinished = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.unfinished")
    try:
        unfinished.mkdir(parents=True)
        _write(unfinished / CONFIG_FILE, _as_json(config))
        for direction, state in states.items():
            path = weights_file(unfinished, direction)
            safetensors.torch.save_file(state, path, metadata=_metadata(config, direction))
            path.chmod(
                (unfinished / CONFIG_FILE).stat().st_mode
            )  # safetensors makes files that only their owner may read
            flush(path)
        _write(unfinished / CARD_FILE, model_card(config, unfinished))
        flush(unfinished)
        _replace(unfinished, folder)
    except (OSError, safetensors.SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"Cannot write the checkpoint {folder}: {reason}.") from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def write_config(folder: Path, config: CheckpointConfig) -> None:
    """Replace config.json and README.md of a checkpoint and leave its weights alone, e.g. to record metrics or samples.

    Raises UserError where the folder is no checkpoint or cannot be written.
    """
    read_config(folder)
    try:
        for name, text in ((CONFIG_FILE, _as_json(config)), (CARD_FILE, model_card(config, folder))):
            unfinished = folder / f".{name}.unfinished"
            _write(unfinished, text)
            unfinished.replace(folder / name)
    except OSError as error:
        raise UserError(f"Cannot write into the checkpoint {folder}: {error.strerror}.") from error


def _state(module: nn.Module, dtype: torch.dtype, name: str) -> dict[str, torch.Tensor]:
    """The module's tensors on the CPU, contiguous, its parameters as `dtype`."""
    parameters = {key for key, _ in module.named_parameters(remove_duplicate=False)}
    state = {}
    for key, tensor in module.state_dict().items():
        on_disk = tensor.detach().to("cpu", dtype if key in parameters else tensor.dtype, copy=True).contiguous()
        if dtype == torch.float16 and bool(torch.isinf(on_disk).any()) and bool(torch.isfinite(tensor).all()):
            raise UserError(f"{key} of {name} has values above 65504, too large for float16; use bfloat16 or float32.")
        state[key] = on_disk
    return state


def _metadata(config: CheckpointConfig, direction: Any) -> dict[str, str]:
    """What the weights file says about itself, so that one that lost its folder can still be told apart.

    It is one entry because safetensors writes several in random order, and equal weights should give equal files.
    """
    about = {
        "format": f"translate {config.format_version}",
        "name": config.name,
        "direction": direction,
        "generator": config.generators[direction].model_dump(mode="json"),
    }
    return {"translate": json.dumps(about, sort_keys=True)}


def _as_json(config: CheckpointConfig) -> str:
    return json.dumps(config.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    flush(path)


def _replace(new: Path, folder: Path) -> None:
    """Put `new` in the place of `folder`. A folder cannot be renamed over another, so the old one steps aside first."""
    aside = None
    if folder.exists():
        aside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.old")
        folder.rename(aside)
    try:
        new.rename(folder)
    except OSError:
        if aside is not None:
            aside.rename(folder)
        raise
    flush(folder.parent)
    # What this save and earlier, killed ones have put aside.
    for leftover in folder.parent.glob(f".{folder.name}.*"):
        if leftover.suffix in (".old", ".unfinished"):
            shutil.rmtree(leftover, ignore_errors=True)


# -------------------------------------------------------------------------------------------------------------- loading


def load_generator(folder: Path, direction: str) -> nn.Module:
    """The generator of a direction, ready to use: on the CPU, float32, in eval mode, without gradients.

    Args:
        folder: a checkpoint folder.
        direction: "a2b" or "b2a".
    Returns:
        (N, in_channels, H, W) in [-1, 1] → (N, out_channels, H, W) in [-1, 1]. Where the config's `statistics` is
        "image", batch norm uses each image's own statistics, as pix2pix does at test time (Isola et al. 2017, §3.3).
    Raises:
        UserError: no such direction, the weights are missing or torn, or they do not fit config.json.
    """
    folder = Path(folder)
    config = read_config(folder)
    architecture = {str(known): generator for known, generator in config.generators.items()}.get(direction)
    if architecture is None:
        raise UserError(f"{folder} has no generator for {direction}; it has {' and '.join(config.generators)}.")
    path = weights_file(folder, direction)
    state = _read_weights(path)
    generator = empty_generator(architecture)
    problem = _misfit(state, generator)
    if problem:
        raise UserError(f"{path} does not fit the generator that {CONFIG_FILE} beside it describes: {problem}.")
    generator.load_state_dict(state, strict=True, assign=True)
    if config.statistics == "image":
        generator = use_image_statistics(generator)
    return generator.eval().requires_grad_(False)


def copy_weights(folder: Path, generators: Mapping[Direction, nn.Module]) -> list[Direction]:
    """Give generators in training the weights of a checkpoint, in place: where fine-tuning begins.

    Args:
        folder: a checkpoint folder.
        generators: the generator of each direction; one whose direction the checkpoint lacks is left as it is.
    Returns:
        the directions that were given weights.
    Raises:
        UserError: the checkpoint has none of the directions, or its generators are of another architecture.
    """
    config = read_config(folder)
    shared = [direction for direction in generators if direction in config.generators]
    if not shared:
        raise UserError(f"{folder} has no generator for {' or '.join(generators)} to start from.")
    for direction in shared:
        state = _read_weights(weights_file(folder, direction))
        problem = _misfit(state, generators[direction])
        if problem:
            raise UserError(
                f"{folder} is no start for these settings: of its {direction} generator {problem}. "
                f"Take model.generator from {folder / CONFIG_FILE}."
            )
        generators[direction].load_state_dict(state, strict=True)
    return shared


def _read_weights(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a safetensors file, floating ones as float32.

    They are copied out of the mapped file: a checkpoint overwritten in place must not change, or kill, who uses it.
    """
    with open_weights(path) as file:
        state = {}
        for key in file.keys():  # noqa: SIM118 - it is not a mapping
            tensor = file.get_tensor(key)
            state[key] = tensor.to(torch.float32 if tensor.is_floating_point() else tensor.dtype, copy=True)
        return state


def _misfit(state: Mapping[str, torch.Tensor], generator: nn.Module) -> str | None:
    """The first way in which tensors do not fit a generator, in words; None if they do."""
    expected = generator.state_dict()
    for key, tensor in expected.items():
        if key not in state:
            return f"{key} is missing"
        if state[key].shape != tensor.shape:
            return f"{key} has the shape {tuple(state[key].shape)} where {tuple(tensor.shape)} is needed"
        if state[key].is_floating_point() != tensor.is_floating_point():
            return f"{key} has the type {state[key].dtype} where {tensor.dtype} is needed"
    unexpected = next((key for key in state if key not in expected), None)
    return f"{unexpected} is in the file, but not in the network" if unexpected else None
