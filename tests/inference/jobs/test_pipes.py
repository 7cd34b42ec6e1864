"""Standard input and output: one image in, one out, and nothing else on the line."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import translate
from tests.conftest import REPOSITORY, picture
from tests.inference.conftest import MakeCheckpoint
from translate.cli import main
from translate.errors import UserError
from translate.inference.jobs.pipes import translate_pipe


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "translate", "run", *map(str, words)]


def test_standard_input_to_standard_output(make_checkpoint: MakeCheckpoint) -> None:
    folder, file = make_checkpoint(), io.BytesIO()
    picture(1, (50, 30)).save(file, "WEBP", lossless=True)
    words = command(folder, "-", "-o", "-", "--precision", "float32", "--device", "cpu")
    result = subprocess.run(words, input=file.getvalue(), capture_output=True, cwd=REPOSITORY, check=True)
    assert result.stdout.startswith(b"\x89PNG")
    made = np.asarray(Image.open(io.BytesIO(result.stdout))).astype(int)
    assert np.abs(made - np.asarray(translate.load(folder, precision="float32")(picture(1, (50, 30))))).max() <= 1


def test_what_cannot_be_piped_is_a_sentence(make_checkpoint: MakeCheckpoint) -> None:
    result = subprocess.run(
        command(make_checkpoint(), "-", "-o", "-"), input=b"no image", capture_output=True, cwd=REPOSITORY
    )
    assert (result.returncode, result.stdout) == (2, b"")
    assert b"Cannot read" in result.stderr
    assert b"Traceback" not in result.stderr


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".npy"])
def test_formats(make_checkpoint: MakeCheckpoint, suffix: str) -> None:
    translator, file = translate.load(make_checkpoint(), device="cpu"), io.BytesIO()
    picture(1).save(file, "PNG")
    file.seek(0)
    data = translate_pipe(translator, file, suffix)
    if suffix == ".npy":
        assert np.load(io.BytesIO(data)).shape == (40, 40, 3)
    else:
        assert Image.registered_extensions()[suffix] == Image.open(io.BytesIO(data)).format


def test_a_pipe_at_one_end(make_checkpoint: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    picture(1).save(file, "PNG")
    file.seek(0)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
    with pytest.raises(SystemExit) as left:
        main(["run", str(make_checkpoint()), "-", "-o", str(tmp_path / "made.jpg")])
    assert left.value.code == 0
    assert Image.open(tmp_path / "made.jpg").format == "JPEG"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-", "-", "-o", "-"], "one image"),
        (["tests", "-o", "-"], "one image"),
        (["-", "-o", "out.psd"], "written as psd"),
        (["-", "-o", "-", "--format", "doc"], "written as doc"),
    ],
)
def test_mistakes(words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["run", "anything", *words])
    assert left.value.code == 2
    said = capsys.readouterr()
    assert sentence in said.err
    assert said.out == ""


def test_errors_name_the_source(make_checkpoint: MakeCheckpoint, tmp_path: Path) -> None:
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"x\.png"):
        translate_pipe(translate.load(make_checkpoint(), device="cpu"), tmp_path / "x.png")
