"""One studio and one browser for all of these tests: the real server in its own process, and the system's Chromium."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.conftest import REPOSITORY
from tests.studio.tiny import tiny_run

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
ARGUMENTS += ["--disable-background-networking", "--disable-component-update"]
LINES = {"background": "#ffffff", "palette": {"line": "#000000"}}
LABELS = {"background": "#0000de", "palette": {"background": "#0000de", "wall": "#0030ff", "door": "#00cfff"}}
DESKTOP = {"viewport": {"width": 1280, "height": 860}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


PATIENCE = 120_000
"""Milliseconds that the page may take for anything. A test that passes waits for what it needs and no longer, so this
costs nothing; a slow processor beside other work takes more than Playwright's 30 seconds to import PyTorch alone."""


@dataclass
class Studio:
    """A running studio: its address, its folder of runs, and its process."""

    url: str
    runs: Path
    process: int


@dataclass
class Visit:
    """A page of the studio in the browser, and what should not have happened on it."""

    page: Any
    screenshots: Path
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def screenshot(self, name: str) -> None:
        self.page.wait_for_timeout(300)  # for transitions to end
        self.page.screenshot(path=self.screenshots / f"{name}.png")

    def open(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab, exact=True).click()

    def choose(self, title: str) -> None:
        self.page.locator(".card", has_text=title).click()

    def upload(self, photo: Path) -> None:
        self.page.set_input_files("#photo input[type=file]", photo)

    def add_files(self, place: str, files: Sequence[Path]) -> None:
        """Give files to one of Gradio's places for them, and wait until it lists all of them as uploaded."""
        self.page.set_input_files(f"{place} input[type=file]", files)
        self.page.locator(f"{place} .file-preview .file").nth(len(files) - 1).wait_for()

    def open_more(self) -> None:
        self.page.get_by_role("button", name="More").click()
        self.page.wait_for_timeout(500)  # it unfolds, and listens when it has

    def result(self) -> Any:
        """Wait for a translation; gives the two pictures of the slider, before and after."""
        self.page.locator("#result img").first.wait_for()
        self.page.wait_for_function("[...document.querySelectorAll('#result img')].every(image => image.naturalWidth)")
        return self.page.locator("#result img")

    def download(self, name: str) -> Path:
        """Press «Download» until the file has this name, as a new translation takes its moment."""
        for _ in range(40):
            with self.page.expect_download() as waiting:
                self.page.locator("#keep").click()
            if waiting.value.suggested_filename == name:
                return Path(waiting.value.path())
            self.page.wait_for_timeout(250)
        raise AssertionError(f"the download is called {waiting.value.suggested_filename}, not {name}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder share one server and one browser, so they run in one process, and alone."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """`python app.py` with three tiny checkpoints: one with both directions and an example, two that read drawings."""
    pytest.importorskip("gradio", reason="the studio needs gradio")
    folder = tmp_path_factory.mktemp("studio")
    runs = folder / "runs"
    tiny_run(runs, "tiny", title="Tiny zebras", summary="Paints very small stripes.", examples=["example.jpg"])
    shoes = {"title": "Tiny shoes", "domains": {"a": "outline", "b": "shoe"}, "drawing": LINES, "image_size": 64}
    tiny_run(runs, "edges", directions=("a2b",), **shoes)
    houses = {"title": "Tiny houses", "domains": {"a": "labels", "b": "façade"}, "drawing": LABELS, "image_size": 64}
    tiny_run(runs, "labels", directions=("a2b",), examples=["example.jpg"], **houses)
    with serving(folder, runs) as studio:
        yield studio


@contextmanager
def serving(folder: Path, runs: Path, **environment: str) -> Iterator[Studio]:
    """`python app.py` with a folder of runs; what it writes besides goes into `folder`.

    `environment` holds variables for it beside those that are there.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = os.environ | {"TRANSLATE_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"} | environment
    variables.pop("GRADIO_TEMP_DIR", None)
    variables["TMPDIR"] = str(folder)
    command = [sys.executable, str(REPOSITORY / "app.py"), "--port", str(port), "--runs", str(runs)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, env=variables, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    url = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield Studio(url, runs, server.pid)
    finally:
        server.terminate()
        server.wait()
        assert not list(folder.glob("translate-studio-*")), "pictures stay behind"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="these tests need playwright")
    if CHROMIUM is None:
        pytest.skip("these tests need the system's Chromium or Chrome")
    api.expect.set_options(timeout=PATIENCE)
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(request: pytest.FixtureRequest, studio: Studio, browser: Any, tmp_path: Path) -> Iterator[Visit]:
    """The studio's page with its cards there. Afterwards: no errors in the console, no request to any other host.

    A test may ask for another screen with `@pytest.mark.parametrize("visit", [PHONE], indirect=True)`.
    """
    with visiting(browser, studio, tmp_path, **getattr(request, "param", DESKTOP)) as visit:
        yield visit


@contextmanager
def visiting(browser: Any, studio: Studio, folder: Path, **options: Any) -> Iterator[Visit]:
    """A page of a browser of its own, as `visit` is, with Playwright's options of a context."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    screenshots = Path(os.environ.get("TRANSLATE_SCREENSHOTS", folder))
    screenshots.mkdir(parents=True, exist_ok=True)
    visit = Visit(page, screenshots)
    page.on("console", lambda line: visit.errors.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    ours = (studio.url, "data:", "blob:")
    page.on("request", lambda sent: None if sent.url.startswith(ours) else visit.foreign.append(sent.url))
    # Gradio's page asks how an upload is getting on; where that is done already, the answer is a 404 that nobody sees.
    page.route("**/upload_progress*", lambda route: route.fulfill(content_type="text/event-stream", body=""))
    page.goto(studio.url)
    page.locator(".card input").first.wait_for(state="attached")
    yield visit
    context.close()
    assert visit.foreign == []
    assert visit.errors == []


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """300×200 on disk, a gradient with shapes, taken with the camera held upright: seen as 200×300."""
    columns, rows = np.meshgrid(np.linspace(0, 255, 300), np.linspace(0, 255, 200))
    image = Image.fromarray(np.stack([columns, rows, 255 - columns], axis=2).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse((30, 30, 130, 130), fill=(240, 220, 60))
    draw.rectangle((180, 90, 270, 170), fill=(40, 160, 90))
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "photo.jpg"
    image.save(path, quality=92, exif=exif)
    return path
