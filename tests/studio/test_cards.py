"""The studio's own HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import picture
from tests.studio.tiny import tiny_checkpoint
from translate.checkpoints.folder import read_config
from translate.checkpoints.zoo import Entry
from translate.studio.cards import gallery, messages

NASTY = """<img src=x onerror="alert(1)">'${alert(2)}`"""


def entry(folder: Path) -> Entry:
    return Entry(folder.name, folder, read_config(folder), "downloaded")


class Elements(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(str(html))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def pictures(self) -> list[str]:
        """The pictures in the background of elements."""
        styles = [attributes.get("style") or "" for _, attributes in self.tags]
        return [style for style in styles if style.startswith("background-image:")]


def test_a_card_says_what_it_makes(tmp_path: Path) -> None:
    both = entry(tiny_checkpoint(tmp_path / "both", title="Horse ↔ Zebra"))
    one = entry(tiny_checkpoint(tmp_path / "one", ("b2a",)))
    page = Elements(gallery.gallery({"both": both, "one": one}, "one"))
    for words in ("Horse ↔ Zebra", "horse ⇄ zebra", "zebra → horse", "one", "Downloaded"):
        assert words in page.text
    radios = [attributes for tag, attributes in page.tags if tag == "input"]
    assert [(radio["value"], "checked" in radio) for radio in radios] == [("both", False), ("one", True)]


def test_words_of_a_checkpoint_stay_words(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"title": NASTY, "summary": NASTY, "limits": NASTY, "domains": {"a": NASTY, "b": NASTY}}
    nasty = entry(tiny_checkpoint(tmp_path / "nasty", **settings))
    for html in (
        gallery.gallery({NASTY: nasty}, NASTY),
        gallery.about(nasty.config),
        messages.hint(NASTY, NASTY),
        messages.problem(NASTY),
    ):
        page = Elements(html)
        assert NASTY in page.text
        assert "img" not in [tag for tag, _ in page.tags]


def test_samples_are_shown_before_and_after(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "tiny")
    drawn = Elements(gallery.gallery({"tiny": entry(folder)}, "tiny")).pictures()
    assert len(drawn) == 2
    assert all("gradient" in picture for picture in drawn)
    (folder / "samples").mkdir()
    for seed, name in enumerate(("a.jpg", "b_after.png", "b_before.jpg")):
        picture(seed, (64, 48)).save(folder / "samples" / name)
    assert [path.name for path in gallery.samples(folder)] == ["b_before.jpg", "b_after.png"]
    photos = Elements(gallery.gallery({"tiny": entry(folder)}, "tiny")).pictures()
    assert len(set(photos)) == 2
    assert all("url(data:image/jpeg;base64," in photo for photo in photos)


def test_a_broken_sample_costs_nothing_but_itself(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "tiny")
    (folder / "samples").mkdir()
    (folder / "samples" / "one.jpg").write_text("no image")
    assert "horse ⇄ zebra" in gallery.gallery({"tiny": entry(folder)}, "tiny")


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/hostname", "config.json", "missing.jpg", "link.jpg"])
def test_an_example_cannot_name_a_file_outside_the_checkpoint(tmp_path: Path, name: str) -> None:
    folder = tiny_checkpoint(tmp_path / "tiny")
    picture(1).save(tmp_path / "secret.jpg")
    (folder / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    assert gallery.example(folder, name) is None
    assert gallery.examples(folder, [name]) == ""


def test_examples_are_buttons_that_keep_their_numbers(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path / "tiny")
    picture(1).save(folder / "one.jpg")
    page = Elements(gallery.examples(folder, ["missing.jpg", "one.jpg"]))
    buttons = [attributes for tag, attributes in page.tags if tag == "button"]
    assert [(button["data-example"], button["aria-label"]) for button in buttons] == [("1", "Try it on one.jpg")]
