"""One HTML file that needs nothing else: its style, its pictures and its curves are inside, and it has no script.

Every text is escaped where it is put in: names of files, settings and notes are other people's.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from PIL import Image

from translate.data.formats import Pixels

STYLE = """
:root { color-scheme: light dark;
  --paper: #fbfbfd; --sheet: #fff; --ink: #18181b; --soft: #62626c; --line: #e4e4ea; --mark: #4f46e5; --wash: #eef0ff;
  --s0: #4f46e5; --s1: #d9480f; --s2: #0b7285; --s3: #a61e4d; --s4: #5c940d; --s5: #7048a8; --s6: #8a6d00;
  --s7: #495057; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #0d0d10; --sheet: #17171c; --ink: #ececf1; --soft: #a0a0ad; --line: #2c2c35; --mark: #a5b0ff;
  --wash: #20223a;
  --s0: #8f9bff; --s1: #ff9457; --s2: #4fc9de; --s3: #ff7ba6; --s4: #a3d44a; --s5: #c9a0f5; --s6: #e6c84f;
  --s7: #b6bcc4; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1080px; padding: 40px 24px 80px; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
h1 { margin: 0; font-size: 2.1rem; line-height: 1.15; letter-spacing: -.025em; text-wrap: balance; }
h2 { margin: 52px 0 14px; font-size: 1.3rem; letter-spacing: -.012em; }
h3 { margin: 26px 0 10px; font-size: 1rem; }
p { margin: 8px 0; max-width: 72ch; }
.lead { color: var(--soft); margin: 10px 0 0; }
.sheet { background: var(--sheet); border: 1px solid var(--line); border-radius: 14px; padding: 18px 20px;
  overflow-x: auto; }
.sheet + .sheet { margin-top: 12px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(168px, 1fr)); gap: 12px; margin: 26px 0 0; }
.figure { background: var(--sheet); border: 1px solid var(--line); border-radius: 14px; padding: 14px 16px; }
.figure b { display: block; font-size: 1.6rem; line-height: 1.2; letter-spacing: -.02em; }
.figure span { color: var(--soft); font-size: .86rem; }
table { border-collapse: collapse; width: 100%; font-size: .94rem; }
th, td { padding: 7px 14px 7px 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; font-size: .84rem; white-space: nowrap; }
td.n { white-space: nowrap; text-align: right; padding-right: 22px; }
th.n { text-align: right; padding-right: 22px; }
td.soft { color: var(--soft); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 14px; }
figure { margin: 0; padding: 14px 16px 10px; background: var(--sheet); border: 1px solid var(--line);
  border-radius: 14px; }
figcaption { font-weight: 600; font-size: .94rem; }
figcaption small { color: var(--soft); font-weight: 400; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.grid line { stroke: var(--line); }
.series path { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.series path.raw { stroke-width: 1; opacity: .28; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 4px 0 0; font-size: .84rem; color: var(--soft); }
.legend i { display: inline-block; width: 14px; height: 3px; border-radius: 2px; margin: 0 6px 3px 0; }
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 330px), 1fr)); gap: 12px; }
.pair { background: var(--sheet); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; }
.pair div { display: flex; gap: 2px; }
.pair img { flex: 1 1 0; min-width: 0; width: 100%; height: auto; aspect-ratio: 1; object-fit: cover; display: block; }
.pair p { display: flex; justify-content: space-between; gap: 12px; margin: 0; padding: 7px 12px; font-size: .82rem;
  color: var(--soft); }
.pair p span:first-child { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.wide img { width: 100%; height: auto; border-radius: 10px; display: block; }
.note { border-left: 3px solid var(--mark); background: var(--wash); padding: 9px 14px; border-radius: 0 10px 10px 0;
  margin: 10px 0; max-width: none; overflow-wrap: anywhere; }
details { margin: 14px 0; }
summary { cursor: pointer; font-weight: 600; padding: 6px 0; }
summary:focus-visible { outline: 2px solid var(--mark); outline-offset: 3px; border-radius: 4px; }
pre { font: .84rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; margin: 0; white-space: pre-wrap;
  overflow-wrap: anywhere; }
footer { margin: 60px 0 0; color: var(--soft); font-size: .86rem; }
@media print { body { max-width: none; padding: 0; } .pair, figure, .figure { break-inside: avoid; } }
"""


def page(title: str, lead: str, sections: Iterable[tuple[str, str]], footer: str = "") -> str:
    """A whole document.

    Args:
        title: plain text.
        lead: plain text under the title.
        sections: (heading, HTML); an empty heading has none, a section without HTML is left out.
        footer: plain text at the end.
    """
    body = "\n".join(
        f"<section>{f'<h2>{escape(heading)}</h2>' if heading else ''}\n{html}\n</section>"
        for heading, html in sections
        if html
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header><h1>{escape(title)}</h1>\n<p class="lead">{escape(lead)}</p></header>\n<main>\n{body}\n</main>\n'
        f"<footer>{escape(footer)}</footer>\n</body>\n</html>\n"
    )


def figures(entries: Iterable[tuple[str, str]]) -> str:
    """Big numbers side by side: (the number, what it is)."""
    boxes = "".join(
        f'<div class="figure"><b>{escape(number)}</b><span>{escape(what)}</span></div>' for number, what in entries
    )
    return f'<div class="figures">{boxes}</div>' if boxes else ""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[int] = ()) -> str:
    """A table of plain texts; the columns in `numbers` are set flush right."""
    right = set(numbers)

    def cell(tag: str, at: int, text: str) -> str:
        kind = ' class="n"' if at in right else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    head = "".join(cell("th", at, text) for at, text in enumerate(heads))
    body = "".join(f"<tr>{''.join(cell('td', at, text) for at, text in enumerate(row))}</tr>" for row in rows)
    return f'<div class="sheet"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(entries: Mapping[str, Any]) -> str:
    """A table of names and values; empty ones are left out."""
    rows = [[name, str(value)] for name, value in entries.items() if value not in ("", None, [], {})]
    return table(["", ""], rows).replace("<thead><tr><th></th><th></th></tr></thead>", "") if rows else ""


def folded(summary: str, html: str) -> str:
    """Something to be opened by a click."""
    return f"<details><summary>{escape(summary)}</summary>{html}</details>" if html else ""


def code(text: str) -> str:
    """Text in a fixed pitch, lines kept."""
    return f'<div class="sheet"><pre>{escape(text)}</pre></div>'


def notes(texts: Iterable[str]) -> str:
    """Remarks that should be seen."""
    return "".join(f'<p class="note">{escape(text)}</p>' for text in texts)


def picture(image: Pixels | Image.Image, alt: str, side: int = 224) -> str:
    """An <img> with the picture inside as WebP, scaled to at most `side` pixels, of whatever depth and channels."""
    drawn = to_picture(image) if isinstance(image, np.ndarray) else image.convert("RGB")
    drawn.thumbnail((side, side), Image.Resampling.LANCZOS)
    data = io.BytesIO()
    drawn.save(data, "WEBP", quality=80, method=4)
    encoded = base64.b64encode(data.getvalue()).decode("ascii")
    width, height = drawn.size
    return (
        f'<img src="data:image/webp;base64,{encoded}" alt="{escape(alt)}" width="{width}" height="{height}" '
        'loading="lazy">'
    )


def to_picture(image: Pixels) -> Image.Image:
    """(H, W, C) of uint8 or uint16 as an RGB picture to look at; of other than three channels the first in grey."""
    eight = image if image.dtype == np.uint8 else (image >> 8).astype(np.uint8)
    return Image.fromarray(np.array(eight) if eight.shape[2] == 3 else np.repeat(eight[:, :, :1], 3, axis=2))
