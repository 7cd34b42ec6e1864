"""The rules of the house: imports never point up, and `import translate` is light."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "translate"

FLOORS = [
    {"_version", "errors"},
    {
        *("devices", "downloads", "features", "kernels", "losses", "networks", "pages"),
        *("registry", "setting_text", "settings", "terminal", "tracking"),
    },
    {"checkpoints", "data", "evaluation", "models", "segmentation"},
    {"catalogue", "config", "runs"},
    {"inference", "training"},
    {"studio"},
    {"cli", "commands", "__main__"},
]
"""From the ground up; `translate/__init__.py` itself imports lazily and stands outside."""


def floor_of(module: str) -> int:
    for number, rooms in enumerate(FLOORS):
        if module in rooms:
            return number
    raise AssertionError(f"translate.{module} has no floor yet: add it to FLOORS")


@functools.cache
def imports() -> list[tuple[Path, str, str]]:
    """(file, its room, the room it imports) for every import inside the package, lazy ones too."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names = [node.module] if node.module != "translate" else [f"translate.{a.name}" for a in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            found += [(path, room, name.split(".")[1]) for name in names if name.startswith("translate.")]
    return found


def test_imports_never_point_up() -> None:
    found = imports()
    assert len(found) > 50
    wrong = [f"{path.relative_to(PACKAGE)} → {to}" for path, room, to in found if floor_of(room) < floor_of(to)]
    assert wrong == []


def test_rooms_of_a_floor_do_not_import_in_circles() -> None:
    edges = {(room, to) for _, room, to in imports() if room != to}
    circles = [(a, b) for a, b in edges if (b, a) in edges]
    assert circles == []


def test_no_module_has_more_than_300_lines() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert len(lengths) > 100
    assert {str(path.relative_to(PACKAGE)): lines for path, lines in lengths.items() if lines > 300} == {}


def test_no_folder_has_more_than_12_modules() -> None:
    modules = Counter(path.parent for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    assert len(modules) > 10
    assert {str(folder.relative_to(PACKAGE)): count for folder, count in modules.items() if count > 12} == {}


def test_networks_are_plain_pytorch() -> None:
    assert not [path for path, room, to in imports() if room == "networks" and to == "kernels"]


def test_rooms_of_inference_do_not_import_in_circles() -> None:
    """Tiles, runtimes, films and jobs each stand for themselves; what two of them need lies beside them."""
    rooms = {path.name for path in (PACKAGE / "inference").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {"tiling", "runtimes", "video", "jobs"} <= rooms
    edges = set()
    for path in (PACKAGE / "inference").rglob("*.py"):
        room = path.relative_to(PACKAGE / "inference").parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("translate.inference."):
                edges.add((room, str(node.module).split(".")[2]))
    assert ("translator", "tiling") in edges
    assert [(a, b) for a, b in edges if a != b and (b, a) in edges] == []
    assert {a for a, _ in edges} | {b for _, b in edges} > rooms


def test_nothing_under_inference_asks_for_the_class_of_a_generator() -> None:
    for path in (PACKAGE / "inference").rglob("*.py"):
        assert not {"ResNetGenerator", "UNetGenerator"} & set(re.findall(r"\w+", path.read_text(encoding="utf-8"))), (
            path
        )


def modules_after(code: str) -> set[str]:
    script = f"{code}\nimport sys\nprint(' '.join(sorted(m.split('.')[0] for m in sys.modules)))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(result.stdout.split())


def test_import_translate_is_light() -> None:
    assert not modules_after("import translate") & {"torch", "gradio", "wandb", "numpy", "pydantic"}


def test_the_command_line_starts_without_torch() -> None:
    assert not modules_after("import translate.cli") & {"torch", "gradio", "wandb", "albumentations"}


def test_memory_settings_come_without_torch() -> None:
    """They are made before there are threads, and a studio opens its page before PyTorch is there."""
    assert not modules_after("import translate.kernels.memory") & {"torch", "numpy"}


@pytest.mark.alone
def test_import_translate_takes_less_than_half_a_second() -> None:
    script = "import time; begun = time.perf_counter(); import translate; print(time.perf_counter() - begun)"
    times = [
        float(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.5


@pytest.mark.parametrize("absent", ["gradio", "wandb"])
def test_training_works_without(absent: str, unpaired: Path, tmp_path: Path) -> None:
    script = (
        f"import sys; sys.modules[{absent!r}] = None\n"
        "from tests.conftest import tiny_settings\n"
        "from pathlib import Path\n"
        "import translate\n"
        f"tree = tiny_settings('cyclegan', Path({str(unpaired)!r}), Path({str(tmp_path / 'run')!r}), run__steps=1)\n"
        "tree['tracking']['mode'] = 'auto'\n"
        "translate.train(translate.TrainConfig.build(tree))\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=PACKAGE.parent)
    assert (tmp_path / "run" / "checkpoints" / "step-00000001" / "a2b.safetensors").exists()
