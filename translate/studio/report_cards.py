"""The report on a folder of pictures as somebody reads it who has never trained a network."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

from translate.errors import UserError
from translate.studio import data_uris

if TYPE_CHECKING:
    from translate.data.report import FolderGroup, FolderReport

SHOWN = 8
"""Pictures of a domain that are shown."""

LISTED = 50
"""Files of a kind of trouble that are named."""

THUMBNAIL = 132

_PAIRS = """<svg viewBox="0 0 120 64" aria-hidden="true"><g fill="none" stroke="currentColor" stroke-width="1.5">
<rect x="14" y="10" width="92" height="44" rx="6"/><path d="M60 10v44" stroke-dasharray="3 3"/>
<path d="m22 46 12-18 8 10 5-6 8 14M68 46l12-18 8 10 5-6 8 14"/></g>
<path d="m68 46 12-18 8 10 5-6 8 14z" fill="currentColor" opacity=".5"/></svg>"""
_HEAPS = """<svg viewBox="0 0 120 64" aria-hidden="true"><g fill="none" stroke="currentColor" stroke-width="1.5">
<rect x="10" y="18" width="34" height="34" rx="5"/><rect x="17" y="11" width="34" height="34" rx="5"/>
<rect x="69" y="18" width="34" height="34" rx="5"/><rect x="76" y="11" width="34" height="34" rx="5" fill="currentColor"
fill-opacity=".35"/><circle cx="34" cy="28" r="8"/><path d="m93 19 9 16H84z"/></g></svg>"""

INTRO = f"""<section class="train-intro"><h2>Teach it your own pictures</h2>
<p>Show it two kinds of pictures, and it learns to turn one into the other. Bring them in one of two ways:</p>
<div class="ways"><div>{_PAIRS}<b>Pairs</b><p>The same thing twice, such as a sketch and its photo: side by side in one
file, in a folder <code>train</code>; or under the same name in <code>trainA</code> and <code>trainB</code>.</p></div>
<div>{_HEAPS}<b>Two heaps</b><p>Pictures that do not belong together, such as horses and zebras: one kind in
<code>trainA</code>, the other in <code>trainB</code>. A few hundred of each are a good start.</p></div></div>
</section>"""

FOLDERS_ARE_YOURS = (
    "Any folder that this computer can read. You may name one because this studio serves this computer alone, or asks "
    "for a password."
)
ZIP_ONLY = (
    "This studio is open to other computers without a password, so folders of the computer it runs on cannot be "
    "chosen; upload a zip. What you train here is shown to your browser only, but its result can be used by everybody "
    "in Translate."
)


def report(found: FolderReport, called: str) -> str:
    """What was found in a folder that its owner calls `called`, with some of the pictures."""
    training = [group for group in found.groups if group.split == found.groups[0].split]
    others = [group for group in found.groups if group not in training]
    rows = "".join(_row(Path(found.root), group) for group in training)
    verdict = "good" if found.model and not found.problems else "bad"
    aside = ", ".join(f"{group.readable:,} in {escape(group.folder)}" for group in others)
    return (
        f'<section class="report"><div class="verdict {verdict}"><h3>{headline(found)}</h3>'
        f"<p>{recommendation(found)}</p></div>{rows}"
        + (f'<p class="aside">Kept aside to judge by: {aside}.</p>' if aside else "")
        + _list(
            "problem",
            "To be put right" + (", to use them as pairs" if found.model else " first"),
            [_plain(text, found, called) for text in found.problems],
        )
        + _list("warning", "Worth a look", _worth_a_look(found, called))
        + _troubles(found)
        + "</section>"
    )


def headline(found: FolderReport) -> str:
    """How many of what, in a few words."""
    if found.pairs:
        return f"{found.pairs:,} pair{'' if found.pairs == 1 else 's'} of pictures"
    training = [group for group in found.groups if group.split == found.groups[0].split]
    counts = [f"{group.readable:,} in {escape(group.folder)}" for group in training]
    return "Pictures: " + " and ".join(counts)


def recommendation(found: FolderReport) -> str:
    """Which model suits, and why."""
    if found.model == "pix2pix" and found.problems:
        return "They look like pairs, but not all of them match; as two heaps they can be used as they are."
    if found.model == "pix2pix":
        return "They are pairs, so it can learn from what each picture should become. We suggest <b>pix2pix</b>."
    if found.model:
        return (
            "They are two heaps without pairs, and it needs none. We suggest <b>CycleGAN</b>, which learns both ways."
        )
    return "It cannot be trained on as it is."


def _row(root: Path, group: FolderGroup) -> str:
    sizes = [f"{width} × {height}" for width, height in (group.smallest, group.largest) if group.readable]
    span = " to ".join(dict.fromkeys(sizes))
    label = {"A|B": "A and B, side by side"}.get(group.domain, group.domain)
    pictures = "".join(
        f'<img src="{source}" alt="{escape(name)}">' for name, source in thumbnails(root / group.folder, group.domain)
    )
    return (
        f'<div class="group"><div class="facts"><b>{escape(label or group.folder)}</b>'
        f"<span>{group.readable:,} picture{'' if group.readable == 1 else 's'}</span><span>{span} pixels</span></div>"
        f'<div class="thumbs">{pictures}</div></div>'
    )


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
            continue  # it is among the unreadable ones below
        eight = pixels if pixels.dtype == "uint8" else (pixels >> 8).astype("uint8")
        small.append((name, jpeg(ImageOps.fit(Image.fromarray(eight), box))))
    return small


def jpeg(image: Image.Image, quality: int = 82) -> str:
    """A picture as a data URI: nothing of a folder has to be served to show it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return data_uris.encode(file.getvalue(), "jpeg")


def _worth_a_look(found: FolderReport, called: str) -> list[str]:
    warnings = []
    for text in found.warnings:
        head, advice, _ = text.partition("; --data.preprocess")
        warnings.append(_plain(f"{head}; they are cropped and never squeezed." if advice else text, found, called))
    return warnings


def _troubles(found: FolderReport) -> str:
    """The files behind the counts, for those who want to put them right."""
    kinds = [
        ("Cannot be read", [f"{bad['file']}: {bad['reason']}" for bad in found.unreadable]),
        ("The same picture more than once", [" = ".join(same) for same in found.duplicates]),
        ("To learn from and to judge by at once", [f"{leak['train']} ≈ {leak['other']}" for leak in found.leaks]),
        ("Without a partner", found.without_partner),
        ("Pairs of two sizes", [" and ".join(bad["files"]) for bad in found.misaligned]),
    ]
    return "".join(
        f"<details><summary>{heading} ({len(files):,})</summary><ul>"
        + "".join(f"<li>{escape(file)}</li>" for file in files[:LISTED])
        + (f"<li>… and {len(files) - LISTED:,} more</li>" if len(files) > LISTED else "")
        + "</ul></details>"
        for heading, files in kinds
        if files
    )


def _list(kind: str, heading: str, texts: Sequence[str]) -> str:
    if not texts:
        return ""
    role = ' role="alert"' if kind == "problem" else ""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f'<div class="{kind}s"{role}><b>{heading}</b><ul>{items}</ul></div>'


def _plain(text: str, found: FolderReport, called: str) -> str:
    if text.startswith("There is no val split"):
        return "Nothing is kept aside to judge by (valA and valB, or val); samples show what it has learned from."
    return text.replace(f"{found.root}/", "").replace(found.root, called)
