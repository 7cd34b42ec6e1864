"""Which images are judged, and at which size."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import picture
from translate.errors import UserError
from translate.evaluation.images import read_split


def test_unpaired_images_each_once(unpaired: Path) -> None:
    judged = read_split(unpaired, size=0)
    assert not judged.paired
    assert judged.split == "val"
    assert judged.A.names == judged.B.names == ["0.png", "1.png"]
    assert (judged.A.images[1] == np.asarray(Image.open(unpaired / "valA" / "1.png"))).all()


def test_side_by_side_files_are_pairs_and_cut_in_the_middle(paired: Path) -> None:
    judged = read_split(paired, size=0)
    assert judged.paired
    for A, B in zip(judged.A.images, judged.B.images, strict=True):
        assert (A == 255 - B).all()  # as the fixture makes them


def test_two_folders_are_pairs_only_where_it_is_said(unpaired: Path) -> None:
    assert not read_split(unpaired).paired
    assert read_split(unpaired, paired=True).paired


def test_images_are_scaled_to_squares(unpaired: Path) -> None:
    picture(1, (90, 50)).save(unpaired / "valA" / "wide.png")
    assert {image.shape for image in read_split(unpaired, size=24).A.images} == {(24, 24, 3)}
    assert {image.shape[:2] for image in read_split(unpaired, size=0).A.images} == {(40, 40), (50, 90)}


def test_a_limit_takes_images_from_all_over_the_folder(unpaired: Path) -> None:
    judged = read_split(unpaired, split="train", limit=3)
    assert judged.A.names == ["0.png", "2.png", "4.png"]
    assert judged.A.total == 6
    both = read_split(unpaired, split="train", limit=(2, 4))
    assert (len(both.A), len(both.B)) == (2, 4)


def test_an_unreadable_image_is_left_out_and_of_a_pair_both(unpaired: Path) -> None:
    (unpaired / "valA" / "0.png").write_bytes(b"no image")
    alone = read_split(unpaired)
    assert (alone.A.names, alone.B.names) == (["1.png"], ["0.png", "1.png"])
    assert len(alone.skipped) == 1 and "0.png: " in alone.skipped[0]
    pairs = read_split(unpaired, paired=True)
    assert pairs.A.names == pairs.B.names == ["1.png"]
    (unpaired / "valA" / "1.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"None of the images in .*valA is readable"):
        read_split(unpaired)


def test_the_test_split_stands_in_for_val_and_the_training_split_never(unpaired: Path) -> None:
    for side in "AB":
        (unpaired / f"val{side}").rename(unpaired / f"test{side}")
    assert read_split(unpaired).split == "test"
    for side in "AB":
        shutil.rmtree(unpaired / f"test{side}")
    with pytest.raises(UserError, match="no images to judge with"):
        read_split(unpaired)
    assert read_split(unpaired, split="train").split == "train"


def test_masks_beside_the_images_come_at_the_images_size(unpaired: Path) -> None:
    folder = unpaired / "valA_mask"
    folder.mkdir()
    left = np.zeros((20, 20), np.uint8)
    left[:, :10] = 255
    Image.fromarray(left).save(folder / "1.png")
    judged = read_split(unpaired, size=32)
    without, mask = judged.A.masks
    assert without is None and mask is not None
    assert mask.shape == (32, 32)
    assert (mask[:, :14] > 128).all() and (mask[:, 18:] < 128).all()
    assert judged.B.masks == []


def test_pairs_share_a_mask_and_a_broken_one_is_named(paired: Path) -> None:
    folder = paired / "val_mask"
    folder.mkdir()
    Image.new("L", (40, 40), 255).save(folder / "0.png")
    (folder / "1.png").write_bytes(b"no picture")
    judged = read_split(paired, size=0)
    for side in (judged.A, judged.B):
        whole, broken = side.masks
        assert whole is not None and (whole == 255).all()
        assert broken is None
    assert any("1.png" in note for note in judged.skipped)
