"""Published weights of the networks that metrics are made with, and weights from files."""

from __future__ import annotations

import hashlib
import pickle
import re
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from translate.downloads.download import Progress, download
from translate.errors import UserError

MAX_BYTES = 2_000_000_000
"""More than the largest of torchvision's classification models."""


def published_weights(url: str, progress: Progress | None = None) -> Path:
    """A file of published weights, where PyTorch keeps such files ($TORCH_HOME/hub/checkpoints); fetched if need be.

    Files of this kind carry the first eight digits of their SHA-256 in their names; it is checked after a download.

    Raises:
        UserError: it is not there and cannot be had; the message says where to put it by hand.
    """
    name = url.rpartition("/")[2]
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    if path.exists():
        return path
    download(url, path, max_bytes=MAX_BYTES, progress=progress)
    promised = re.search(r"-([0-9a-f]{8,})\.\w+$", name)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if promised and not found.startswith(promised[1]):
        path.unlink()
        raise UserError(f"What {url} sent is not the file that its name promises (SHA-256 {found}); it was deleted.")
    return path


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors or .pth file. Raises UserError where it is damaged or holds anything else."""
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
        return state
    except (OSError, RuntimeError, ValueError, EOFError, safetensors.SafetensorError, pickle.UnpicklingError) as error:
        raise UserError(f"Cannot read the weights {path}: {first_words(error)}") from error


def first_words(error: Exception) -> str:
    """An error's text on one line, cut to a length that can be read."""
    return " ".join(str(error).split())[:200]
