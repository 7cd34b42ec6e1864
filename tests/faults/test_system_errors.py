"""Issue 19, number 11: what the system refuses is a sentence with the path and what to do, and work done is kept."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors import SafetensorError

from tests.conftest import REPOSITORY, tiny_settings
from tests.test_cli import translate
from translate import cli
from translate.config import TrainConfig
from translate.errors import UserError
from translate.terminal import accept_all_characters
from translate.training.observers import checkpoints
from translate.training.state import save_state
from translate.training.trainer import train

REFUSALS = [
    (errno.ENOSPC, "make room"),
    (errno.EACCES, "may write to"),
    (errno.EROFS, "may write to"),
    (errno.ENOTDIR, "is a file"),
    (errno.EISDIR, "a folder has that name"),
    (errno.ENAMETOOLONG, "shorter name"),
    (errno.EMFILE, "ulimit"),
    (errno.EIO, "disk"),
    (errno.ESTALE, "try again"),
]


@pytest.mark.parametrize(("number", "advice"), REFUSALS)
@pytest.mark.parametrize("path", ["runs/a", None, b"caf\xe9"])
def test_every_refusal_is_a_sentence(
    number: int, advice: str, path: str | bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(words: object) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(cli, "app", fail)
    result = translate("models")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: Cannot use ")
    assert advice in result.stderr
    assert ("runs/a" if path == "runs/a" else "the output" if path is None else "caf") in result.stderr


@pytest.mark.parametrize("place", ["file", "file/below", "/proc/run"])
def test_a_run_folder_that_cannot_be(place: str, unpaired: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(tiny_settings("cyclegan", unpaired, tmp_path / place)))
    result = translate("train", tmp_path / "train.yaml")
    assert result.returncode == 2
    assert "Error: Cannot use " in result.stderr
    assert place.partition("/")[0] in result.stderr


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        PermissionError(errno.EACCES, "Permission denied"),
        SafetensorError("I/O error: Read-only file system (os error 30)"),
    ],
)
def test_a_disk_that_refuses_while_training_keeps_the_state_before(
    error: Exception, unpaired: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig.build(tiny_settings("cyclegan", unpaired, tmp_path / "run", run__save_every=2, run__steps=4))
    whole = save_state

    def save(root: Path, state: Any) -> Path:
        if state.step == 4:
            raise error
        return whole(root, state)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_state", save)
        with pytest.raises(UserError, match="go on with --resume") as raised:
            train(config)
    assert str(tmp_path / "run") in str(raised.value)
    train(config, resume=True)
    assert (tmp_path / "run" / "checkpoints" / "step-00000004").is_dir()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
def test_a_full_pipe_is_a_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "translate", "--version"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=REPOSITORY)
    assert result.returncode != 0
    assert b"Traceback" not in result.stderr


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are always Unicode there")
def test_a_data_root_that_is_not_utf8_is_trained_on(unpaired: Path, tmp_path: Path) -> None:
    root = unpaired.rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    config = TrainConfig.build(tiny_settings("cyclegan", root, tmp_path / "run", run__steps=2))
    run = train(config)
    assert TrainConfig.load(run).data.root == root
    assert (run / "checkpoints" / "step-00000002" / "config.json").is_file()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1", "cp437", "koi8-r"])
def test_every_terminal_takes_every_character(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    accept_all_characters()
    print("horse → zebra ◂ 馬 \udce9", flush=True)
    said = stream.buffer.getvalue().decode(encoding)
    assert said.startswith(("horse -> zebra", "horse → zebra"))
    assert "?" in said


@pytest.mark.parametrize("words", [["models"], ["settings"], ["datasets"], ["--help"]])
def test_commands_in_an_old_encoding(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit) as left:
        cli.main(words)
    assert not left.value.code
    stream.flush()
    assert stream.buffer.getvalue()
