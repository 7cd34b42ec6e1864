"""A model and networks that only the tests know, met by somebody with a browser: trained, then used in Translate."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import DESKTOP, serving, visiting
from tests.browser.test_train import estimate_changes, look_at, open_train, set_further
from tests.conftest import REPOSITORY, picture
from tests.studio.tiny import tiny_run
from translate.registry import PLUGINS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FURTHER = """model.generator.architecture: tint
model.discriminator.kind: glance
data.crop_size: 64
data.load_size: 72
data.workers: 0
run.steps: 40
run.log_every: 5
run.sample_every: 20
run.device: cpu
run.compile: off"""


def test_a_toy_is_trained_and_used(browser: Any, tmp_path: Path) -> None:
    pytest.importorskip("gradio", reason="the studio needs gradio")
    pictures, runs = tmp_path / "dusk2dawn", tmp_path / "studio" / "runs"
    for number, split in enumerate(("trainA", "trainB", "valA", "valB")):
        (pictures / split).mkdir(parents=True)
        for index in range(6):
            picture(100 * number + index, (96, 80)).save(pictures / split / f"{split}-{index}.png")
    tiny_run(runs, "tiny", title="Tiny zebras")
    path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    plugin = {PLUGINS: "tests.toys", "PYTHONPATH": path}
    with (
        serving(tmp_path / "studio", runs, **plugin) as studio,
        visiting(browser, studio, tmp_path, **DESKTOP) as visit,
    ):
        page = visit.page
        open_train(visit)
        look_at(visit, str(pictures))
        page.locator(".verdict.good").wait_for()
        page.locator(".estimate").wait_for()
        before = page.locator(".estimate").inner_text()
        page.get_by_label("Whisper (hearsay)").check()
        estimate_changes(visit, before)
        page.get_by_label("Name of your training").fill("Hearsay")
        set_further(visit, FURTHER)
        page.get_by_role("button", name="Start training").click()
        page.locator(".state.finished").wait_for(timeout=240_000)
        assert "The jury" in page.content()

        page.get_by_role("tab", name="Runs", exact=True).click()
        page.get_by_text("Hearsay").locator("visible=true").first.wait_for()
        page.get_by_role("tab", name="Train", exact=True).click()
        page.get_by_role("link", name="Use it in Translate").click()
        page.locator(".card input:checked").wait_for(state="attached")
        photo = tmp_path / "photo.png"
        picture(5, (90, 70)).save(photo)
        visit.upload(photo)
        assert visit.result().count() == 2
