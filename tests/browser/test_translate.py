"""The Translate tab, as somebody with a browser meets it."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import DESKTOP, PHONE, Studio, Visit, visiting
from tests.studio.tiny import tiny_run

pytestmark = pytest.mark.browser


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"), dtype=float)


def test_a_photo_is_translated_at_its_size_and_can_be_kept(visit: Visit, photo: Path) -> None:
    visit.choose("Tiny zebras")
    visit.screenshot("desktop-start")
    visit.upload(photo)
    pictures = visit.result()
    assert pictures.count() == 2
    sizes = pictures.evaluate_all("images => images.map(image => [image.naturalWidth, image.naturalHeight])")
    assert sizes == [[200, 300], [200, 300]]
    assert re.search(r"Done in .+ second.* 200 × 300 pixels", visit.page.locator("#outcome .note").inner_text())
    visit.screenshot("desktop-result")
    with Image.open(visit.download("photo-zebra.png")) as kept, Image.open(photo) as original:
        assert kept.format == "PNG"
        assert kept.size == (200, 300)
        upright = np.asarray(original.transpose(Image.Transpose.ROTATE_270), dtype=int)
        assert np.abs(np.asarray(kept.convert("RGB"), dtype=int) - upright).mean() > 1


def test_another_direction_and_another_checkpoint_translate_anew(visit: Visit, photo: Path) -> None:
    visit.choose("Tiny zebras")
    visit.upload(photo)
    zebra = visit.download("photo-zebra.png").read_bytes()
    visit.page.get_by_role("radio", name="zebra → horse").check()
    horse = visit.download("photo-horse.png").read_bytes()
    visit.choose("Tiny shoes")
    shoe = visit.download("photo-shoe.png").read_bytes()
    assert len({zebra, horse, shoe}) == 3
    assert not visit.page.locator("#direction").is_visible()  # there is one direction only


def test_strength_blends_at_once_and_goes_into_the_file(visit: Visit, photo: Path) -> None:
    visit.choose("Tiny zebras")
    visit.upload(photo)
    visit.result()
    whole = pixels(visit.download("photo-zebra.png"))
    visit.open_more()
    visit.page.get_by_role("slider", name="Strength").fill("40")
    visit.page.wait_for_function("getComputedStyle(document.querySelector('#result img.fixed')).opacity === '0.4'")
    visit.screenshot("desktop-more")
    with Image.open(photo) as original:
        before = np.asarray(original.transpose(Image.Transpose.ROTATE_270), dtype=float)
    expected = 0.6 * before + 0.4 * whole
    for _ in range(40):  # the file takes a moment longer than the page
        faded = pixels(visit.download("photo-zebra.png"))
        if np.abs(faded - expected).max() <= 1:
            break
    assert np.abs(faded - expected).max() <= 1
    visit.page.get_by_role("radio", name="JPEG").check()
    with Image.open(visit.download("photo-zebra.jpg")) as kept:
        assert kept.format == "JPEG"


def test_large_pictures_are_translated_at_the_recommended_size_and_come_back_whole(visit: Visit, photo: Path) -> None:
    large = photo.with_name("large.png")
    with Image.open(photo) as image:
        image.resize((900, 600)).save(large)
    visit.choose("Tiny zebras")
    visit.upload(large)
    visit.result()
    assert "900 × 600 pixels, translated at 512" in visit.page.locator("#outcome .note").inner_text()
    with Image.open(visit.download("large-zebra.png")) as kept:
        assert kept.size == (900, 600)
    visit.open_more()
    visit.page.get_by_label("Translated at").click()
    visit.page.get_by_role("option", name="Full size").click()
    visit.page.get_by_text("900 × 600 pixels, translated at full size").wait_for()


def test_there_and_back_shows_what_was_kept(visit: Visit, photo: Path) -> None:
    visit.choose("Tiny zebras")
    visit.open_more()
    visit.page.get_by_label("There and back").check()
    visit.upload(photo)
    visit.page.get_by_text("horse → zebra → horse").wait_for()
    visit.page.wait_for_function("[...document.querySelectorAll('#back img')].filter(i => i.naturalWidth).length == 2")
    visit.screenshot("desktop-there-and-back")
    visit.choose("Tiny shoes")  # has one direction only
    visit.page.get_by_text("horse → zebra → horse").wait_for(state="hidden")
    assert not visit.page.get_by_label("There and back").is_visible()


def test_a_broken_file_gives_a_sentence_and_the_next_one_works(visit: Visit, photo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "notes.jpg"
    broken.write_text("this is text")
    visit.choose("Tiny zebras")
    visit.upload(broken)
    alert = visit.page.get_by_role("alert").filter(has_text="notes.jpg")
    alert.wait_for()
    visit.screenshot("desktop-problem")
    words = visit.page.locator("body").inner_text()
    for jargon in ("Traceback", "Error", "Exception", "/tmp", str(tmp_path)):
        assert jargon not in words
    assert not visit.page.locator("#keep").is_visible()
    visit.upload(photo)
    visit.result()
    assert not alert.is_visible()


def test_an_example_needs_one_click(visit: Visit) -> None:
    visit.choose("Tiny zebras")
    visit.page.get_by_role("button", name="Try it on example.jpg").click()
    visit.result()
    with Image.open(visit.download("example-zebra.png")) as kept:
        assert kept.size == (64, 48)


def test_a_picture_is_pasted_anywhere(visit: Visit, photo: Path) -> None:
    visit.choose("Tiny zebras")
    visit.page.locator("#direction").wait_for()
    visit.page.evaluate(
        """base64 => {
          const bytes = Uint8Array.from(atob(base64), character => character.charCodeAt(0));
          const clipboardData = new DataTransfer();
          clipboardData.items.add(new File([bytes], 'image.png', {type: 'image/png'}));
          document.body.dispatchEvent(new ClipboardEvent('paste', {clipboardData, bubbles: true}));
        }""",
        base64.b64encode(photo.read_bytes()).decode(),
    )
    visit.result()
    visit.download("image-zebra.png")


def test_clearing_the_photo_clears_the_result(visit: Visit, photo: Path) -> None:
    visit.choose("Tiny zebras")
    visit.upload(photo)
    visit.result()
    visit.page.locator("#photo").get_by_label("Clear").or_(visit.page.locator("#photo .icon-button")).first.click()
    visit.page.get_by_text("its translation appears here").wait_for()
    assert not visit.page.locator("#keep").is_visible()


def test_two_visitors_get_each_their_own(visit: Visit, browser: Any, studio: Studio, photo: Path) -> None:
    mine = photo.with_name("mine.png")
    with Image.open(photo) as image:
        image.resize((120, 90)).save(mine)
    with visiting(browser, studio, photo.parent, **DESKTOP) as other:
        for visitor, file in ((visit, mine), (other, photo)):
            visitor.choose("Tiny zebras")
            visitor.upload(file)
        assert pixels(visit.download("mine-zebra.png")).shape == (90, 120, 3)
        assert pixels(other.download("photo-zebra.png")).shape == (300, 200, 3)
        address = other.result().last.get_attribute("src")
    secret = address.split("file=")[1].split("/")[-2]
    assert re.fullmatch(r"[0-9a-f]{32}", secret)  # whoever does not know it does not find the picture


def test_a_new_run_is_there_when_the_page_is_loaded_again(visit: Visit, studio: Studio) -> None:
    assert not visit.page.locator(".card", has_text="Just trained").count()
    tiny_run(studio.runs, "new", title="Just trained")
    visit.page.reload()
    visit.page.locator(".card", has_text="Just trained").wait_for()


@pytest.mark.parametrize("visit", [PHONE], indirect=True)
def test_a_phone_shows_all_of_it_without_scrolling_sideways(visit: Visit, photo: Path) -> None:
    def widths() -> tuple[int, int]:
        scrolled, seen = visit.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        return scrolled, seen

    visit.screenshot("phone-start")
    assert widths() == (390, 390)
    visit.choose("Tiny zebras")
    visit.upload(photo)
    visit.result()
    visit.page.wait_for_function(  # the result lies below the photo, and is scrolled to
        """() => {
          const {top, bottom} = document.querySelector('#result').getBoundingClientRect();
          return top >= 0 && bottom <= window.innerHeight;
        }"""
    )
    visit.screenshot("phone-result")
    assert widths() == (390, 390)


@pytest.mark.parametrize("visit", [DESKTOP | {"color_scheme": "dark"}], indirect=True)
def test_dark_rooms_get_a_dark_page(visit: Visit, photo: Path) -> None:
    visit.choose("Tiny zebras")
    visit.upload(photo)
    visit.result()
    visit.screenshot("dark-result")
    with Image.open(visit.screenshots / "dark-result.png") as shot:
        assert np.asarray(shot.convert("L")).mean() < 90
