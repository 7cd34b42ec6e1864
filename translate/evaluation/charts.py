"""Curves and bars as SVG that lies inside a page and takes its colours from it, light or dark."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 560, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 12, 26
POINTS = 360
"""More points than that in a curve cannot be told apart at this width; neighbours are averaged."""
COLOURS = 8
"""--s0 … --s7 of the page."""

Curve = Sequence[tuple[float, float]]


def line_chart(title: str, curves: Mapping[str, Curve], *, hint: str = "", smooth: float = 0.0) -> str:
    """A figure of one or more curves over the steps of a run.

    Args:
        title: plain text.
        curves: by name, (step, value) in order; values that are no numbers are gaps.
        hint: plain text beside the title, e.g. a unit.
        smooth: share of the past in the running mean that is drawn over the pale curve; 0 draws the curve as it is.
    Returns:
        HTML; empty where there is nothing to draw.
    """
    drawn = {name: _thin(curve) for name, curve in curves.items()}
    drawn = {name: curve for name, curve in drawn.items() if len(curve) > 1}
    if not drawn:
        return ""
    xs = [x for curve in drawn.values() for x, _ in curve]
    low, high = _range([y for curve in drawn.values() for _, y in curve])
    x_low, x_high = min(xs), max(max(xs), min(xs) + 1)

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)
        return across, HEIGHT - BOTTOM - (y - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    grid, lines, ends = [], [], []
    for y in ticks(low, high):
        _, at = place(x_low, y)
        grid.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>')
        grid.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{short(y)}</text>')
    for x in ticks(x_low, x_high):
        at, _ = place(x, low)
        grid.append(f'<text x="{at:.1f}" y="{HEIGHT - 8}" text-anchor="middle">{short(x)}</text>')
    for number, (name, curve) in enumerate(drawn.items()):
        colour = f'style="stroke:var(--s{number % COLOURS})"'
        if smooth and len(curve) > 8:
            lines.append(f'<path class="raw" {colour} d="{_path(curve, place)}"/>')
            curve = _smoothed(curve, smooth)
        lines.append(f'<path {colour} d="{_path(curve, place)}"/>')
        ends.append((name, short(curve[-1][1])))
    legend = "".join(
        f'<span><i style="background:var(--s{number % COLOURS})"></i>{escape(name)} {end}</span>'
        for number, (name, end) in enumerate(ends)
    )
    words = f"{title}: " + ", ".join(f"{name} ends at {end}" for name, end in ends)
    return (
        f"<figure><figcaption>{escape(title)} <small>{escape(hint)}</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f'<g class="grid">{"".join(grid)}</g><g class="series">{"".join(lines)}</g></svg>'
        f'<div class="legend">{legend}</div></figure>'
    )


def bar_chart(title: str, bars: Sequence[tuple[str, float, str]], *, hint: str = "") -> str:
    """A figure of horizontal bars from zero: (name, length, the number as it is written). The first is emphasised."""
    if not bars:
        return ""
    step, name_width, number_width = 34, 150, 110
    height = step * len(bars) + 8
    top = max(max(length for _, length, _ in bars), 0.0) or 1.0
    drawn = []
    for number, (name, length, text) in enumerate(bars):
        y = 6 + number * step
        width = max(2.0, max(length, 0.0) / top * (WIDTH - name_width - number_width))
        colour = "var(--s0)" if number == 0 else "var(--line)"
        drawn.append(
            f'<text x="0" y="{y + 17}">{escape(name)}</text>'
            f'<rect x="{name_width}" y="{y}" width="{width:.1f}" height="24" rx="5" style="fill:{colour}"/>'
            f'<text x="{name_width + width + 8:.1f}" y="{y + 17}">{escape(text)}</text>'
        )
    words = f"{title}: " + ", ".join(f"{name} {text}" for name, _, text in bars)
    return (
        f"<figure><figcaption>{escape(title)} <small>{escape(hint)}</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(words)}">{"".join(drawn)}</svg></figure>'
    )


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers between two others, about as many as asked for."""
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [at * step for at in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """12500 → 12.5k, 0.00042 → 0.00042, 0.25000001 → 0.25."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.4g}{letter}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _range(values: Sequence[float]) -> tuple[float, float]:
    """What the axis shows: all but the wildest hundredth of the values, so that one spike does not flatten a curve."""
    ordered = sorted(values)
    spared = len(ordered) // 200
    low, high = ordered[spared], ordered[-1 - spared]
    if low == high:
        return low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    margin = (high - low) * 0.06
    return (0.0 if 0 <= low < 0.35 * high else low - margin), high + margin


def _thin(curve: Curve) -> list[tuple[float, float]]:
    good = [(float(x), float(y)) for x, y in curve if math.isfinite(y)]
    size = math.ceil(len(good) / POINTS)
    groups = [good[start : start + size] for start in range(0, len(good), size)] if size else []
    return [(sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group)) for group in groups]


def _smoothed(curve: Curve, share: float) -> list[tuple[float, float]]:
    mean, weight, smoothed = 0.0, 0.0, []
    for x, y in curve:
        mean, weight = share * mean + (1 - share) * y, share * weight + (1 - share)
        smoothed.append((x, mean / weight))
    return smoothed


def _path(curve: Curve, place: Callable[[float, float], tuple[float, float]]) -> str:
    points = [place(x, y) for x, y in curve]
    return "M" + " ".join(f"{x:.1f},{min(max(y, TOP - 4), HEIGHT - BOTTOM + 4):.1f}" for x, y in points)
