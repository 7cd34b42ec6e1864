"""A checkpoint folder as files: what lies where, and reading all but the weights, without torch: lists are quick."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors
from pydantic import ValidationError

from translate.checkpoints.settings import FORMAT_VERSION, CheckpointConfig
from translate.errors import UserError
from translate.settings import explain

CONFIG_FILE = "config.json"
CARD_FILE = "README.md"


def weights_file(folder: Path, direction: str) -> Path:
    """Path of the weights of a direction ("a2b" or "b2a") in a checkpoint folder."""
    return folder / f"{direction}.safetensors"


def read_config(folder: Path) -> CheckpointConfig:
    """Read config.json of a checkpoint folder.

    Raises UserError: not a checkpoint folder, broken or foreign JSON, a newer format, an unknown or ill-typed entry.
    """
    path = Path(folder) / CONFIG_FILE
    try:
        tree = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        reason = f"it has no {CONFIG_FILE}" if path.parent.is_dir() else "there is no such folder"
        raise UserError(f"{folder} is not a checkpoint: {reason}.") from error
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is broken: it is not valid JSON ({error}); copy the checkpoint again.") from error
    if not isinstance(tree, dict) or "generators" not in tree or "format_version" not in tree:
        raise UserError(
            f"{path} does not belong to a checkpoint of this program: it has no generators or format_version."
        )
    version = tree["format_version"]
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise UserError(
            f"{path} has format {version}, and this version reads formats up to {FORMAT_VERSION}; "
            "install a newer version of translate-images."
        )
    try:
        return CheckpointConfig.model_validate(tree)
    except ValidationError as error:
        raise UserError(f"{path}: {explain(error)}.") from error


def check_checkpoint(folder: Path) -> CheckpointConfig:
    """Read config.json and see that each weights file is there, whole and readable, without reading the weights.

    Raises UserError as `read_config` and `load_generator` do; that the weights fit the networks is left to the latter.
    """
    config = read_config(folder)
    for direction in config.generators:
        with open_weights(weights_file(Path(folder), direction), framework="np"):
            pass  # opening compares the file's length with what its head announces
    return config


@contextmanager
def open_weights(path: Path, framework: str = "pt") -> Iterator[Any]:
    """The safetensors file, open; see `safetensors.safe_open`. Raises UserError where it is missing or damaged."""
    try:
        with safetensors.safe_open(path, framework=framework, device="cpu") as file:
            yield file
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing although {CONFIG_FILE} lists it; copy the checkpoint again.") from error
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror or error}.") from error
    except (safetensors.SafetensorError, ValueError, RuntimeError) as error:
        raise UserError(f"{path} is damaged or no safetensors file ({error}); copy or download it again.") from error


def flush(path: Path) -> None:
    """Make a file, or the names in a folder, survive a power cut."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no way to open a folder
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
