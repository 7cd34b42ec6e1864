"""Charts: what they show, in what they draw and in words."""

from __future__ import annotations

import json
import re
from html import unescape

import pytest

from translate.pages.charts import (
    POINTS,
    SIDE,
    Line,
    bar_chart,
    line_chart,
    short,
    smoothed,
    sparkline,
    thinned,
    ticks,
)


def heights(svg: str, kind: str) -> list[list[float]]:
    """The y coordinates of each path of a kind, from 0 at the top to 1000 at the bottom."""
    paths = re.findall(rf'<path class="{kind} c\d" d="([^"]+)"', svg)
    return [[float(point.split()[1]) for point in re.split("[ML]", path) if " " in point] for path in paths]


def test_a_falling_loss_is_a_falling_line() -> None:
    svg = line_chart("Loss", [Line("G", [(step, 100 / step) for step in range(1, 50)])])
    (line,) = heights(svg, "line")
    assert line == sorted(line)
    assert all(0 <= y <= 1000 for y in line)


def test_smoothing_keeps_the_values_in_sight_and_the_level() -> None:
    zigzag = [(step, 1.0 + step % 2) for step in range(100)]
    smooth = line_chart("Loss", [Line("G", zigzag)])
    assert max(heights(smooth, "raw")[0]) - min(heights(smooth, "raw")[0]) > 300
    assert max(heights(smooth, "line")[0][20:]) - min(heights(smooth, "line")[0][20:]) < 150
    assert not heights(line_chart("Loss", [Line("G", zigzag)], smooth=False), "raw")
    assert [value for _, value in smoothed([(0, 3.0), (1, 3.0), (2, 3.0)])] == pytest.approx([3.0, 3.0, 3.0])


def test_a_single_outlier_does_not_flatten_the_rest() -> None:
    points = [(step, 1.0) for step in range(1000)] + [(1000, 1e6)]
    assert min(heights(line_chart("Loss", [Line("G", points)], smooth=False), "line")[0]) < 500


def test_a_long_run_is_drawn_with_few_points() -> None:
    points = [(step, float(step)) for step in range(100_000)]
    few = thinned(points)
    assert len(few) <= POINTS
    assert few[-1][0] == points[-1][0]
    assert sum(value for _, value in few) / len(few) == pytest.approx(49_999.5, rel=1e-2)


def test_lines_of_several_runs_share_their_axes() -> None:
    svg = line_chart(
        "Loss", [Line("one", [(0, 1.0), (10, 1.0)], 0), Line("two", [(0, 1.0), (20, 1.0)], 1)], smooth=False
    )
    ends = [float(end) for end in re.findall(r'<path class="line c\d" d="M[^"]*L([\d.]+) ', svg)]
    assert ends == [500.0, 1000.0]


def test_screen_readers_and_the_pointer_get_the_numbers() -> None:
    svg = line_chart("Loss <1>", [Line("A & B", [(2, 0.5), (4, 0.25)])], smooth=False, hover=True)
    assert 'aria-label="Loss &lt;1&gt;: A &amp; B from 0.5 to 0.25"' in svg
    data = re.search('data-lines="([^"]+)"', svg)
    assert data is not None
    assert json.loads(unescape(data[1]))["lines"][0]["points"] == [[2, 0.5], [4, 0.25]]


@pytest.mark.parametrize("points", [[], [(5, 0.0)], [(5, 1.0)], [(5, -1.0), (6, -2.0)], [(1, 0.0), (2, 0.0)]])
def test_few_and_odd_values_are_drawn_too(points: list[tuple[int, float]]) -> None:
    svg = line_chart("Loss", [Line("G", points)])
    assert "nan" not in svg
    assert ("nothing to show yet" in svg) is (not points)
    assert bool(sparkline(points)) is (len(points) > 1)


def test_what_is_no_number_is_left_out_and_spikes_stay_inside() -> None:
    points = [(step, value) for step, value in enumerate([1.0, float("nan"), 5e9, -3.0, float("inf"), 2.0])]
    svg = line_chart("wild", [Line("<script>", points)], smooth=False)
    assert "<script" not in svg and "nan" not in svg and "inf" not in svg
    (line,) = heights(svg, "line")
    assert len(line) == 4
    assert all(0 <= y <= SIDE for y in line)


def test_a_long_run_tells_where_it_ended() -> None:
    svg = line_chart("long", [Line("loss", [(step, 4.0) for step in range(100_000)])], smooth=False)
    assert svg.count("L") < 1000
    assert "loss <small>4</small>" in svg
    assert ">step</span>" in svg and ">80k</i>" in svg


def test_only_who_asks_gets_the_numbers_for_the_pointer() -> None:
    lines = [Line("loss", [(1, 1.0), (2, 2.0)])]
    assert "data-lines" in line_chart("Loss", lines, hover=True)
    assert "data-lines" not in line_chart("Loss", lines)


def test_the_axis_contains_zero_where_that_is_wanted() -> None:
    lines = [Line("loss", [(1, 9.0), (2, 10.0)])]
    assert ">0</i>" in line_chart("Loss", lines, from_zero=True)
    assert ">0</i>" not in line_chart("Loss", lines)


def test_bars_are_as_long_as_their_values() -> None:
    svg = bar_chart("KID", [("translated", 1.0, "1.00"), ("untranslated", 4.0, "4.00"), ("real", -0.1, "-0.10")])
    widths = [float(width) for width in re.findall(r'<rect [^>]*?width="([\d.]+)"', svg)]
    assert widths[1] == pytest.approx(4 * widths[0], rel=0.01)
    assert 0 < widths[2] < widths[0]
    assert bar_chart("empty", []) == ""


def test_ticks_are_round_and_inside() -> None:
    for low, high in ((0.0, 1.0), (-3.2, 4.1), (0.0, 48000.0), (1e-5, 9e-5)):
        found = ticks(low, high)
        assert 3 <= len(found) <= 7
        assert all(low - 1e-12 <= tick <= high * 1.0001 for tick in found)
    assert [short(value) for value in (12500, 0.25, 3_000_000, 400)] == ["12.5k", "0.25", "3M", "400"]
