"""The state on disk: whole or not at all, checked before it is used."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
import torch

from translate.errors import UserError
from translate.training import state as states
from translate.training.state import State, load_newest_state, save_state


def make(step: int) -> State:
    return State(step, {"weight": torch.full((3, 2), float(step))}, {"seconds": 1.5, "none": None})


def test_a_state_comes_back(tmp_path: Path) -> None:
    save_state(tmp_path, make(7))
    back = load_newest_state(tmp_path)
    assert back is not None
    assert (back.step, back.info) == (7, {"seconds": 1.5, "none": None})
    assert torch.equal(back.tensors["weight"], torch.full((3, 2), 7.0))


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 10, 100):
        save_state(tmp_path, make(step))
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["step-00000010", "step-00000100"]


@pytest.mark.parametrize("file", ["tensors.safetensors", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_a_torn_state_gives_way_to_the_one_before(
    tmp_path: Path, file: str, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    save_state(tmp_path, make(1))
    path = save_state(tmp_path, make(2)) / file
    contents = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(contents[: len(contents) // 2])
    elif damage == "flip":
        contents[-6] ^= 0xFF
        path.write_bytes(contents)
    else:
        path.unlink()
    with caplog.at_level(logging.WARNING):
        back = load_newest_state(tmp_path)
    assert back is not None
    assert back.step == 1
    assert "step-00000002" in caplog.text


def test_no_state_and_only_bad_states(tmp_path: Path) -> None:
    assert load_newest_state(tmp_path) is None
    (save_state(tmp_path, make(1)) / "tensors.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match="step-00000001"):
        load_newest_state(tmp_path)


def test_foreign_and_newer_states_are_refused(tmp_path: Path) -> None:
    about = save_state(tmp_path, make(1)) / "state.json"
    contents = json.loads(about.read_text())
    about.write_text(json.dumps(contents | {"version": 99}))
    with pytest.raises(UserError, match="newer version"):
        load_newest_state(tmp_path)
    about.write_text(json.dumps({"format": "something else"}))
    with pytest.raises(UserError, match="not a training state"):
        load_newest_state(tmp_path)


def test_a_crash_while_writing_leaves_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, make(1))

    def crash(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(states, "flush", crash)
    with pytest.raises(KeyboardInterrupt):
        save_state(tmp_path, make(2))
    monkeypatch.undo()
    back = load_newest_state(tmp_path)
    assert back is not None
    assert back.step == 1
    save_state(tmp_path, make(3))
    assert not list(tmp_path.glob(".step-*"))
