"""The Train tab, as somebody with a browser and two folders of pictures meets it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import DESKTOP, PHONE, Studio, Visit
from tests.conftest import picture
from translate.runs import processes

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TINY = """model.generator.width: 4
model.generator.blocks: 1
model.discriminator.width: 4
model.discriminator.layers: 1
data.crop_size: 64
data.load_size: 72
data.workers: 0
run.steps: 300
run.log_every: 5
run.sample_every: 50
run.device: cpu
run.compile: off"""
"""For the page's own box of further settings: a training of seconds."""


@pytest.fixture
def horses(tmp_path: Path) -> Path:
    """Two folders of a few pictures, and a file that is none."""
    root = tmp_path / "dusk2dawn"
    for number, split in enumerate(("trainA", "trainB", "valA", "valB")):
        (root / split).mkdir(parents=True)
        for index in range(6):
            picture(100 * number + index, (96, 80)).save(root / split / f"{split}-{index}.png")
    (root / "trainA" / "notes.jpg").write_text("this is text")
    return root


@pytest.fixture(autouse=True)
def _runs_end(studio: Studio) -> Iterator[None]:
    yield
    for run in studio.runs.iterdir():
        if processes.running(run):
            processes.stop(run, "stop")


def open_train(visit: Visit) -> None:
    """Go to the tab, and from whatever was trained last to where one begins."""
    visit.page.get_by_role("tab", name="Train").click()
    visit.page.locator("#train-folder, #again").locator("visible=true").first.wait_for()
    if visit.page.locator("#again").is_visible():
        visit.page.locator("#again").click()
    visit.page.locator("#train-folder").wait_for()


def look_at(visit: Visit, folder: str) -> None:
    visit.page.get_by_label("Folder on this computer").fill(folder)
    visit.page.get_by_role("button", name="Check folder").click()


def start(visit: Visit, folder: Path, name: str) -> None:
    look_at(visit, str(folder))
    visit.page.locator(".verdict.good").wait_for()
    visit.page.locator(".estimate").wait_for()
    visit.page.get_by_label("Name of your training").fill(name)
    set_further(visit, TINY)
    visit.page.get_by_role("button", name="Start training").click()
    visit.page.locator(".progress-card").wait_for()


def set_further(visit: Visit, settings: str) -> None:
    """Write into the box of further settings, and wait until the estimate tells that they arrived."""
    before = visit.page.locator(".estimate").inner_text()
    visit.page.get_by_text("More, for those who know").click()
    visit.page.get_by_label("Further settings").fill(settings)
    visit.page.get_by_label("Further settings").blur()
    estimate_changes(visit, before)


def estimate_changes(visit: Visit, before: str) -> None:
    differs = "words => document.querySelector('.estimate')?.innerText !== words"
    visit.page.wait_for_function(differs, arg=before)


def test_from_a_folder_to_a_checkpoint_in_translate(visit: Visit, studio: Studio, horses: Path) -> None:
    page = visit.page
    open_train(visit)
    visit.screenshot("train-start")
    start(visit, horses, "Dusk and dawn")
    page.locator(".chart path.line").first.wait_for()

    page.reload()  # the training goes on, and the page comes back to it
    page.locator(".progress-card", has_text="Dusk and dawn").wait_for()
    assert page.get_by_role("tab", name="Train").get_attribute("aria-selected") == "true"
    page.get_by_role("button", name="Pause").click()
    page.locator(".state.paused").wait_for()
    (run,) = studio.runs.glob("dusk-and-dawn*")
    assert processes.running(run) is None
    steps = page.locator(".pace").inner_text()
    visit.screenshot("train-paused")

    page.reload()  # and to one that is paused
    page.locator(".state.paused").wait_for()
    assert page.locator(".pace").inner_text() == steps
    page.get_by_role("button", name="Resume").click()
    page.locator(".state.running").wait_for()
    page.locator(".sheet img").first.wait_for()
    visit.screenshot("train-running")
    page.locator(".state.finished").wait_for(timeout=240_000)
    assert "300 of 300" in page.locator(".pace").inner_text().replace("Step ", "")
    visit.screenshot("train-finished")

    page.get_by_role("link", name="Use it in Translate").click()
    page.locator(".card input:checked").wait_for(state="attached")
    page.wait_for_function(f"document.querySelector('.card input:checked').value === '{run.name}'")
    assert page.get_by_role("tab", name="Translate").get_attribute("aria-selected") == "true"
    page.get_by_role("radio", name="dawn → dusk").wait_for()


def test_a_run_that_fails_says_why(visit: Visit, horses: Path) -> None:
    open_train(visit)
    look_at(visit, str(horses))
    visit.page.locator(".estimate").wait_for()
    set_further(visit, TINY + "\ndata.split: nowhere")
    visit.page.get_by_role("button", name="Start training").click()
    visit.page.locator(".state.failed").wait_for()
    words = visit.page.locator(".progress-card").inner_text()
    assert "nowhere" in words
    assert "Traceback" not in words
    visit.screenshot("train-failed")


def test_what_is_in_a_folder_is_told_and_shown(visit: Visit, horses: Path) -> None:
    open_train(visit)
    look_at(visit, str(horses))
    report = visit.page.locator(".report")
    report.wait_for()
    words = report.inner_text()
    assert "6 in trainA and 6 in trainB" in words
    assert "CycleGAN" in words
    assert "unreadable" in words
    assert report.locator(".thumbs img").count() == 12
    report.get_by_text("Cannot be read").click()
    assert report.get_by_text("trainA/notes.jpg").is_visible()
    assert visit.page.get_by_label("What A shows").input_value() == "dusk"
    estimate = visit.page.locator(".estimate")
    assert re.search(r"(minute|hour|day)", estimate.inner_text())
    before = estimate.inner_text()
    visit.page.get_by_role("radio", name="Best").check()
    estimate_changes(visit, before)
    visit.screenshot("train-report")


def test_bad_folders_and_files_give_sentences(visit: Visit, horses: Path, tmp_path: Path) -> None:
    alert = visit.page.get_by_role("alert")
    open_train(visit)
    look_at(visit, str(tmp_path / "missing"))
    visit.page.get_by_text("is not there").wait_for()
    (tmp_path / "nothing").mkdir()
    look_at(visit, str(tmp_path / "nothing"))
    visit.page.get_by_text("holds no images").wait_for()
    (horses / "trainB").rename(horses / "somewhere else")
    look_at(visit, str(horses))
    visit.page.get_by_text("but not trainB").wait_for()
    broken = tmp_path / "broken.zip"
    broken.write_text("this is no zip")
    visit.page.set_input_files("#train-zip input[type=file]", broken)
    visit.page.get_by_text("broken.zip was not unpacked").wait_for()
    assert alert.count() == 1
    assert not visit.page.get_by_role("button", name="Start training").is_visible()
    visit.screenshot("train-problem")
    for jargon in ("Traceback", "Exception", str(tmp_path / "translate-studio")):
        assert jargon not in visit.page.locator("body").inner_text()


@pytest.mark.parametrize("visit", [PHONE, DESKTOP | {"color_scheme": "dark"}], ids=["phone", "dark"], indirect=True)
def test_a_zip_of_pairs_on_a_phone_and_in_the_dark(visit: Visit, paired: Path, tmp_path: Path) -> None:
    archive = tmp_path / "edges2cats.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in sorted(paired.rglob("*.png")):
            file.write(path, Path("edges2cats") / path.relative_to(paired))
    open_train(visit)
    visit.page.set_input_files("#train-zip input[type=file]", archive)
    visit.page.get_by_text("8 pairs of pictures").wait_for()
    assert visit.page.get_by_role("radio", name="cats → edges").is_visible()
    visit.page.get_by_role("radio", name="CycleGAN").check()
    visit.page.get_by_role("radio", name="cats → edges").wait_for(state="hidden")
    visit.page.locator(".estimate").wait_for()
    visit.screenshot(f"train-zip-{visit.page.viewport_size['width']}")
    scrolled, seen = visit.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    assert scrolled == seen
