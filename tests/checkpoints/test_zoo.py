"""Finding checkpoints by name: built-in, downloaded, of runs; folders go before names, broken ones are passed over."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from tests.checkpoints.test_format import make_config, make_generator
from translate.checkpoints import zoo
from translate.checkpoints.folder import weights_file
from translate.checkpoints.format import save_checkpoint
from translate.checkpoints.zoo import available, find, resolve
from translate.downloads.home import home
from translate.errors import UserError


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty places of our own for built-in checkpoints, downloads and ./runs."""
    monkeypatch.setattr(zoo, "BUILT_IN", tmp_path / "weights")
    monkeypatch.setenv("TRANSLATE_HOME", str(tmp_path / "home"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def put(folder: Path, title: str = "") -> Path:
    return save_checkpoint(folder, make_config(name=folder.name, title=title), {"a2b": make_generator()})


def put_run(run: Path, *steps: int) -> list[Path]:
    return [put(run / "checkpoints" / f"step-{step:08d}", title=f"{step}") for step in steps]


def test_nothing_anywhere_is_no_error(places: Path) -> None:
    assert available() == []
    with pytest.raises(UserError, match=r"no checkpoint horse2zebra\. None are built in.*translate pull"):
        resolve("horse2zebra")


def test_names_of_all_three_origins(places: Path) -> None:
    built_in = put(places / "weights" / "horse2zebra")
    downloaded = put(places / "home" / "checkpoints" / "style_monet")
    run = put_run(Path("runs/mine"), 1000, 20000, 3000)[1]
    assert [(entry.name, entry.folder, entry.origin) for entry in available()] == [
        ("horse2zebra", built_in, "built-in"),
        ("style_monet", downloaded, "downloaded"),
        ("mine", run, "run"),
    ]
    for entry in available():
        assert resolve(entry.name) == entry.folder
        assert find(entry.name) == entry


def test_runs_may_lie_elsewhere(places: Path) -> None:
    folder = put_run(places / "elsewhere" / "mine", 5)[0]
    assert resolve("mine", runs=places / "elsewhere") == folder
    with pytest.raises(UserError):
        resolve("mine")


def test_folders_are_found_as_they_are(places: Path) -> None:
    first, second = put_run(places / "elsewhere" / "mine", 1, 2)
    assert resolve(first) == first
    assert resolve(str(places / "elsewhere" / "mine")) == second
    assert (find(first).origin, find(places / "elsewhere" / "mine").origin) == ("folder", "run")


def test_a_folder_goes_before_a_name(places: Path) -> None:
    put(places / "weights" / "horse2zebra")
    put(Path("horse2zebra"))
    assert resolve("horse2zebra") == Path("horse2zebra")


def test_a_folder_of_images_does_not_hide_the_name(places: Path) -> None:
    built_in = put(places / "weights" / "horse2zebra")
    Path("horse2zebra/trainA").mkdir(parents=True)
    assert resolve("horse2zebra") == built_in


def test_equal_names_can_all_be_reached(places: Path) -> None:
    folders = {
        put(places / "weights" / "same"),
        put(places / "home" / "checkpoints" / "same"),
        put_run(Path("runs/same"), 1)[0],
    }
    entries = available()
    assert [entry.name for entry in entries] == ["same", "downloaded/same", "runs/same"]
    assert {resolve(entry.name) for entry in entries} == folders
    assert resolve("built-in/same") == places / "weights" / "same"


def test_a_run_falls_back_to_its_newest_whole_checkpoint(places: Path) -> None:
    good, torn, unfinished = put_run(Path("runs/mine"), 1000, 2000, 3000)
    weights_file(torn, "a2b").write_bytes(b"torn")
    (unfinished / "config.json").unlink()
    put(Path("runs/mine/checkpoints/.step-00004000.abcd.unfinished"))
    put(Path("runs/mine/checkpoints/best"))
    assert resolve("mine") == good
    assert resolve("runs/mine") == good


def test_broken_checkpoints_are_left_out_with_a_warning(places: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = put(places / "weights" / "good")
    broken = put(places / "weights" / "broken")
    (broken / "config.json").write_text("{", encoding="utf-8")
    (places / "weights" / "__pycache__").mkdir()
    (places / "weights" / "notes.txt").write_text("no folder")
    with caplog.at_level(logging.WARNING):
        assert [entry.folder for entry in available()] == [good]
    assert [str(broken) in record.getMessage() for record in caplog.records] == [True]


def test_a_broken_folder_asked_for_says_what_is_wrong(places: Path) -> None:
    folder = put(places / "one")
    weights_file(folder, "a2b").unlink()
    with pytest.raises(UserError, match=r"a2b\.safetensors is missing"):
        resolve(folder)
    step = put_run(Path("runs/mine"), 7)[0]
    weights_file(step, "a2b").write_bytes(b"torn")
    with pytest.raises(UserError, match=r"no whole checkpoint.*step-00000007"):
        resolve("runs/mine")


def test_near_names_are_suggested(places: Path) -> None:
    put(places / "weights" / "horse2zebra")
    put(places / "weights" / "edges2shoes")
    with pytest.raises(UserError, match=r"no checkpoint Horse2Zebras\. Did you mean horse2zebra\?"):
        resolve("Horse2Zebras")
    with pytest.raises(UserError, match="There are: edges2shoes, horse2zebra"):
        resolve("xylophone")


def test_an_image_folder_and_bare_weights_are_told_apart(places: Path) -> None:
    Path("pictures").mkdir()
    Path("latest_net_G.pth").write_bytes(b"")
    with pytest.raises(UserError, match="pictures is a folder, but no checkpoint"):
        resolve("pictures")
    with pytest.raises(UserError, match=r"translate import latest_net_G\.pth"):
        resolve("latest_net_G.pth")


def test_home_can_be_moved_and_has_a_place_of_its_own(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert home() == places / "home"
    monkeypatch.delenv("TRANSLATE_HOME")
    assert home().name == "translate"
    assert home().is_absolute()
