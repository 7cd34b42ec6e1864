"""Layouts are recognised, and every way to get a folder wrong has its own sentence."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import picture, write
from translate.data import images
from translate.data.folders import Names, find_images, has_split
from translate.errors import UserError


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize("form", ["trainA trainB", "A/train B/train", "train/A train/B", "A B"])
@pytest.mark.parametrize("paired", [True, False])
def test_two_folders_in_each_form(form: str, paired: bool, tmp_path: Path) -> None:
    A, B = form.split()
    touch(tmp_path, f"{A}/1.jpg", f"{A}/sub/2.png", f"{B}/1.png", f"{B}/sub/2.JPG")
    found = find_images(tmp_path, paired=paired)
    assert found.layout == ("two_folders" if paired else "unpaired")
    assert [found.A.path(i) for i in range(2)] == [tmp_path / A / "1.jpg", tmp_path / A / "sub" / "2.png"]
    assert [found.B.path(i) for i in range(2)] == [tmp_path / B / "1.png", tmp_path / B / "sub" / "2.JPG"]


def test_a_split_goes_before_a_bare_folder(tmp_path: Path) -> None:
    touch(tmp_path, "A/train/1.png", "A/val/2.png", "B/train/1.png", "B/val/2.png")
    assert list(find_images(tmp_path, paired=False).A.names) == ["1.png"]
    assert list(find_images(tmp_path, paired=False, split="val").A.names) == ["2.png"]
    assert has_split(tmp_path, "val")
    assert not has_split(tmp_path, "test")
    touch(tmp_path / "other", "A/1.png", "B/1.png")
    assert not has_split(tmp_path / "other", "val")


def test_side_by_side_serves_both_models(tmp_path: Path) -> None:
    write(tmp_path / "train" / "x.png", picture(0, 40, 20))
    for paired in (True, False):
        found = find_images(tmp_path, paired=paired)
        assert (found.layout, found.A.half, found.B.half) == ("side_by_side", 0, 1)


def test_limit_keeps_pairs_together(tmp_path: Path) -> None:
    touch(tmp_path, *(f"trainA/{i}.png" for i in range(5)), *(f"trainB/{i}.jpg" for i in range(5)))
    found = find_images(tmp_path, paired=True, limit=2)
    assert (list(found.A.names), list(found.B.names)) == (["0.png", "1.png"], ["0.jpg", "1.jpg"])


def test_a_large_folder_opens_at_most_two_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write(tmp_path / "train" / "000.png", picture(0, 8, 4))
    for index in range(1, 300):
        os.link(first, tmp_path / "train" / f"{index:03}.png")
    opened: list[str] = []
    identify = images._identify

    def counted(file: BinaryIO, name: str) -> Image.Image:
        opened.append(name)
        return identify(file, name)

    monkeypatch.setattr(images, "_identify", counted)
    assert len(find_images(tmp_path, paired=True).A) == 300
    assert len(opened) == 2


def test_names_are_a_sequence_of_any_strings() -> None:
    names = ["a.png", "Zebra 斑馬.jpg", os.fsdecode(b"broken\xff.png"), ""]
    packed = Names(names)
    assert list(packed) == names
    assert packed[-2] == names[-2]
    assert packed[1:3] == names[1:3]
    with pytest.raises(IndexError):
        packed[4]


def test_root_is_missing_or_a_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere does not exist; set data\.root"):
        find_images(tmp_path / "nowhere", paired=True)
    touch(tmp_path, "file.zip")
    with pytest.raises(UserError, match=r"file\.zip is a file"):
        find_images(tmp_path / "file.zip", paired=True)


def test_empty_folder(tmp_path: Path) -> None:
    touch(tmp_path, "trainA/notes.txt", "trainB/1.png")
    with pytest.raises(UserError, match="trainA holds no images"):
        find_images(tmp_path, paired=False)


@pytest.mark.parametrize("present", ["A", "B"])
def test_missing_side_names_what_is_there(present: str, tmp_path: Path) -> None:
    touch(tmp_path, f"train{present}/1.png")
    with pytest.raises(UserError, match=f"Found .*train{present}, but not .*train{'B' if present == 'A' else 'A'}"):
        find_images(tmp_path, paired=False)


def test_unknown_folders_are_listed(tmp_path: Path) -> None:
    touch(tmp_path, "horses/1.png", "zebras/1.png")
    with pytest.raises(UserError, match="it has the folders horses, zebras, but trainA and trainB, or train"):
        find_images(tmp_path, paired=False)
    with pytest.raises(UserError, match=r"but train would be needed"):
        find_images(tmp_path, paired=True, layout="side_by_side")


def test_mismatched_pairs_are_counted_and_named_from_both_sides(tmp_path: Path) -> None:
    touch(tmp_path, *(f"trainA/{i}.png" for i in range(6)), "trainB/5.png", "trainB/x.png")
    with pytest.raises(UserError) as caught:
        find_images(tmp_path, paired=True)
    assert f"5 of {tmp_path / 'trainA'} have no partner" in str(caught.value)
    assert "(0.png, 1.png, 2.png …)" in str(caught.value)
    assert f"1 of {tmp_path / 'trainB'} have no partner" in str(caught.value)
    assert "(x.png)" in str(caught.value)
    assert find_images(tmp_path, paired=False).layout == "unpaired"


def test_nothing_matches_suggests_a_model_for_unpaired_images(tmp_path: Path) -> None:
    touch(tmp_path, "trainA/1.png", "trainB/2.png")
    with pytest.raises(UserError, match="a model for unpaired images"):
        find_images(tmp_path, paired=True)


def test_twins_that_differ_in_suffix_only(tmp_path: Path) -> None:
    touch(tmp_path, "trainA/1.png", "trainA/1.jpg", "trainB/1.png")
    with pytest.raises(UserError, match=r"1\.jpg and 1\.png"):
        find_images(tmp_path, paired=True)


def test_pairs_are_needed_but_unpaired_is_said(tmp_path: Path) -> None:
    touch(tmp_path, "trainA/1.png", "trainB/1.png")
    with pytest.raises(UserError, match="the model learns from pairs"):
        find_images(tmp_path, paired=True, layout="unpaired")


def test_odd_width_and_single_images(tmp_path: Path) -> None:
    write(tmp_path / "train" / "x.png", picture(0, 41, 20))
    with pytest.raises(UserError, match=r"x\.png is 41×20: an odd width"):
        find_images(tmp_path, paired=True)
    write(tmp_path / "train" / "x.png", picture(0, 20, 20))
    with pytest.raises(UserError, match=r"x\.png is 20×20, which does not look like two images side by side"):
        find_images(tmp_path, paired=True)
    assert find_images(tmp_path, paired=True, layout="side_by_side").layout == "side_by_side"  # they know better


def test_an_unreadable_first_file_does_not_stop_the_start(tmp_path: Path) -> None:
    write(tmp_path / "train" / "1.png", np.zeros((4, 8), np.uint8))
    touch(tmp_path, "train/0.png")
    assert len(find_images(tmp_path, paired=True).A) == 2
