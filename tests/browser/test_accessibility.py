"""axe-core on every tab: nothing that keeps people out who use a keyboard, a screen reader or their own colours.

axe-core (https://github.com/dequelabs/axe-core, MPL-2.0) comes with axe-playwright-python.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest

from tests.browser.conftest import DESKTOP, PHONE, Visit

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"

GRADIOS = ("upload-container", 'aria-label="Empty value"')
"""What Gradio makes and we cannot change: its place for uploads is called otherwise than it reads, and the place of a
picture that is still being made (Draw's first one, before the network is in memory) has a label without a role."""

pytestmark = pytest.mark.browser


def violations(visit: Visit) -> list[str]:
    """What axe finds serious or critical on what is to be seen, with the elements."""
    visit.page.add_script_tag(path=AXE)
    found: Any = visit.page.evaluate("axe.run({resultTypes: ['violations']})")
    return [
        f"{problem['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for problem in found["violations"]
        if problem["impact"] in ("serious", "critical")
        for node in problem["nodes"]
        if not any(name in node["html"] for name in GRADIOS)
    ]


@pytest.mark.parametrize(
    "visit",
    [DESKTOP, DESKTOP | {"color_scheme": "dark"}, PHONE],
    indirect=True,
    ids=["light", "dark", "phone"],
)
def test_every_tab(visit: Visit) -> None:
    found = {}
    for tab in visit.page.get_by_role("tab").all_inner_texts():
        visit.open(tab)
        visit.page.wait_for_timeout(1500)
        found[tab] = violations(visit)
    assert len(found) > 4
    assert {tab: problems for tab, problems in found.items() if problems} == {}


@pytest.mark.parametrize("visit", [DESKTOP, DESKTOP | {"color_scheme": "dark"}], indirect=True, ids=["light", "dark"])
def test_a_translated_photo_with_all_extras(visit: Visit, photo: Path) -> None:
    visit.choose("Tiny zebras")
    visit.open_more()
    visit.page.get_by_label("There and back").check()
    visit.upload(photo)
    visit.result()
    visit.page.get_by_text("horse → zebra → horse").wait_for()
    assert violations(visit) == []
