"""The Batch tab, as somebody with many pictures meets it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.conftest import DESKTOP, PHONE, Visit
from tests.conftest import picture

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api", reason="these tests need playwright").expect


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Three pictures, one of them in an archive with a folder, and two files that are none."""
    for seed, name in enumerate(("one.jpg", "two.png", "three.webp")):
        picture(seed, (60, 40)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("this is text")
    (tmp_path / "broken.jpg").write_text("this is no image")
    with zipfile.ZipFile(tmp_path / "trip.zip", "w") as archive:
        archive.write(tmp_path / "three.webp", "day/three.webp")
    return [tmp_path / name for name in ("one.jpg", "two.png", "trip.zip", "notes.txt", "broken.jpg")]


def begin(visit: Visit, files: list[Path], way: str = "Tiny zebras: horse → zebra") -> None:
    visit.open("Batch")
    visit.page.get_by_label("What to make").locator("visible=true").click()
    visit.page.get_by_role("option", name=way).click()
    visit.add_files("#files", files)
    visit.page.get_by_role("button", name="Translate all").click()


def test_pictures_and_archives_come_back_as_an_archive(visit: Visit, pictures: list[Path]) -> None:
    begin(visit, pictures)
    visit.page.get_by_text("3 pictures in").wait_for()
    left_out = visit.page.locator(".left-out").inner_text()
    assert "notes.txt" in left_out
    assert "broken.jpg" in left_out
    assert "/tmp" not in left_out
    visit.page.wait_for_function("[...document.querySelectorAll('.grid-container img')].length == 3")
    visit.screenshot("desktop-batch")
    with visit.page.expect_download() as waiting:
        visit.page.get_by_role("button", name="Download all").click()
    assert waiting.value.suggested_filename == "pictures-zebra.zip"
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert sorted(archive.namelist()) == ["one.jpg", "trip/three.webp", "two.png"]
        for name, kind in (("one.jpg", "JPEG"), ("trip/three.webp", "WEBP"), ("two.png", "PNG")):
            with Image.open(io.BytesIO(archive.read(name))) as image:
                assert (image.format, image.size) == (kind, (60, 40))
    expect(visit.page.get_by_role("button", name="Translate all")).to_be_enabled()


def test_nothing_but_bad_files_is_a_sentence(visit: Visit, pictures: list[Path]) -> None:
    begin(visit, pictures[3:])
    alert = visit.page.get_by_role("alert").filter(has_text="notes.txt")
    alert.wait_for()
    assert "broken.jpg" in alert.inner_text()
    assert not visit.page.get_by_role("button", name="Download all").is_visible()
    expect(visit.page.get_by_role("button", name="Translate all")).to_be_enabled()


def test_it_can_be_stopped_and_keeps_what_is_done(visit: Visit, tmp_path: Path) -> None:
    picture(1, (640, 480)).save(tmp_path / "one.jpg")
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(400):  # more than can be done before somebody on a slow machine presses Stop
            archive.write(tmp_path / "one.jpg", f"{number:03}.jpg")
    begin(visit, [tmp_path / "many.zip"])
    visit.page.get_by_text("of 400 pictures ·").wait_for()
    visit.screenshot("desktop-batch-going")
    visit.page.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
    visit.page.get_by_text("Stopped after").wait_for()
    with visit.page.expect_download() as waiting:
        visit.page.get_by_role("button", name="Download all").click()
    with zipfile.ZipFile(waiting.value.path()) as archive:
        assert 0 < len(archive.namelist()) < 400


@pytest.mark.parametrize("visit", [PHONE, DESKTOP | {"color_scheme": "dark"}], indirect=True)
def test_phones_and_dark_rooms(visit: Visit, pictures: list[Path]) -> None:
    begin(visit, pictures)
    visit.page.get_by_text("3 pictures in").wait_for()
    width = visit.page.evaluate("window.innerWidth")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    visit.screenshot("phone-batch" if width < 500 else "dark-batch")
