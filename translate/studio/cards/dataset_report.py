"""The report on a folder of pictures as somebody reads it who has never trained a network."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from translate.errors import UserError
from translate.pages.fragments import Markup, fragments
from translate.studio.translating import data_uris

if TYPE_CHECKING:
    from translate.data.report import FolderGroup, FolderReport

SHOWN = 8
"""Pictures of a domain that are shown."""

LISTED = 50
"""Files of a kind of trouble that are named."""

THUMBNAIL = 132
"""Pixels of a shown picture's sides."""

FOLDERS_ARE_YOURS = (
    "Any folder that this computer can read. You may name one because this studio serves this computer alone, or asks "
    "for a password."
)
ZIP_ONLY = (
    "This studio is open to other computers without a password, so folders of the computer it runs on cannot be "
    "chosen; upload a zip. What you train here is shown to your browser only, but its result can be used by everybody "
    "in Translate."
)

_render = fragments(Path(__file__).with_name("templates") / "dataset_report.html")


@dataclass(frozen=True)
class Group:
    """The pictures of one domain: what they are, how many, their sizes, and some of them as (name, data URI)."""

    label: str
    count: str
    sizes: str
    thumbnails: Sequence[tuple[str, str]]


def introduction() -> Markup:
    """What pictures can be learned from, and how they have to lie in folders."""
    return _render("introduction")


def report(found: FolderReport, called: str) -> Markup:
    """What was found in a folder that its owner calls `called`, with some of the pictures."""
    training = [group for group in found.groups if group.split == found.groups[0].split]
    others = [group for group in found.groups if group not in training]
    return _render(
        "report",
        verdict="good" if found.model and not found.problems else "bad",
        headline=headline(found),
        recommendation=recommendation(found),
        groups=[_group(Path(found.root), group) for group in training],
        aside=", ".join(f"{group.readable:,} in {group.folder}" for group in others),
        problems_heading="Fix first" + (", to use them as pairs" if found.model else ""),
        problems=[_plain(text, found, called) for text in found.problems],
        warnings=_worth_a_look(found, called),
        troubles=[(kind, files[:LISTED], max(0, len(files) - LISTED)) for kind, files in _troubles(found) if files],
    )


def headline(found: FolderReport) -> str:
    """How many of what, in a few words."""
    if found.pairs:
        return f"{found.pairs:,} pair{'' if found.pairs == 1 else 's'} of pictures"
    training = [group for group in found.groups if group.split == found.groups[0].split]
    counts = [f"{group.readable:,} in {group.folder}" for group in training]
    return "Pictures: " + " and ".join(counts)


def recommendation(found: FolderReport) -> tuple[str, str]:
    """A sentence on what can be learned from the pictures, and the model that suits; an empty name where none does."""
    if not found.model:
        return "It cannot be trained on as it is.", ""
    from translate.models import model_class

    model = model_class(found.model)
    if model.paired and found.problems:
        return "They look like pairs, but not all of them match; unpaired they can be used as they are.", ""
    if model.paired:
        return "They are pairs, so it can learn from what each picture should become.", model.title
    both = " both directions" if len(model.directions(model.Config(name=found.model))) == 2 else ""
    return f"They are unpaired, and it learns{both} from them.", model.title


def thumbnails(folder: Path, domain: str = "") -> list[tuple[str, str]]:
    """(name, data URI) of a few readable pictures from all over a folder; pairs keep both halves."""
    from translate.data.images import read_array
    from translate.data.listing import scan

    names = scan(folder)
    picked = names[:: max(1, len(names) // (2 * SHOWN))]
    box = (2 * THUMBNAIL, THUMBNAIL) if domain == "A|B" else (THUMBNAIL, THUMBNAIL)
    small: list[tuple[str, str]] = []
    for name in picked:
        if len(small) == SHOWN:
            break
        try:
            pixels = read_array(folder / name, 3)
        except UserError:
            continue  # it is listed among the files that cannot be read
        eight = pixels if pixels.dtype == "uint8" else (pixels >> 8).astype("uint8")
        small.append((name, jpeg(ImageOps.fit(Image.fromarray(eight), box))))
    return small


def jpeg(image: Image.Image, quality: int = 82) -> str:
    """A picture as a data URI: nothing of a folder has to be served to show it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return data_uris.encode(file.getvalue(), "jpeg")


def _group(root: Path, group: FolderGroup) -> Group:
    sizes = [f"{width} × {height}" for width, height in (group.smallest, group.largest) if group.readable]
    label = {"A|B": "A and B, side by side"}.get(group.domain, group.domain)
    return Group(
        label=label or group.folder,
        count=f"{group.readable:,} picture{'' if group.readable == 1 else 's'}",
        sizes=" to ".join(dict.fromkeys(sizes)),
        thumbnails=thumbnails(root / group.folder, group.domain),
    )


def _worth_a_look(found: FolderReport, called: str) -> list[str]:
    warnings = []
    for text in found.warnings:
        head, advice, _ = text.partition("; --data.preprocess")
        warnings.append(_plain(f"{head}; they are cropped and never squeezed." if advice else text, found, called))
    return warnings


def _troubles(found: FolderReport) -> list[tuple[str, list[str]]]:
    """The files behind the counts, by kinds, for those who want to put them right."""
    return [
        ("Cannot be read", [f"{bad['file']}: {bad['reason']}" for bad in found.unreadable]),
        ("The same picture more than once", [" = ".join(same) for same in found.duplicates]),
        ("To learn from and to judge by at once", [f"{leak['train']} ≈ {leak['other']}" for leak in found.leaks]),
        ("Without a partner", found.without_partner),
        ("Pairs of two sizes", [" and ".join(bad["files"]) for bad in found.misaligned]),
    ]


def _plain(text: str, found: FolderReport, called: str) -> str:
    """A sentence of the report for somebody who sees the page: no folders of the computer, no options of commands."""
    if text.startswith("There is no val split"):
        return "Nothing is kept aside to judge by (valA and valB, or val); samples show what it has learned from."
    return text.replace(f"{found.root}/", "").replace(found.root, called)
