"""Runs in words and pictures."""

from __future__ import annotations

import base64
import io
import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from tests.studio.trained import note, trained_run
from translate.runs.listing import read_run
from translate.studio.cards import run_progress, sample_sheet, words


def pictures(html: str) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall('base64,([^"]+)', html)]


def colours(image: Image.Image) -> list[tuple[int, ...]]:
    """The colour in the middle of each row of a sheet, to steps of 85."""
    rows = (image.height + 4) // 36
    pixels = [image.convert("RGB").getpixel((16, 36 * row + 16)) for row in range(rows)]
    return [tuple(round(value / 85) for value in pixel) for pixel in pixels if isinstance(pixel, tuple)]


@pytest.mark.parametrize(
    ("model", "halves", "heads"),
    [
        (
            "cyclegan",
            [["red", "blue"], ["lime", "white"]],
            ["horse", "zebra", "back again", "zebra", "horse", "back again"],
        ),
        ("pix2pix", [["red", "lime"], ["blue", "white"]], ["horse", "zebra", "target"] * 2),
    ],
)
def test_a_sheet_is_shown_in_two_halves(tmp_path: Path, model: str, halves: list[list[str]], heads: list[str]) -> None:
    """A CycleGAN's rows take turns, so that each half is a direction; of pairs the upper rows are one half."""
    run = read_run(trained_run(tmp_path, "run", model=model))
    sheet = Image.new("RGB", (3 * 32 + 8, 4 * 32 + 12), "white")
    for row, colour in enumerate(("red", "lime", "blue", "white")):
        sheet.paste(colour, (0, 36 * row, sheet.width, 36 * row + 32))
    sheet.save(run.sheets[-1][1])
    html = sample_sheet.sheet(run)
    assert re.findall("<span>([^<]+)</span>", html) == heads
    names: dict[tuple[int, ...], str] = {(3, 0, 0): "red", (0, 3, 0): "lime", (0, 0, 3): "blue", (3, 3, 3): "white"}
    assert [[names[colour] for colour in colours(half)] for half in pictures(html)] == halves


def test_a_sheet_that_cannot_be_halved_is_shown_whole(tmp_path: Path) -> None:
    run = read_run(trained_run(tmp_path, "run"))
    Image.new("RGB", (104, 77)).save(run.sheets[-1][1])
    assert [picture.size for picture in pictures(sample_sheet.sheet(run))] == [(104, 77)]


def test_progress_is_told_in_words(tmp_path: Path) -> None:
    folder = trained_run(tmp_path, "run", steps=40, run__steps=400)
    note(folder)
    told = run_progress.progress(read_run(folder))
    assert "10% done, about 3 minutes left." in told
    assert 'aria-valuenow="10"' in told
    assert "2.0 images a second" in told
    (folder / "history.jsonl").unlink()
    assert "Getting ready" in run_progress.progress(read_run(folder))
    note(folder, outcome="failed", reason=f"{folder} is torn.")
    failed = run_progress.progress(read_run(folder))
    assert "run is torn." in failed
    assert str(tmp_path) not in failed
    assert "goes on" not in failed


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (10, "less than a minute"),
        (60, "about 1 minute"),
        (3540, "about 59 minutes"),
        (7500, "about 2 hours"),
        (9000, "about 2 hours 30 minutes"),
        (93_600, "about 26 hours"),
        (400_000, "about 5 days"),
    ],
)
def test_durations_are_as_precise_as_they_can_be(seconds: float, said: str) -> None:
    assert words.roughly(seconds) == said


def test_days_have_names_where_they_are_near() -> None:
    now = datetime.now().replace(hour=14, minute=5)
    assert words.when(now) == "today 14:05"
    assert words.when(now - timedelta(days=1)) == "yesterday 14:05"
    assert words.when(datetime(2020, 3, 1)) == "1 Mar 2020"
