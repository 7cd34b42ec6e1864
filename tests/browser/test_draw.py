"""The Draw tab, as somebody with a mouse, a finger or a keyboard meets it."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import DESKTOP, PHONE, Visit

pytestmark = pytest.mark.browser

Sheet = np.ndarray


def open_sheet(visit: Visit, title: str) -> None:
    visit.open("Draw")
    visit.page.get_by_role("radio", name=title).check()
    visit.page.get_by_label("Your drawing, 64 by 64 pixels").wait_for()  # not the sheet that the tab begins with
    visit.page.locator("#drawn img").wait_for()


def drag(visit: Visit, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw between two places, given as shares of the sheet."""
    canvas = visit.page.locator(".pad canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    (x0, y0), (x1, y1) = ((box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end))
    visit.page.mouse.move(x0, y0)
    visit.page.mouse.down()
    visit.page.mouse.move(x1, y1, steps=6)
    visit.page.mouse.up()


def kept(visit: Visit, button: str = "Download drawing", name: str = "drawing.png") -> Sheet:
    with visit.page.expect_download() as waiting:
        visit.page.get_by_role("button", name=button).click()
    assert waiting.value.suggested_filename == name
    with Image.open(waiting.value.path()) as image:
        return np.asarray(image.convert("RGB"))


def drawing_that(visit: Visit, fits: Callable[[Sheet], object]) -> Sheet:
    """The drawing to download, when it is the one that was meant: it follows the sheet after a moment."""
    for _ in range(30):
        sheet = kept(visit)
        if fits(sheet):
            return sheet
        visit.page.wait_for_timeout(200)
    raise AssertionError(f"the drawing is another one, with {colours(sheet)}")


def colours(sheet: Sheet) -> set[tuple[int, ...]]:
    return {tuple(colour) for colour in sheet.reshape(-1, 3).tolist()}


def test_it_translates_while_one_draws_and_keeps_both(visit: Visit) -> None:
    open_sheet(visit, "Tiny houses")
    visit.screenshot("desktop-draw")
    visit.page.get_by_role("button", name="Clear").click()
    drawing_that(visit, lambda sheet: colours(sheet) == {(0, 0, 222)})
    before = kept(visit, "Download result", "drawing-façade.png")
    visit.page.get_by_role("radio", name="door", exact=True).check(force=True)
    drag(visit, (0.26, 0.26), (0.74, 0.74))
    sheet = drawing_that(visit, lambda sheet: tuple(sheet[44, 44]) == (0, 207, 255))  # it is sent while it grows
    assert sheet.shape == (64, 64, 3)
    assert colours(sheet) == {(0, 0, 222), (0, 207, 255)}
    door = (sheet == (0, 207, 255)).all(axis=2)
    assert door[20:44, 20:44].all()
    assert not door[:14].any()
    after = kept(visit, "Download result", "drawing-façade.png")
    assert after.shape == (64, 64, 3)
    assert not np.array_equal(after, before)


def test_a_pen_draws_hard_lines_and_undo_takes_them_back(visit: Visit) -> None:
    open_sheet(visit, "Tiny shoes")
    drag(visit, (0.1, 0.1), (0.9, 0.8))
    sheet = drawing_that(visit, lambda sheet: sheet[46:, 40:].min() == 0)
    assert colours(sheet) == {(0, 0, 0), (255, 255, 255)}
    assert 40 < (sheet == 0).all(axis=2).sum() < 160
    visit.page.get_by_role("button", name="Undo").click()
    drawing_that(visit, lambda sheet: (sheet == 255).all())


def test_it_starts_from_an_example(visit: Visit) -> None:
    open_sheet(visit, "Tiny houses")
    # Its own colours alone: the built-in drawing that the tab begins with has more.
    begun = drawing_that(visit, lambda sheet: colours(sheet) == {(0, 0, 222), (0, 48, 255), (0, 207, 255)})
    visit.page.get_by_role("button", name="Clear").click()
    drawing_that(visit, lambda sheet: len(colours(sheet)) == 1)
    visit.page.get_by_role("button", name="Try it on example.jpg").last.click()
    drawing_that(visit, lambda sheet: np.array_equal(sheet, begun))


def test_a_keyboard_is_enough(visit: Visit) -> None:
    open_sheet(visit, "Tiny shoes")
    visit.page.get_by_role("radio", name="line", exact=True).focus()
    visit.page.keyboard.press("ArrowRight")
    assert visit.page.get_by_role("radio", name="eraser", exact=True).is_checked()
    visit.page.keyboard.press("ArrowLeft")
    visit.page.locator(".pad canvas").focus()
    for key in ("ArrowDown", " ", *["ArrowRight"] * 12, " "):
        visit.page.keyboard.press(key)
    visit.screenshot("desktop-draw-keyboard")
    drawing_that(visit, lambda sheet: (sheet == 0).all(axis=2).sum() == 13)
    visit.page.locator(".pad canvas").focus()
    visit.page.keyboard.press("Control+z")
    drawing_that(visit, lambda sheet: (sheet == 255).all())
    for again in ("Control+Shift+z", "Control+y", "Control+Shift+Z", "Meta+Shift+z"):
        visit.page.locator(".pad canvas").focus()
        visit.page.keyboard.press(again)
        visit.page.keyboard.press(again)  # there is nothing more to draw again
        drawing_that(visit, lambda sheet: (sheet == 0).all(axis=2).sum() == 13)
        visit.page.locator(".pad canvas").focus()
        visit.page.keyboard.press("Control+z")
        drawing_that(visit, lambda sheet: (sheet == 255).all())


@pytest.mark.parametrize("visit", [PHONE], indirect=True)
def test_a_finger_draws_on_a_phone(visit: Visit) -> None:
    open_sheet(visit, "Tiny shoes")
    assert visit.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]") == [390, 390]
    visit.page.locator(".pad canvas").tap(position={"x": 100, "y": 100})
    drawing_that(visit, lambda sheet: (sheet == 0).all(axis=2).sum() == 1)
    visit.open("Translate")
    visit.open("Draw")  # the sheet is still there
    open_sheet(visit, "Tiny houses")
    visit.screenshot("phone-draw")


@pytest.mark.parametrize("visit", [DESKTOP | {"color_scheme": "dark"}], indirect=True)
def test_dark_rooms_get_dark_tools(visit: Visit) -> None:
    open_sheet(visit, "Tiny houses")
    visit.screenshot("dark-draw")
    for part in (".pad .tools", ".pad .colours"):
        with Image.open(io.BytesIO(visit.page.locator(part).screenshot())) as shot:
            assert np.median(np.asarray(shot.convert("L"))) < 60
