"""Small pictures and settings that the tests share."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from translate.models import MODELS
from translate.networks import DISCRIMINATORS, GENERATORS

os.environ.setdefault("WANDB_MODE", "disabled")  # nothing a test starts may reach for an account
os.environ.setdefault("HF_HUB_OFFLINE", "1")

REPOSITORY = Path(__file__).parent.parent
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
"""Real images, on machines that have them; tests that want them skip elsewhere."""

TINY_GENERATOR = {"width": 4, "blocks": 1, "size": 32}
TINY_MODEL = {"generator": TINY_GENERATOR, "discriminator": {"width": 4, "layers": 1}}


def picture(seed: int, size: tuple[int, int] = (40, 40)) -> Image.Image:
    """An RGB picture of (width, height) with soft colours and an edge, different for every seed."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8))
    return small.resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny networks are fastest on one thread, and two test processes on two cores must not fight."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _compiles_afresh() -> None:
    """torch.compile counts how often a function is compiled in a process, and gives up after a few times."""
    if dynamo := sys.modules.get("torch._dynamo"):
        dynamo.reset()


@pytest.fixture
def unpaired(tmp_path: Path) -> Path:
    """A folder of unpaired images: six of A, five of B, two of each for validation."""
    root = tmp_path / "unpaired"
    for folder, count in (("trainA", 6), ("trainB", 5), ("valA", 2), ("valB", 2)):
        (root / folder).mkdir(parents=True)
        for index in range(count):
            picture(hash_of(folder) + index).save(root / folder / f"{index}.png")
    return root


@pytest.fixture
def paired(tmp_path: Path) -> Path:
    """A folder of side-by-side pairs whose B is the negative of A: eight to train on, two for validation."""
    root = tmp_path / "paired"
    for folder, count in (("train", 8), ("val", 2)):
        (root / folder).mkdir(parents=True)
        for index in range(count):
            left = np.asarray(picture(hash_of(folder) + index))
            Image.fromarray(np.concatenate([left, 255 - left], axis=1)).save(root / folder / f"{index}.png")
    return root


def hash_of(name: str) -> int:
    """A number for a name that is the same in every process."""
    return sum(name.encode()) * 1000


def tiny_settings(model: str, root: Path, run: Path, **overrides: Any) -> dict[str, Any]:
    """Settings, as nested data, of a run that takes a fraction of a second."""
    tree: dict[str, Any] = {
        "name": "tiny",
        "model": {"name": model, **TINY_MODEL},
        "data": {"root": str(root), "load_size": 36, "crop_size": 32, "workers": 0, "cache_gb": 0.01},
        "run": {"dir": str(run), "steps": 6, "log_every": 1, "sample_every": 4, "save_every": 3, "device": "cpu"},
        "tracking": {"mode": "disabled"},
    }
    for dotted, value in overrides.items():
        section, _, name = dotted.partition("__")
        tree[section][name] = value
    return tree


@pytest.fixture
def toys_registered(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """tests/toys.py, whose model, generator and discriminator are registered for as long as the test takes."""
    for registry in (MODELS, GENERATORS, DISCRIMINATORS):
        registry.names()  # other plug-ins stay
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.delitem(sys.modules, "tests.toys", raising=False)
    return importlib.import_module("tests.toys")
