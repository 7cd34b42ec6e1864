"""The report finds what is wrong with a folder, and says what to train on it."""

from __future__ import annotations

import io
import itertools
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from rich.console import Console

from tests.data.pictures import negatives, picture, unpaired, write
from translate.commands.train import parse_overrides
from translate.config import TrainConfig
from translate.data.report import FolderReport, inspect_folder, render
from translate.errors import UserError


def scene(seed: int, size: int = 64) -> npt.NDArray[np.uint8]:
    """A smooth picture, which survives scaling and compression as photographs do."""
    return np.asarray(Image.fromarray(picture(seed, 6, 6)).resize((size, size), Image.Resampling.BICUBIC))


def printed(report: FolderReport) -> str:
    text = io.StringIO()
    Console(width=200, file=text).print(render(report))
    return text.getvalue()


def test_sound_unpaired_folder(tmp_path: Path) -> None:
    unpaired(tmp_path, 5, 8)
    unpaired(tmp_path, 2, 2, split="val")
    for path in (tmp_path / "valA").iterdir():  # the fixture draws the same noise again, which would be a leak
        write(path, picture(500 + int(path.stem)))
    for path in (tmp_path / "valB").iterdir():
        write(path, picture(600 + int(path.stem)))
    for path in (tmp_path / "trainB").iterdir():
        path.rename(path.with_name(f"b{path.name}"))
    report = inspect_folder(tmp_path, crop_size=16)
    assert (report.layout, report.model) == ("unpaired", "cyclegan")
    assert [(group.folder, group.files, group.readable) for group in report.groups] == [
        ("trainA", 5, 5),
        ("trainB", 8, 8),
        ("valA", 2, 2),
        ("valB", 2, 2),
    ]
    assert report.groups[0].median == [24, 20]
    assert report.groups[0].aspect_ratios == [1.2, 1.2, 1.2]
    assert report.groups[0].kinds == {"colour": 5}
    assert not (report.problems or report.leaks or report.duplicates or report.unreadable or report.misaligned)
    assert any("trainA has 5 images; with fewer than 200" in warning for warning in report.warnings)
    assert f"--data.root {tmp_path}" in report.command
    assert "all 24×20" in printed(report)
    assert json.loads(json.dumps(report.as_dict()))["layout"] == "unpaired"


@pytest.mark.parametrize("layout", ["side_by_side", "two_folders"])
def test_pairs_are_recognised(layout: str, tmp_path: Path) -> None:
    report = inspect_folder(negatives(tmp_path, 6, layout=layout))
    assert (report.layout, report.model, report.pairs) == (layout, "pix2pix", 6)
    assert not report.problems
    assert "no val split" in " ".join(report.warnings)


def test_numbered_files_of_two_sizes_are_no_pairs(tmp_path: Path) -> None:
    for index in range(5):
        write(tmp_path / "trainA" / f"{index}.png", picture(index, 24, 20))
        write(tmp_path / "trainB" / f"{index}.png", picture(index + 50, 30, 30))
    assert inspect_folder(tmp_path).layout == "unpaired"


def test_mismatched_and_misaligned_pairs(tmp_path: Path) -> None:
    root = negatives(tmp_path, 6, layout="two_folders")
    (root / "trainA" / "000.png").unlink()
    (root / "trainB" / "001.png").unlink()
    write(root / "trainB" / "002.png", picture(9, 30, 30))
    report = inspect_folder(root)
    assert report.layout == "two_folders"
    assert report.without_partner == ["trainA/001.png", "trainB/000.png"]
    assert report.misaligned == [{"files": ["trainA/002.png", "trainB/002.png"], "sizes": [[24, 20], [30, 30]]}]
    assert "trainA/002.png 24×20, trainB/002.png 30×30" in printed(report)
    assert len(report.problems) == 2


def test_odd_width_side_by_side(tmp_path: Path) -> None:
    root = negatives(tmp_path, 12)
    write(root / "train" / "odd.png", picture(1, 47, 20))
    report = inspect_folder(root)
    assert report.pairs == 12
    assert report.misaligned == [{"files": ["train/odd.png"], "sizes": [[47, 20]]}]


def test_unreadable_files_are_named_with_their_reason(tmp_path: Path) -> None:
    root = unpaired(tmp_path)
    (root / "trainA" / "empty.png").touch()
    (root / "trainB" / "text.jpg").write_text("404")
    report = inspect_folder(root)
    assert [entry["file"] for entry in report.unreadable] == ["trainA/empty.png", "trainB/text.jpg"]
    assert report.unreadable[0]["reason"] == "the file is empty"
    assert (report.groups[0].files, report.groups[0].readable) == (6, 5)
    assert "trainB/text.jpg: it is not an image" in printed(report)


def test_duplicates_have_the_same_pixels_whatever_the_file(tmp_path: Path) -> None:
    root = unpaired(tmp_path)
    with Image.open(root / "trainA" / "001.png") as image:
        image.save(root / "trainA" / "again.bmp")
    assert inspect_folder(root).duplicates == [["trainA/001.png", "trainA/again.bmp"]]


def test_leaks_are_found_through_scaling_and_compression(tmp_path: Path) -> None:
    for index in range(8):
        write(tmp_path / "trainA" / f"{index}.png", scene(index))
        write(tmp_path / "trainB" / f"{index}.png", scene(100 + index))
        write(tmp_path / "valA" / f"v{index}.png", scene(200 + index))
        write(tmp_path / "valB" / f"v{index}.png", scene(300 + index))
    shutil.copy(tmp_path / "trainA" / "3.png", tmp_path / "valA" / "copy.png")
    with Image.open(tmp_path / "trainA" / "4.png") as image:
        image.resize((40, 40)).save(tmp_path / "valA" / "small.jpg", quality=40)
    shutil.copy(tmp_path / "trainA" / "5.png", tmp_path / "valB" / "other-domain.png")
    report = inspect_folder(tmp_path)
    assert report.leaks == [
        {"train": "trainA/3.png", "other": "valA/copy.png", "exact": True},
        {"train": "trainA/4.png", "other": "valA/small.jpg", "exact": False},
    ]
    assert "trainA/4.png ≈ valA/small.jpg" in printed(report)


def test_plain_pictures_are_not_taken_for_each_other(tmp_path: Path) -> None:
    for index, level in enumerate((10, 200)):
        for split in ("train", "val"):
            write(tmp_path / f"{split}A" / f"{index}.png", np.full((16, 16, 3), level + (split == "val"), np.uint8))
            write(tmp_path / f"{split}B" / f"{index}.png", picture(index + 10 * (split == "val")))
    assert inspect_folder(tmp_path).leaks == []


def test_kinds_and_grey_domains(tmp_path: Path) -> None:
    for index in range(4):
        write(tmp_path / "trainA" / f"{index}.png", picture(index, channels=1))
        write(tmp_path / "trainB" / f"b{index}.png", picture(index))
    write(tmp_path / "trainB" / "alpha.png", picture(7, channels=4))
    write(tmp_path / "trainB" / "deep.png", picture(8, channels=1).astype(np.uint16) * 257)
    Image.fromarray(picture(9)).convert("CMYK").save(tmp_path / "trainB" / "print.jpg")
    Image.fromarray(picture(9)).convert("P").save(tmp_path / "trainB" / "palette.gif")
    report = inspect_folder(tmp_path)
    assert report.groups[0].kinds == {"grey": 4}
    assert report.groups[1].kinds == {
        "colour": 4,
        "colour + alpha": 1,
        "grey, 16-bit": 1,
        "palette": 1,
        "CMYK": 1,
    }
    warnings = " ".join(report.warnings)
    assert "Most of trainA is without colour (4 of 4)" in warnings
    for word in ("alpha", "16 bits", "CMYK", "1 picture in trainB without colour"):
        assert word in warnings


def test_small_and_oblong_images(tmp_path: Path) -> None:
    root = unpaired(tmp_path)
    write(root / "trainA" / "long.png", picture(1, 600, 300))
    warnings = " ".join(inspect_folder(root).warnings)
    assert "5 of 6 images in trainA are smaller than 256×256" in warnings
    assert "scale_shorter_and_crop" in warnings


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        (["trainA/1.png"], "There is trainA, but not trainB"),
        (["horses/1.png", "zebras/1.png"], "not clear from the folders (horses, zebras)"),
        (["1.png", "2.png"], "not clear from the folders"),
        (["train/1.png"], "do not look like two side by side"),
    ],
)
def test_folders_that_cannot_be_trained_on(files: list[str], problem: str, tmp_path: Path) -> None:
    for index, name in enumerate(files):
        write(tmp_path / name, picture(index, 20, 24))
    report = inspect_folder(tmp_path)
    assert report.model == report.command == ""
    assert problem in report.problems[0]
    assert problem in printed(report)


def test_nothing_to_report_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no images"):
        inspect_folder(tmp_path)
    with pytest.raises(UserError, match="does not exist"):
        inspect_folder(tmp_path / "nowhere")


def test_progress_counts_every_image(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    inspect_folder(unpaired(tmp_path, 2, 2), progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_markup_in_a_file_name_is_printed_as_it_is(tmp_path: Path) -> None:
    root = unpaired(tmp_path)
    (root / "trainA" / "[red]x.png").touch()
    (root / "[bold]trainA").mkdir()
    write(root / "[bold]trainA" / "x.png", picture(0))
    text = printed(inspect_folder(root))
    assert "[red]x.png" in text
    assert "[bold]trainA" in text


# --------------------------------------------------------------------------------------------------------------- masks


def with_masks(root: Path) -> Path:
    """Ten images of each domain; the object fills a quarter of A and half of B."""
    for side, index in itertools.product("AB", range(10)):
        mask = np.zeros((64, 64), np.uint8)
        mask[:32, : 32 if side == "A" else 64] = 255
        name = f"{index}.png" if side == "A" else f"b{index}.png"
        write(root / f"train{side}" / name, scene(index + 50 * (side == "B")))
        write(root / f"train{side}_mask" / name, mask)
    return root


def test_masks_are_no_images_to_train_on(tmp_path: Path) -> None:
    report = inspect_folder(with_masks(tmp_path), crop_size=48)
    assert [group.folder for group in report.groups] == ["trainA", "trainB"]
    assert report.model == "cyclegan"
    assert not [warning for warning in report.warnings if "mask" in warning]
    A, B = report.masks
    assert (A.folder, A.images, A.masks, A.coverage, B.coverage) == ("trainA_mask", "trainA", 10, 0.25, 0.5)
    text = printed(report)
    assert "trainA_mask: 10 masks, which cover 25% of a picture on average." in text
    assert A.coverage_in_crops is not None
    assert B.coverage_in_crops is not None
    assert B.coverage_in_crops - A.coverage_in_crops < 0.15  # 0.25 apart without
    shares = f"{A.coverage_in_crops:.0%} and {B.coverage_in_crops:.0%}"
    assert f"Of the object, trainA shows 25%, trainB shows 50%; with object crops {shares}: " in text
    assert f"--data.object_crop.scale_A '{A.scale}'" in text
    assert json.loads(json.dumps(report.as_dict()))["masks"][1]["coverage"] == 0.5


def test_the_suggested_flags_are_settings(tmp_path: Path) -> None:
    root = with_masks(tmp_path)
    text = " ".join(printed(inspect_folder(root, crop_size=48)).split())
    flags = shlex.split(text[text.index("--data.object_crop.share") : text.index("! ")])
    data = TrainConfig.build({"data": {"root": str(root)}}, parse_overrides(flags)).data
    assert data.object_crop.share == (0.15, 0.8)
    assert data.object_crop.scale_A is not None
    assert data.object_crop.scale_B is not None
    assert data.object_crop.scale_A < data.object_crop.scale_B


def test_what_is_wrong_with_masks(tmp_path: Path) -> None:
    root = with_masks(tmp_path)
    (root / "trainA_mask" / "1.png").unlink()
    write(root / "trainA_mask" / "other.png", np.zeros((64, 64), np.uint8))
    write(root / "trainA_mask" / "2.png", np.zeros((64, 64), np.uint8))
    write(root / "trainB_mask" / "b3.png", np.full((64, 64), 255, np.uint8))
    small = np.zeros((32, 80), np.uint8)
    small[0, :10] = 255
    write(root / "trainB_mask" / "b4.png", small)
    (root / "trainB_mask" / "b5.png").write_text("not an image")
    report = inspect_folder(root, crop_size=48)
    A, B = report.masks
    assert A.without_mask == ["trainA/1.png"]
    assert A.without_image == ["trainA_mask/other.png"]
    assert (A.empty, A.small, A.masks) == (["trainA_mask/2.png"], 1, 9)
    assert (B.full, B.small, B.without_mask) == (["trainB_mask/b3.png"], 1, ["trainB/b5.png"])
    assert B.resized == [{"files": ["trainB/b4.png", "trainB_mask/b4.png"], "sizes": [[64, 64], [80, 32]]}]
    assert report.unreadable[0]["file"] == "trainB_mask/b5.png"
    text = printed(report)
    for sentence in (
        "1 image in trainA without a mask: everything may change there.",
        "1 mask in trainA_mask without an image: not used.",
        "1 mask in trainA_mask empty: nothing should change there.",
        "1 mask in trainB_mask full: everything may change there.",
        "1 mask in trainB_mask of another size than the image: scaled in training.",
        "1 mask in trainB_mask under 2% of the picture: object crops leave that out.",
        "trainB/b4.png 64×64, trainB_mask/b4.png 80×32",
        "trainB_mask/b5.png: it is not an image",
    ):
        assert sentence in text


def test_masks_of_pairs(tmp_path: Path) -> None:
    root = negatives(tmp_path, 3)
    write(root / "train_mask" / "000.png", picture(0, 48, 20)[:, :, 0])
    write(root / "train_mask" / "001.png", picture(1, 24, 20)[:, :, 0])
    write(root / "train_mask" / "002.png", picture(2, 30, 20)[:, :, 0])
    report = inspect_folder(root)
    assert (report.layout, report.pairs) == ("side_by_side", 3)
    assert [bad["files"][1] for bad in report.masks[0].resized] == ["train_mask/002.png"]
    assert report.masks[0].coverage_in_crops is None


@pytest.mark.parametrize("layout", ["{split}{domain}", "{domain}/{split}", "{split}/{domain}", "{domain}"])
def test_masks_are_found_in_every_layout(layout: str, tmp_path: Path) -> None:
    for domain in "AB":
        folder = layout.format(split="train", domain=domain)
        write(tmp_path / folder / "x.png", picture(ord(domain)))
        write(tmp_path / f"{folder}_mask" / "x.png", picture(0)[:, :, 0])
    report = inspect_folder(tmp_path)
    assert [(group.split, group.domain) for group in report.groups] == [("train", "A"), ("train", "B")]
    assert [(group.domain, group.masks) for group in report.masks] == [("A", 1), ("B", 1)]
