"""The report finds what is wrong with a folder, and says what to train on it."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from rich.console import Console

from tests.data.pictures import negatives, picture, unpaired, write
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
