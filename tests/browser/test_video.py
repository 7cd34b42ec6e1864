"""The Video tab, as somebody with a film meets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from tests.browser.conftest import PHONE, Visit

av = pytest.importorskip("av", reason="films need PyAV")
pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api", reason="these tests need playwright").expect


def film(path: Path, frames: int, size: tuple[int, int] = (96, 64)) -> Path:
    """A disc that moves, 12 frames a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(frames):
            image = Image.new("RGB", size, (60, 90, 200))
            ImageDraw.Draw(image).ellipse((number % 60, 10, number % 60 + 30, 40), fill=(240, 200, 60))
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode())
    return path


def begin(visit: Visit, path: Path) -> None:
    visit.open("Video")
    visit.add_files("#film", [path])
    visit.page.get_by_role("button", name="Translate video").click()


def test_a_film_becomes_a_film_that_plays_and_can_be_kept(visit: Visit, tmp_path: Path) -> None:
    begin(visit, film(tmp_path / "disc.mp4", 24))
    visit.page.get_by_text("24 frames in").wait_for()
    visit.page.wait_for_function("document.querySelector('#player video')?.videoWidth === 96")
    visit.screenshot("desktop-video")
    with visit.page.expect_download() as waiting:
        visit.page.get_by_role("button", name="Download", exact=True).locator("visible=true").click()
    assert waiting.value.suggested_filename == "disc-shoe.mp4"
    with av.open(str(waiting.value.path())) as made:
        assert sum(1 for _ in made.decode(video=0)) == 24


def test_it_tells_how_long_and_can_be_stopped(visit: Visit, tmp_path: Path) -> None:
    begin(visit, film(tmp_path / "long.mp4", 600, (480, 320)))
    visit.page.get_by_text("of 600 frames ·").wait_for()
    assert "left" in visit.page.locator(".progress").locator("visible=true").inner_text()
    visit.screenshot("desktop-video-going")
    visit.page.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
    visit.page.get_by_text("Stopped. Nothing of it was kept.").wait_for()
    expect(visit.page.get_by_role("button", name="Translate video")).to_be_enabled()


@pytest.mark.parametrize("visit", [PHONE], indirect=True)
def test_what_is_no_film_is_a_sentence(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("this is text")
    begin(visit, tmp_path / "notes.mp4")
    alert = visit.page.get_by_role("alert").filter(has_text="notes.mp4")
    alert.wait_for()
    assert str(tmp_path) not in alert.inner_text()
    assert "translate-studio" not in alert.inner_text()
    assert visit.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]") == [390, 390]
    visit.screenshot("phone-video")
