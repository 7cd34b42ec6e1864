"""Charts as SVG inside a page. They take their colours from its style sheet, light or dark, and ask no other host.

The curves stretch with the page and the words beside them do not, so a chart is as legible on a phone. `charts.css`
(`STYLE`) belongs into every page with a chart; it reads the variables --chart-ink, --chart-soft, --chart-grid and
--chart-paper of the page, and follows its `color-scheme`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from translate.pages.fragments import Markup, fragments

STYLE = Path(__file__).with_name("charts.css")

POINTS = 300
"""Most points of a line: more than a phone has pixels for, and few enough to send every other second."""
COLOURS = 8
"""The colours of lines in charts.css: the classes c0 to c7."""
SIDE = 1000
"""Width and height of a plot in its own units; the page stretches it."""

Points = Sequence[tuple[float, float]]

_render = fragments(Path(__file__).with_name("templates") / "charts.html")


@dataclass(frozen=True)
class Line:
    """A named line of (step, value) points in the order of their steps; values that are not finite are left out."""

    name: str
    points: Points
    colour: int = 0

    @property
    def style(self) -> str:
        """The class of its colour in charts.css."""
        return f"c{self.colour % COLOURS}"


def line_chart(
    title: str,
    lines: Sequence[Line],
    caption: str = "",
    *,
    smooth: bool = True,
    from_zero: bool = False,
    hover: bool = False,
) -> Markup:
    """A figure of one or more lines over the steps of a training run.

    Args:
        title: what is shown.
        lines: lines without points are in the legend only.
        caption: how to read it, or a unit.
        smooth: draw a moving average, and the values themselves as a pale line behind it.
        from_zero: let the vertical axis contain zero. Otherwise it only does if the values come near to it.
        hover: write the numbers into the figure, for a script that shows those under the pointer.
    """
    shown = [Line(line.name, thinned(line.points), line.colour) for line in lines]
    drawn = [Line(line.name, smoothed(line.points) if smooth else line.points, line.colour) for line in shown]
    steps = [step for line in shown for step, _ in line.points]
    first, last = (min(steps), max(steps)) if steps else (0, 1)
    low, high = _range([value for line in shown for _, value in line.points], from_zero)
    across = max(1, last - first)

    def path(points: Points) -> str:
        places = [(SIDE * (step - first) / across, _height(value, low, high)) for step, value in points]
        dot = "h.01" if len(places) == 1 else ""
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places) + dot

    def paths(some: Sequence[Line]) -> list[tuple[str, str]]:
        return [(line.style, path(line.points)) for line in some if line.points]

    numbers = {
        "from": first,
        "to": last,
        "lines": [
            {"name": line.name, "colour": line.style, "points": [(s, float(f"{v:.4g}")) for s, v in line.points]}
            for line in drawn
        ],
    }
    whole = [step for step in ticks(first, first + across) if abs(step - round(step)) < 1e-9]
    return _render(
        "line_chart",
        title=title,
        caption=caption,
        legend=[(line.style, line.name, short(line.points[-1][1]) if line.points else "") for line in drawn],
        numbers=json.dumps(numbers) if hover else "",
        summary=_in_words(title, shown),
        values=[(_height(tick, low, high), short(tick)) for tick in ticks(low, high)] if steps else [],
        steps=[(100 * (step - first) / across, short(step)) for step in whole] if steps else [],
        pale=paths(shown) if smooth else [],
        lines=paths(drawn),
    )


def bar_chart(title: str, bars: Sequence[tuple[str, float, str]], caption: str = "") -> Markup:
    """A figure of horizontal bars that begin at zero; the first one is emphasised. Nothing where there are no bars.

    Args:
        title: what is shown.
        bars: for each its name, its length (negative ones are drawn as zero) and its number as it is written.
        caption: how to read it, or a unit.
    """
    if not bars:
        return Markup()
    longest = max(*(length for _, length, _ in bars), 0.0) or 1.0
    return _render(
        "bar_chart",
        title=title,
        caption=caption,
        summary=f"{title}: " + ", ".join(f"{name} {text}" for name, _, text in bars),
        bars=[(name, max(length, 0.0) / longest, text) for name, length, text in bars],
    )


def sparkline(points: Points) -> Markup:
    """A line of the size of a few words, without any; nothing for fewer than two points."""
    line = smoothed(thinned(points, 60))
    if len(line) < 2:
        return Markup()
    low, high = _range([value for _, value in line], from_zero=True)
    first, across = line[0][0], line[-1][0] - line[0][0]
    places = ((100 * (step - first) / across, _height(value, low, high) / 25) for step, value in line)
    return _render("sparkline", "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places))


def thinned(points: Points, most: int = POINTS) -> list[tuple[float, float]]:
    """The finite points, at most `most` of them: each the mean of its neighbours, at the last one's step."""
    finite = [(step, value) for step, value in points if math.isfinite(value)]
    width = math.ceil(len(finite) / most)
    if width <= 1:
        return finite
    groups = [finite[start : start + width] for start in range(0, len(finite), width)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def smoothed(points: Points) -> list[tuple[float, float]]:
    """A moving average over about a tenth of the points, which begins at the first value (Kingma and Ba 2015, §3)."""
    decay = 1 - 2 / (len(points) / 10 + 2)
    mean, weight, line = 0.0, 0.0, []
    for step, value in points:
        mean, weight = decay * mean + (1 - decay) * value, decay * weight + (1 - decay)
        line.append((step, mean / weight))
    return line


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from low to high, about as many as asked for; `low` is less than `high`."""
    raw = (high - low) / about
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [at * step for at in range(first, math.floor(high / step + 1e-9) + 1)]


def short(value: float) -> str:
    """A number of few characters: 12500 is 12.5k, 0.00042 is 0.00042, 0.25000001 is 0.25."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):.4g}{letter}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def _range(values: Sequence[float], from_zero: bool) -> tuple[float, float]:
    """The ends of the vertical axis. The wildest hundredth of the values does not count: a spike flattens no curve."""
    if not values:
        return 0.0, 1.0
    ordered = sorted(values)
    spared = len(ordered) // 200
    low, high = ordered[spared], ordered[-1 - spared]
    if from_zero or 0 <= low < 0.35 * high:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        return low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    margin = 0.06 * (high - low)
    return low - margin if low else low, high + margin if high else high


def _height(value: float, low: float, high: float) -> float:
    """Where a value lies in the plot, from 0 at the top to SIDE; what the axis leaves out lies on the edge."""
    return SIDE - SIDE * (min(max(value, low), high) - low) / (high - low)


def _in_words(title: str, lines: Sequence[Line]) -> str:
    """What a screen reader says instead of the chart."""
    clauses = [
        f"{line.name} from {short(line.points[0][1])} to {short(line.points[-1][1])}" for line in lines if line.points
    ]
    return f"{title}: {'; '.join(clauses) or 'nothing to show yet'}"
