"""The report's charts draw every number at its place."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from microgpt.evaluation.calibration import Bin
from microgpt.html import charts


def test_points_of_charts_lie_where_their_numbers_say() -> None:
    curve = charts.learning_curve(
        [(1.0, 3.0), (5.0, math.nan), (11.0, 1.0)], [(6, 2.0)], [("blind", 3.3), ("pairs", 3.29)]
    )
    (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in curve.lines[2].points.split())
    (mark,) = curve.marks
    assert mark.x == pytest.approx((x1 + x2) / 2, abs=0.1)
    assert mark.y == pytest.approx((y1 + y2) / 2, abs=0.1)
    heights = [label.y for label in curve.labels]
    assert all(b - a >= 18.9 for a, b in pairwise(heights))
    assert heights[0] > 0
    assert heights[-1] < charts.HEIGHT
    # A calibrated model's marks lie on the diagonal, and equal factors are equal steps.
    shares = (0.001, 0.01, 0.1, 1.0)
    bins = [Bin(1000, round(1000 * p), p, p / 2, min(2 * p, 1.0)) for p in shares]
    marks = charts.reliability(bins).marks
    steps = [b.x - a.x for a, b in pairwise(marks)]
    assert steps == pytest.approx([steps[0]] * 3)
    width, height = charts.WIDTH - charts.LEFT - charts.RIGHT, charts.HEIGHT - charts.TOP
    height -= charts.BOTTOM
    for m in marks:
        right, up = (m.x - charts.LEFT) / width, (charts.HEIGHT - charts.BOTTOM - m.y) / height
        assert right == pytest.approx(up)


@pytest.mark.parametrize("mixed", [[], [(1.0, 3.1), (2.0, 2.9)]])
def test_there_is_room_for_the_label_of_each_curve(mixed: list[tuple[float, float]]) -> None:
    curve = charts.learning_curve(
        [(1.0, 3.2), (2.0, 13.0)], [(2.0, 13.1)], [("10-grams", 12.5)], mixed
    )
    # A bold letter of the page is 8 units wide on average; 10 lie between the curve and its label.
    assert max(8 * len(label.text) for label in curve.labels) <= curve.right - 10
