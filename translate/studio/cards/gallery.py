"""Checkpoints as cards to choose from, and the examples that they bring."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from PIL import Image, ImageOps

from translate.pages.fragments import Markup, fragments
from translate.studio.translating import data_uris

if TYPE_CHECKING:
    from translate.checkpoints.settings import CheckpointConfig
    from translate.checkpoints.zoo import Entry

ORIGINS = {"built-in": "Built in", "downloaded": "Downloaded", "run": "Your training", "folder": "Your folder"}
PICTURES = (".jpg", ".jpeg", ".png", ".webp")

_render = fragments(Path(__file__).with_name("templates") / "gallery.html")


@dataclass(frozen=True)
class Card:
    """What a card shows of a checkpoint."""

    name: str
    title: str
    tooltip: str
    origin: str
    ends: str
    layers: Sequence[str]
    """CSS backgrounds, before and after, which a slanted line divides."""
    initials: Sequence[str]
    """Initials of the domains, where there are no samples."""
    chosen: bool


def waiting() -> Markup:
    """Four cards without anything on them, until the page knows which checkpoints there are."""
    return _render("waiting")


def gallery(checkpoints: Mapping[str, Entry], chosen: str) -> Markup:
    """A row of cards of which one can be chosen; radio buttons, so that keyboards and screen readers can."""
    return _render("gallery", [_card(name, entry, name == chosen) for name, entry in checkpoints.items()])


def about(config: CheckpointConfig) -> Markup:
    """One line on what a checkpoint does and cannot do; nothing where it does not say."""
    words = " ".join(filter(None, [config.summary, config.limits]))
    return _render("about", words) if words else Markup()


def ends(config: CheckpointConfig) -> str:
    """What it turns into what: horse → zebra, or horse ⇄ zebra where it knows both directions."""
    if len(config.generators) == 2:
        return f"{config.domains['a']} ⇄ {config.domains['b']}"
    return " → ".join(config.ends(next(iter(config.generators))))


def examples(folder: Path, names: Sequence[str]) -> Markup:
    """Small buttons that put a picture from the checkpoint's folder in; nothing where there is none."""
    found = [(number, path) for number, name in enumerate(names) if (path := example(folder, name)) is not None]
    pictures = [(number, path.name, _inline(path, path.stat().st_mtime_ns, (160, 160))) for number, path in found]
    return _render("examples", pictures) if pictures else Markup()


def example(folder: Path, name: str) -> Path | None:
    """The picture that a checkpoint's config.json names, unless it is missing or would lie outside the folder."""
    path = (folder / name).resolve()
    inside = path.is_relative_to(folder.resolve()) and path.suffix.lower() in PICTURES
    return path if inside and path.is_file() else None


def samples(folder: Path) -> list[Path]:
    """Pictures for a checkpoint's card: samples/NAME_before.* and samples/NAME_after.*, else the first one."""
    pictures = sorted(path for path in (folder / "samples").glob("*") if path.suffix.lower() in PICTURES)
    stems = {path.stem: path for path in pictures}
    for stem, path in stems.items():
        after = stems.get(stem.removesuffix("_before") + "_after")
        if stem.endswith("_before") and after is not None:
            return [path, after]
    return pictures[:1]


def _card(name: str, entry: Entry, chosen: bool) -> Card:
    config = entry.config
    title = config.title or name
    layers = [f"url({_inline(path, path.stat().st_mtime_ns)})" for path in samples(entry.folder)]
    domains: Sequence[str] = () if layers else config.ends(next(iter(config.generators)))
    return Card(
        name=name,
        title=title,
        tooltip=": ".join(filter(None, [title, config.summary])),
        origin=ORIGINS[entry.origin],
        ends=ends(config),
        layers=layers or [_gradient(domain) for domain in domains],
        initials=[domain[:1].upper() for domain in domains],
        chosen=chosen,
    )


@lru_cache(maxsize=256)
def _inline(path: Path, saved: int, size: tuple[int, int] = (400, 192)) -> str:
    """A small copy of a picture as a data URI: cards need no file of a checkpoint folder served."""
    del saved  # part of the key: a file written anew is read anew
    try:
        with Image.open(path) as image:
            small = ImageOps.fit(ImageOps.exif_transpose(image).convert("RGB"), size)
    except (OSError, Image.DecompressionBombError):
        return "data:,"  # a broken sample is no reason to do without the checkpoint
    jpeg = io.BytesIO()
    small.save(jpeg, "JPEG", quality=80)
    return data_uris.encode(jpeg.getvalue(), "jpeg")


def _gradient(domain: str) -> str:
    hue = crc32(domain.lower().encode()) % 360
    return f"linear-gradient(160deg,hsl({hue} 55% 60%),hsl({(hue + 35) % 360} 58% 44%))"
