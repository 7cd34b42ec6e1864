"""Issue 19, number 4: an installed wheel has all it needs, and what needs an extra that is missing names it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests import wheel_commands
from tests.conftest import REPOSITORY
from translate.catalogue import dataset_names

SOURCES = ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE", "translate", "datasets")
WRONG = {"train facades", "import nowhere.pth -o imported", "pull dataset nothing", "pull model nothing"} | {
    "push nowhere me/mine",
    "bench training",
}
"""Commands that are mistakes, or miss what only a checkout or a download has: a sentence and exit code 2."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that a wheel of this checkout is installed in, alone."""
    build = tmp_path_factory.mktemp("build")
    for name in SOURCES:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, build / name, ignore=shutil.ignore_patterns("__pycache__", "data", "examples"))
        else:
            shutil.copyfile(source, build / name)
    if not (build / "translate" / "data").is_dir():  # the pattern is for data sets, and the package has a room `data`
        shutil.copytree(REPOSITORY / "translate" / "data", build / "translate" / "data")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", str(build), "--no-deps", "--no-build-isolation", "-w", str(build / "dist")], check=True
    )
    (wheel,) = (build / "dist").glob("*.whl")
    target = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


@pytest.fixture(scope="module")
def results(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What every command said, run in a folder of its own."""
    folder = tmp_path_factory.mktemp("work")
    environment = os.environ | {"PYTHONPATH": str(installed), "TRANSLATE_HOME": str(folder / "home"), "COLUMNS": "500"}
    script = shutil.copy(wheel_commands.__file__, folder)
    done = subprocess.run([sys.executable, script], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    package, *said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert Path(package["package"]) == installed / "translate"
    return said


def test_the_wheel_holds_cards_and_presets(installed: Path) -> None:
    shipped = installed / "translate" / "datasets"
    assert sorted(path.name for path in shipped.iterdir()) == dataset_names()
    for path in (REPOSITORY / "datasets").glob("*/*.yaml"):
        assert (shipped / path.parent.name / path.name).read_bytes() == path.read_bytes()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
def test_every_command_works_without_any_extra(results: list[dict[str, Any]]) -> None:
    found = {one["words"]: one for one in results if one["missing"] == "all"}
    assert list(found) == wheel_commands.EVERY
    for words, one in found.items():
        assert one["code"] == (2 if words in WRONG else 0), one
        assert "Traceback" not in one["said"]
    assert "translate pull dataset facades" in found["train facades"]["said"]
    assert "horse2zebra" in found["datasets"]["said"]
    assert "Downloads are kept in " in found["datasets"]["said"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows cannot fork")
@pytest.mark.parametrize("extra", wheel_commands.EXTRAS)
def test_what_needs_a_missing_extra_names_it(results: list[dict[str, Any]], extra: str) -> None:
    found = [one for one in results if one["missing"] == extra]
    assert [one["words"] for one in found] == wheel_commands.EXTRAS[extra][1]
    for one in found:
        assert "Traceback" not in one["said"], one
        assert one["code"] in (1, 2), one
        assert f"pip install 'translate-images[{extra}]'" in one["said"], one
