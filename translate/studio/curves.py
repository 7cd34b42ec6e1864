"""Line charts as SVG in the page: they are redrawn while a run goes on without a flicker, and ask no other host.

The lines stretch with the page, the words beside them do not, so a chart is as legible on a phone. `HOVER` reads the
numbers from the chart's data and shows those under the pointer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

POINTS = 300
"""Points of a line at most: more than a phone has pixels for, and few enough to send every other second."""

COLOURS = 8
"""How many colours theme.css has for lines."""

HOVER = """
const nearest = (points, at) => points.reduce((a, b) => Math.abs(b[0] - at) < Math.abs(a[0] - at) ? b : a);
const number = value => Number(value.toPrecision(3)).toLocaleString('en');
const hide = () => element.querySelectorAll('.chart .at').forEach(at => { at.hidden = true; });
element.addEventListener('pointerleave', hide);
element.addEventListener('pointermove', event => {
  const plot = event.target.closest('.chart .plot');
  if (!plot) return hide();
  const {from, to, lines} = JSON.parse(plot.dataset.lines), {left, width} = plot.getBoundingClientRect();
  const all = lines.filter(line => line.points.length);
  if (!all.length) return;
  const wanted = from + (to - from) * Math.min(1, Math.max(0, (event.clientX - left) / width));
  const step = nearest(all.flatMap(line => line.points), wanted)[0];
  const at = plot.querySelector('.at'), share = to > from ? (step - from) / (to - from) : 0;
  at.hidden = false;
  at.style.left = 100 * share + '%';
  at.classList.toggle('left', share > 0.6);
  const row = document.createElement('b');
  row.textContent = 'Step ' + step.toLocaleString('en');
  at.firstElementChild.replaceChildren(row, ...all.map(line => {
    const words = document.createElement('span');
    words.className = 'line ' + line.colour;
    words.textContent = line.name + ' ' + number(nearest(line.points, step)[1]);
    return words;
  }));
});
"""


@dataclass(frozen=True)
class Line:
    """A named line of (step, value) points, in order."""

    name: str
    points: Sequence[tuple[int, float]]
    colour: int = 0


def chart(title: str, caption: str, lines: Sequence[Line], smooth: bool = True) -> str:
    """A figure with a heading, a legend and the lines over one another.

    Args:
        title: what is shown.
        caption: how to read it, in a sentence.
        lines: those without points are in the legend only.
        smooth: draw a moving average, and the values themselves as a pale line behind it.
    """
    shown = [Line(line.name, thinned(line.points), line.colour) for line in lines]
    drawn = [Line(line.name, smoothed(line.points) if smooth else line.points, line.colour) for line in shown]
    steps = [step for line in shown for step, _ in line.points]
    first, last = (min(steps), max(steps)) if steps else (0, 1)
    low, high = _range([value for line in shown for _, value in line.points])
    ticks = _ticks(low, high) if steps else []

    def path(line: Line, kind: str) -> str:
        across, up = max(1, last - first), high - low
        points = [
            (1000 * (step - first) / across, 1000 - 1000 * (min(max(value, low), high) - low) / up)
            for step, value in line.points
        ]
        words = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        dot = "h.01" if len(points) == 1 else ""
        return f'<path class="{kind} {_colour(line)}" d="{words}{dot}"/>' if points else ""

    behind = "".join(path(line, "raw") for line in shown) if smooth else ""
    front = "".join(path(line, "line") for line in drawn)
    grid = "".join(f'<path class="grid" d="M0 {_y(tick, low, high):.1f}H1000"/>' for tick in ticks)
    left = "".join(f'<i style="top:{_y(tick, low, high) / 10:.1f}%">{_short(tick)}</i>' for tick in ticks)
    legend = "".join(f'<span class="line {_colour(line)}">{escape(line.name)}</span>' for line in lines)
    data = {
        "from": first,
        "to": last,
        "lines": [
            {"name": line.name, "colour": _colour(line), "points": [(s, float(f"{v:.4g}")) for s, v in line.points]}
            for line in drawn
        ],
    }
    summary = escape(_in_words(title, shown))
    return (
        f'<figure class="chart"><figcaption><b>{escape(title)}</b><p>{escape(caption)}</p>'
        f'<div class="legend">{legend}</div></figcaption>'
        f'<div class="plot" data-lines="{escape(json.dumps(data))}">'
        f'<div class="values" aria-hidden="true">{left}</div>'
        f'<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" role="img" aria-label="{summary}">'
        f'{grid}{behind}{front}</svg><div class="at" hidden><div></div></div></div>'
        f'<div class="steps" aria-hidden="true"><i>{f"step {first:,}" if steps else ""}</i>'
        f"<i>{f'{last:,}' if steps else ''}</i></div></figure>"
    )


def sparkline(points: Sequence[tuple[int, float]]) -> str:
    """A line of a few words' size, without any; nothing for fewer than two points."""
    line = smoothed(thinned(points, 60))
    if len(line) < 2:
        return ""
    low, high = _range([value for _, value in line])
    first, across = line[0][0], line[-1][0] - line[0][0]
    words = "L".join(f"{100 * (step - first) / across:.1f} {_y(value, low, high) / 25:.1f}" for step, value in line)
    return (
        '<svg class="sparkline" viewBox="0 -2 100 44" preserveAspectRatio="none" aria-hidden="true">'
        f'<path class="line c0" d="M{words}"/></svg>'
    )


def thinned(points: Sequence[tuple[int, float]], most: int = POINTS) -> list[tuple[int, float]]:
    """At most so many points, each the mean of its neighbours."""
    width = math.ceil(len(points) / most)
    if width <= 1:
        return list(points)
    groups = [points[start : start + width] for start in range(0, len(points), width)]
    return [(group[-1][0], sum(value for _, value in group) / len(group)) for group in groups]


def smoothed(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """A moving average over about a tenth of the points, which begins at the first value (Kingma and Ba 2015, §3)."""
    decay = 1 - 2 / (len(points) / 10 + 2)
    mean, weight, line = 0.0, 0.0, []
    for step, value in points:
        mean, weight = decay * mean + (1 - decay) * value, decay * weight + (1 - decay)
        line.append((step, mean / weight))
    return line


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From where to where the chart goes: zero belongs to it, a few outliers do not."""
    if not values:
        return 0.0, 1.0
    ordered = sorted(values)
    cut = len(ordered) // 200
    low, high = min(0.0, ordered[cut]), max(0.0, ordered[-1 - cut])
    return low, high + 0.08 * (high - low) or 1.0


def _ticks(low: float, high: float) -> list[float]:
    """Two to five round numbers between low and high."""
    size = 10 ** math.floor(math.log10(high - low))
    step = next(size * factor for factor in (0.2, 0.5, 1, 2, 5) if (high - low) / (size * factor) <= 5)
    return [step * count for count in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _y(value: float, low: float, high: float) -> float:
    return 1000 - 1000 * (value - low) / (high - low)


def _short(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _colour(line: Line) -> str:
    return f"c{line.colour % COLOURS}"


def _in_words(title: str, lines: Sequence[Line]) -> str:
    """What a screen reader says of a chart."""
    clauses = [
        f"{line.name} from {_short(line.points[0][1])} to {_short(line.points[-1][1])}" for line in lines if line.points
    ]
    return f"{title}: {'; '.join(clauses) or 'nothing to show yet'}"
