"""The studio's own HTML: checkpoints as cards, examples, hints. Words of strangers' checkpoints are escaped."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from PIL import Image, ImageOps

from translate.studio import data_uris

if TYPE_CHECKING:
    from translate.checkpoints.settings import CheckpointConfig
    from translate.checkpoints.zoo import Entry

ORIGINS = {"built-in": "Built in", "downloaded": "Downloaded", "run": "Your training", "folder": "Your folder"}
PICTURES = (".jpg", ".jpeg", ".png", ".webp")

_LINES = 'viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-linecap="round" stroke-linejoin="round"'
LOGO = """<svg viewBox="0 0 32 32" fill="currentColor" aria-hidden="true"><rect width="32" height="32" rx="9"/>
<path d="M20 5 12 27" stroke="#fff" stroke-width="2.5" stroke-linecap="round"/>
<g fill="#fff"><circle cx="9" cy="13" r="3.4"/><path d="M20 16.5h8l-4 7.5z"/></g></svg>"""
PICTURE = f"""<svg {_LINES} stroke-width="1.3" aria-hidden="true"><rect x="3" y="4" width="18" height="16" rx="3"/>
<circle cx="8.5" cy="9.5" r="1.6"/><path d="m4 18 5-5 3.5 3.5 3-3 5 5"/></svg>"""
SIGN = f"""<svg {_LINES} stroke-width="1.5" aria-hidden="true"><circle cx="12" cy="12" r="9"/>
<path d="M12 7.5v5.5M12 16.5v.01"/></svg>"""

NO_PREVIEW = (
    "data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22 viewBox=%220 0 160 120%22 width=%22160%22%3E"
    "%3Ctext x=%2280%22 y=%2266%22 text-anchor=%22middle%22 font-family=%22sans-serif%22 font-size=%2213%22"
    " fill=%22%23888%22%3Eno preview%3C/text%3E%3C/svg%3E"
)

MASTHEAD = f"""<header class="masthead">{LOGO}<div><b>translate</b>
<span>Turn one kind of picture into another.</span></div></header>"""

WAITING = (
    f"""<div class="cards" aria-busy="true">{'<div class="card waiting"><div class="face"></div></div>' * 4}</div>"""
)

WELCOME = """<section class="welcome"><h2>One thing is missing</h2>
The studio translates pictures with networks that have learned to turn one kind of picture into another, and there is
none on this computer yet. Get one in any of these ways, then load this page again.
<p><b>Download one</b>, for example from horses to zebras:</p><code>translate pull model horse2zebra</code>
<p><b>Bring your own</b> from the original CycleGAN and pix2pix code:</p>
<code>translate import latest_net_G.pth -o runs/mine</code>
<p><b>Train one</b> on your own pictures:</p>
<code>translate train cyclegan --data.root my-pictures --run.dir runs/mine</code>
</section>"""

NO_DRAWING = """<section class="welcome"><h2>Nothing here reads drawings yet</h2>
None of your checkpoints turns drawings into pictures. Train one, for example on façades or on shoes, and it appears
here with its colours.
<code>translate train facades</code></section>"""

BATCH_HINT = f"""<div class="empty">{PICTURE}<b>Many pictures at once</b>
<p>Add some, or a zip of a whole folder: their translations come back as a zip, names kept.</p></div>"""

VIDEO_HINT = f"""<div class="empty">{PICTURE}<b>A film, frame by frame</b>
<p>Add one: its translation comes back with the sound it had.</p></div>"""


def gallery(checkpoints: Mapping[str, Entry], chosen: str) -> str:
    """A row of cards of which one can be chosen; radio buttons, so that keyboards and screen readers can."""
    faces = "".join(_card(name, entry, name == chosen) for name, entry in checkpoints.items())
    return f'<div class="cards" role="radiogroup" aria-label="What to make">{faces}</div>'


def _card(name: str, entry: Entry, chosen: bool) -> str:
    config = entry.config
    return (
        f'<label class="card" title="{escape(": ".join(filter(None, [config.title or name, config.summary])))}">'
        f'<input type="radio" name="checkpoint" value="{escape(name)}"{" checked" if chosen else ""}>'
        f'<span class="face"><span class="origin">{ORIGINS[entry.origin]}</span>{_thumbnail(entry)}'
        f'<span class="words"><span class="title">{escape(config.title or name)}</span>'
        f'<span class="ends">{escape(ends(config))}</span></span></span></label>'
    )


def ends(config: CheckpointConfig) -> str:
    """What it turns into what: horse → zebra, or horse ⇄ zebra where it knows both directions."""
    if len(config.generators) == 2:
        return f"{config.domains['a']} ⇄ {config.domains['b']}"
    return " → ".join(config.ends(next(iter(config.generators))))


def about(config: CheckpointConfig) -> str:
    """One line on what a checkpoint does and cannot do."""
    text = " ".join(filter(None, [config.summary, config.limits]))
    return f'<p class="about">{escape(text)}</p>' if text else ""


def hint(source: str, target: str) -> str:
    """What stands in the result's place before there is one."""
    return (
        f'<div class="empty">{PICTURE}<b>{escape(source)} → {escape(target)}</b>'
        "<p>Add a picture, and its translation appears here.</p></div>"
    )


def there_and_back(source: str, target: str) -> str:
    """What stands above the round trip."""
    return (
        f'<p class="note"><b>{escape(source)} → {escape(target)} → {escape(source)}</b> '
        "Left the photo, right what came back: what is missing was lost on the way.</p>"
    )


def note(words: str) -> str:
    """A quiet line under a result."""
    return f'<p class="note">{escape(words)}</p>'


def progress(words: str, done: int, total: int | None) -> str:
    """A bar with words beside it; it only moves to and fro where nobody knows how much there is."""
    share = f'value="{done}" max="{total}"' if total else ""
    return (
        f'<div class="progress" role="status"><progress {share} aria-label="Progress"></progress>{escape(words)}</div>'
    )


def problems(sentences: list[str]) -> str:
    """What did not work, one line each."""
    lines = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<div class="left-out" role="alert"><b>Left out</b><ul>{lines}</ul></div>' if sentences else ""


def problem(sentence: str) -> str:
    """The same place when something went wrong."""
    return f'<div class="empty problem" role="alert">{SIGN}<p>{escape(sentence)}</p></div>'


def examples(folder: Path, names: list[str]) -> str:
    """Small buttons that put a picture from the checkpoint's folder in; nothing where there is none."""
    buttons = []
    for number, name in enumerate(names):
        path = example(folder, name)
        if path is not None:
            style = f"background-image:url({_inline(path, path.stat().st_mtime_ns, (160, 160))})"
            label = escape(f"Try it on {path.name}")
            buttons.append(f'<button data-example="{number}" aria-label="{label}" style="{style}"></button>')
    return f'<div class="examples">Or try one of these {"".join(buttons)}</div>' if buttons else ""


def example(folder: Path, name: str) -> Path | None:
    """The picture that a checkpoint's config.json names, unless it is missing or would lie outside the folder."""
    path = (folder / name).resolve()
    inside = path.is_relative_to(folder.resolve()) and path.suffix.lower() in PICTURES
    return path if inside and path.is_file() else None


def _thumbnail(entry: Entry) -> str:
    """Before and after, divided by a slanted line; colours and initials where the checkpoint has no samples."""
    pictures = samples(entry.folder)
    layers = [f"url({_inline(path, path.stat().st_mtime_ns)})" for path in pictures]
    initials = ""
    if not layers:
        domains = entry.config.ends(next(iter(entry.config.generators)))
        layers = [_gradient(domain) for domain in domains]
        initials = "".join(f"<em>{escape(domain[:1].upper())}</em>" for domain in domains)
    halves = "".join(f'<i style="background-image:{layer}"></i>' for layer in layers)
    divider = "<u></u>" if len(layers) == 2 else ""
    return f'<span class="thumb">{halves}{divider}{initials}</span>'


def samples(folder: Path) -> list[Path]:
    """Pictures for a checkpoint's card: samples/NAME_before.* and samples/NAME_after.*, else the first one."""
    pictures = sorted(path for path in (folder / "samples").glob("*") if path.suffix.lower() in PICTURES)
    stems = {path.stem: path for path in pictures}
    for stem, path in stems.items():
        after = stems.get(stem.removesuffix("_before") + "_after")
        if stem.endswith("_before") and after is not None:
            return [path, after]
    return pictures[:1]


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
