"""Reports: all in one file, nothing asked of any host, strangers' strings as text."""

from __future__ import annotations

import csv
import html.parser
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.conftest import picture, tiny_settings
from tests.evaluation.conftest import tinted
from translate.errors import UserError
from translate.evaluation.measure import Measured
from translate.evaluation.report import render, write_report
from translate.evaluation.result import Evaluation, as_csv, written
from translate.runs.report import run_report, write_run_report

HOSTILE = "<script>alert('x')</script>&\"quoted\""


def evaluation(paired: bool = True, count: int = 9) -> Evaluation:
    rows = [{"name": f"{HOSTILE}{at}.png", "ssim": at / 10} for at in range(count)]
    values = {"ssim": 0.4, "kid": -0.001, "kid_error": 0.002, "kid_untranslated": 1.5, "kid_real": 0.01}
    values |= {"kid_improvement": 0.9, "images": count, "images_target": count, "psnr": float("nan")}
    values |= {"kid_subsets": 1, "kid_subset_size": count}
    images = tinted((90, 120, 60), count)
    measured = Measured("a2b", HOSTILE, "zebra", values, rows, "ssim", images, images[::-1], images if paired else [])
    return Evaluation(
        checkpoint="tiny",
        title=HOSTILE,
        data=HOSTILE,
        split="val",
        paired=paired,
        swapped=False,
        extractor="colours",
        resize="256×256",
        classifier="",
        lpips="",
        directions=[measured],
        settings={"name": HOSTILE},
        environment={"translate": "1", "device": "a machine"},
        notes=[HOSTILE],
        skipped=[HOSTILE],
    )


class _Reader(html.parser.HTMLParser):
    """Collects tags and text, and sees that what is opened is closed."""

    VOID = frozenset({"meta", "img", "path", "line", "rect"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def check_alone(page: str) -> _Reader:
    """The page has no script, asks nothing of any host, and is well formed."""
    read = _Reader(page)
    assert read.open == []
    assert "script" not in read.tags and "link" not in read.tags
    assert all(source.startswith("data:image/webp;base64,") for source in read.sources)
    assert not re.search(r"url\(|@import", page)
    return read


def test_an_evaluations_page_shows_all_and_runs_nothing() -> None:
    page = render(evaluation())
    read = check_alone(page)
    assert HOSTILE in read.text
    assert "prefers-color-scheme: dark" in page
    assert read.tags.count("img") == 3 * 9  # source, translation, target; every image is best or worst
    assert "90 %" in read.text and "-0.0010 ± 0.0020" in read.text
    assert "nan" not in read.text.lower()


def test_without_pairs_two_pictures_stand_side_by_side() -> None:
    assert check_alone(render(evaluation(paired=False))).tags.count("img") == 2 * 9


def test_a_report_folder_has_page_tables_sheets_and_json(tmp_path: Path) -> None:
    page = write_report(evaluation(), tmp_path / "report")
    names = {path.name for path in page.parent.iterdir()}
    assert names == {"report.html", "evaluation.json", "a2b.csv", "a2b.png"}
    found: dict[str, Any] = json.loads((page.parent / "evaluation.json").read_text())
    assert found["ssim"] == found["a2b"]["ssim"] == 0.4
    assert "psnr" not in found  # no number, and so not in JSON
    assert [row["ssim"] for row in found["per_image"]["a2b"]] == [at / 10 for at in range(8, -1, -1)]
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Cannot write the report"):
        write_report(evaluation(), tmp_path / "file")


def test_the_table_of_images_is_sorted_and_quoted() -> None:
    rows = list(csv.reader(io.StringIO(as_csv(evaluation().directions[0]))))
    assert rows[0] == ["rank", "name", "ssim"]
    assert rows[1] == ["1", f"{HOSTILE}8.png", "0.8"]
    assert rows[-1] == ["9", f"{HOSTILE}0.png", "0"]


def test_the_contact_sheet_shows_the_best_left_and_the_worst_right(tmp_path: Path) -> None:
    given = evaluation(paired=False, count=4)
    for at, shade in enumerate((10, 80, 160, 240)):  # the worst is dark, the best light
        given.directions[0].made[at] = np.full((40, 40, 3), shade, np.uint8)
    sheet = np.asarray(Image.open(write_report(given, tmp_path).parent / "a2b.png"))
    height = sheet.shape[0] // 4
    left, right = sheet[height, : sheet.shape[1] // 2], sheet[height, sheet.shape[1] // 2 :]
    assert (left == 240).all(axis=1).sum() >= 40
    assert (right == 10).all(axis=1).sum() >= 40
    assert not (right == 240).all(axis=1).any()


@pytest.mark.parametrize(
    ("name", "value", "error", "text"),
    [
        ("kid", 0.0123456, 0.002, "0.0123 ± 0.0020"),
        ("psnr", 21.376, None, "21.38"),
        ("classified_as_target", 0.95, None, "95 %"),
        ("kid", None, None, ""),
        ("kid", 0.5, float("nan"), "0.5000"),
    ],
)
def test_numbers_as_people_read_them(name: str, value: float | None, error: float | None, text: str) -> None:
    assert written(name, value, error) == text


# ----------------------------------------------------------------------------------------------------------------- runs


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder as a training run leaves it, without the training."""
    folder = tmp_path / "run"
    (folder / "samples").mkdir(parents=True)
    settings = tiny_settings("cyclegan", tmp_path / "data", folder) | {"title": HOSTILE}
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))
    rows = [
        {"step": step, "epoch": step / 4, "G_A": 1 / step, "D_A": 0.2, "lr": 1e-4, "elapsed_seconds": 60.0 * step}
        | {"images_per_second": 2.0, "mood": step % 3}
        | ({"val/kid_a2b": 0.5 / step, "val/kid_b2a": 0.4, "val/images_a2b": 2} if step % 2 == 0 else {})
        for step in range(1, 13)
    ]
    (folder / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for step in range(2, 14, 2):
        picture(step, (90, 60)).save(folder / "samples" / f"step-{step:08d}.png")
    return folder


def test_a_runs_page_has_curves_samples_and_settings(run: Path) -> None:
    page = run_report(run)
    read = check_alone(page)
    assert HOSTILE in read.text
    for text in ("Generators", "kid_a2b", "kid_b2a", "Learning rate", "mood", "After 12 steps", "12 min", "crop_size"):
        assert text in read.text
    assert "Cycle consistency" not in read.text and "images_a2b" not in read.text
    assert read.tags.count("img") == 4


def test_a_runs_page_is_written_where_it_is_wanted(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "page.html"
    assert write_run_report(run, out).read_text(encoding="utf-8").startswith("<!doctype html>")


def test_what_is_no_run_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not the folder of a training run"):
        run_report(tmp_path)
    (run / "history.jsonl").unlink()
    with pytest.raises(UserError, match="no history yet"):
        run_report(run)
