"""The Live tab, with a film in the place of the camera."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.browser.conftest import ARGUMENTS, CHROMIUM, DESKTOP, PHONE, Studio, Visit, visiting

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def camera(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser whose camera shows a disc that moves, 640×480 pixels."""
    film = tmp_path_factory.mktemp("camera") / "disc.mjpeg"
    with film.open("wb") as file:
        for step in range(40):
            frame = Image.new("RGB", (640, 480), (60, 90, 200))
            ImageDraw.Draw(frame).ellipse((12 * step, 160, 12 * step + 150, 310), fill=(240, 200, 60))
            frame.save(file, "JPEG", quality=80)
    arguments = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={film}"]
    chromium = browser.browser_type.launch(executable_path=CHROMIUM, headless=True, args=[*ARGUMENTS, *arguments])
    yield chromium
    chromium.close()


@pytest.fixture
def live(request: pytest.FixtureRequest, camera: Any, studio: Studio, tmp_path: Path) -> Iterator[Visit]:
    """The Live tab in that browser."""
    options = getattr(request, "param", DESKTOP | {"permissions": ["camera"]})
    with visiting(camera, studio, tmp_path, **options) as visit:
        visit.open("Live")
        yield visit


def shown(visit: Visit) -> str:
    return str(visit.page.locator(".live img").get_attribute("src"))


def test_the_camera_is_translated_again_and_again(live: Visit) -> None:
    live.screenshot("desktop-live-start")
    live.page.get_by_role("button", name="Start the camera").click()
    live.page.get_by_text(re.compile(r"^[\d.]+ frames/s$")).wait_for()
    first = shown(live)
    assert first.startswith("data:image/jpeg")
    live.page.wait_for_function("old => document.querySelector('.live img').src !== old", arg=first)
    sizes = live.page.locator(".live img").evaluate("image => [image.naturalWidth, image.naturalHeight]")
    assert sizes == [256, 192]
    live.screenshot("desktop-live")
    live.page.get_by_role("button", name="Stop", exact=True).locator("visible=true").click()
    live.page.get_by_role("button", name="Start the camera").wait_for()
    last = shown(live)
    live.page.wait_for_timeout(1000)
    assert shown(live) == last


def test_one_frame_is_on_its_way_at_a_time(live: Visit) -> None:
    live.page.evaluate(
        """() => {
          window.sent = 0; window.most = 0; window.waiting = 0;
          const picture = document.querySelector('.live img');
          new MutationObserver(() => { window.waiting = 0; }).observe(picture, {attributeFilter: ['src']});
          const draw = HTMLCanvasElement.prototype.toDataURL;
          HTMLCanvasElement.prototype.toDataURL = function (...how) {
            window.sent++;
            window.most = Math.max(window.most, ++window.waiting);
            return draw.apply(this, how);
          };
        }"""
    )
    live.page.get_by_role("button", name="Start the camera").click()
    live.page.wait_for_function("window.sent > 8")
    assert live.page.evaluate("window.most") == 1


def test_another_tab_switches_the_camera_off(live: Visit) -> None:
    live.page.get_by_role("button", name="Start the camera").click()
    live.page.get_by_text(re.compile(r"^[\d.]+ frames/s$")).wait_for()
    live.open("Translate")
    live.page.wait_for_function("document.querySelector('.live video').srcObject === null")
    live.open("Live")
    live.page.get_by_role("button", name="Start the camera").wait_for()


@pytest.mark.parametrize("live", [DESKTOP], indirect=True)
def test_a_camera_that_is_refused_is_a_sentence(live: Visit) -> None:
    live.page.get_by_role("button", name="Start the camera").click()
    live.page.get_by_text("was not allowed to use the camera").wait_for()


@pytest.mark.parametrize("live", [PHONE | {"permissions": ["camera"], "color_scheme": "dark"}], indirect=True)
def test_a_dark_phone(live: Visit) -> None:
    live.page.get_by_role("button", name="Start the camera").click()
    live.page.get_by_text(re.compile(r"^[\d.]+ frames/s$")).wait_for()
    assert live.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]") == [390, 390]
    live.screenshot("phone-live")
    with Image.open(live.screenshots / "phone-live.png") as shot:
        assert np.asarray(shot.convert("L")).mean() < 100
