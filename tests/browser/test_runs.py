"""The Runs tab, as somebody with a browser and a few trainings meets it."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.browser.conftest import PHONE, Studio, Visit
from tests.studio.trained import note, trained_run
from translate.checkpoints.format import load_generator

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def _some_runs(studio: Studio) -> Iterator[None]:
    """Three runs, there before the page is opened and gone afterwards."""
    trained_run(studio.runs, "first-try")
    trained_run(studio.runs, "second-try", steps=60, optim__lr=0.001)
    trained_run(studio.runs, "pairs-of-cats", model="pix2pix")
    yield
    for name in ("first-try", "second-try", "pairs-of-cats"):
        shutil.rmtree(studio.runs / name, ignore_errors=True)


@pytest.fixture
def runs(_some_runs: None, visit: Visit) -> Visit:
    """The page, with the tab opened."""
    visit.page.get_by_role("tab", name="Runs").click()
    visit.page.locator(".run").first.wait_for()
    return visit


def tick(runs: Visit, name: str) -> None:
    runs.page.locator(".run", has_text=name).click()


def test_all_runs_are_listed_with_what_matters(runs: Visit) -> None:
    row = runs.page.locator(".run", has_text="Second try").inner_text()
    for words in ("Finished", "CycleGAN", "pictures", "60 of 60 steps", "today", "cycle_A"):
        assert words in row
    runs.screenshot("runs-list")


def test_one_run_shows_its_samples_step_by_step(runs: Visit) -> None:
    tick(runs, "Pairs of cats")
    runs.page.get_by_text("Samples at step 40").wait_for()
    newest = runs.page.locator(".sheet img").first.get_attribute("src")
    runs.page.locator("#sheet-slider input[type=range]").focus()
    runs.page.keyboard.press("ArrowLeft")
    runs.page.get_by_text("Samples at step 20").wait_for()
    assert runs.page.locator(".sheet img").first.get_attribute("src") != newest
    titles = runs.page.locator("#run-comparison .chart figcaption b").all_inner_texts()
    assert titles == ["G_GAN", "G_L1", "D_real", "D_fake"]
    runs.screenshot("runs-one")


def test_several_runs_are_compared_on_the_same_axes(runs: Visit) -> None:
    tick(runs, "First try")
    tick(runs, "Second try")
    table = runs.page.locator(".differences")
    table.wait_for()
    assert table.locator("tbody tr").all_inner_texts() == ["optim.lr\t0.0002\t0.001", "run.steps\t40\t60"]
    chart = runs.page.locator(".chart", has_text="cycle_A").first
    assert chart.locator("path.line").count() == 2
    legend = [" ".join(words.split()) for words in chart.locator(".legend .line").all_inner_texts()]
    assert legend == ["First try 0.485", "Second try 0.392"]
    assert chart.locator(".steps").inner_text().split("\n")[-1] == "60"
    assert chart.locator("path.raw").count() == 2
    runs.screenshot("runs-compared")
    chart.locator(".plot").hover()
    chart.locator(".at").wait_for()
    assert "Step 3" in chart.locator(".at").inner_text()
    runs.page.get_by_label("Smooth the curves").uncheck()
    runs.page.locator("path.raw").first.wait_for(state="detached")
    assert not runs.page.locator("#run-detail").is_visible()  # that is for one run alone


def test_a_checkpoint_is_exported_both_ways(runs: Visit, tmp_path: Path) -> None:
    tick(runs, "First try")
    with runs.page.expect_download() as waiting:
        runs.page.get_by_role("button", name="Export", exact=True).click()
    assert waiting.value.suggested_filename == "first-try.zip"
    with zipfile.ZipFile(waiting.value.path()) as file:
        file.extractall(tmp_path)
    load_generator(tmp_path / "first-try", "b2a")
    with runs.page.expect_download() as waiting:
        runs.page.get_by_role("button", name="Export .pth").click()
    with zipfile.ZipFile(waiting.value.path()) as file:
        file.extractall(tmp_path)
    assert torch.load(tmp_path / "first-try" / "latest_net_G_A.pth", weights_only=True)


def test_deleting_asks_first(runs: Visit, studio: Studio) -> None:
    tick(runs, "First try")
    runs.page.get_by_role("button", name="Delete …").click()
    question = runs.page.get_by_role("alertdialog")
    question.wait_for()
    runs.screenshot("runs-delete")
    runs.page.get_by_role("button", name="Keep it").click()
    question.wait_for(state="hidden")
    assert (studio.runs / "first-try").exists()
    runs.page.get_by_role("button", name="Delete …").click()
    runs.page.get_by_role("button", name="Delete it").click()
    runs.page.locator(".run", has_text="First try").wait_for(state="detached")
    assert not (studio.runs / "first-try").exists()
    runs.page.locator("#run-detail").wait_for(state="hidden")
    tick(runs, "Second try")  # whose row has moved to where the other one was
    runs.page.locator("#run-detail", has_text="Second try").wait_for()


def test_what_is_being_trained_is_not_deleted(runs: Visit, studio: Studio) -> None:
    note(studio.runs / "second-try")
    tick(runs, "Second try")
    runs.page.get_by_role("button", name="Delete …").click()
    runs.page.get_by_text("stop it in Train first").wait_for()
    assert not runs.page.get_by_role("alertdialog").is_visible()
    assert (studio.runs / "second-try").exists()


@pytest.mark.parametrize("visit", [PHONE], indirect=True)
def test_a_phone_shows_it_without_scrolling_sideways(runs: Visit) -> None:
    tick(runs, "First try")
    tick(runs, "Second try")
    runs.page.locator(".differences").wait_for()
    assert runs.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]") == [390, 390]
    runs.page.locator(".run").first.scroll_into_view_if_needed()
    runs.screenshot("runs-phone")
