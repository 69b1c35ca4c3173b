"""Lines on the terminal, each with its name where it ends.

In: lines. Out: rows of text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.text import Text

from microgpt.cli.terminal.console import stdout, width
from microgpt.cli.terminal.say import say
from microgpt.wording import figures

_HEIGHT, _WIDEST, _NARROWEST = 18, 90, 20
# The columns that the axis and the label's gap take, and the rows above the first.
_AXIS, _ABOVE = 15, 2
_BLANK = " \u2800"


@dataclass(frozen=True)
class LabelledLine:
    """A line of a chart.

    Attributes:
        name: its label.
        colour: by its number among the terminal's 256.
        x: of its points.
        y: of its points.
        bars: vertical bars beside the points: x, lower end, upper end.
    """

    name: str
    colour: int
    x: Sequence[float]
    y: Sequence[float]
    bars: Sequence[tuple[float, float, float]] = ()

    def label(self, most: int = 1000) -> str:
        """Return its name and its last value, in at most `most` characters."""
        end = f" {figures(self.y[-1], 2)}"
        return self.name[: most - len(end)] + end


def draw_lines(
    lines: Sequence[LabelledLine],
    x_label: str,
    y_label: str,
    x_limits: tuple[float, float],
    x_value: Callable[[float], float] = float,
    margin: float = 0.05,
) -> None:
    """Print a chart of lines.

    Args:
        lines: at least one.
        x_label: of the axis.
        y_label: of the axis.
        x_limits: its ends.
        x_value: what a place on the axis is called there, where that is not linear.
        margin: above the highest and below the lowest point.
    """
    import plotille  # pyright: ignore[reportMissingTypeStubs]

    values = [
        y for line in lines for y in (*line.y, *(end for bar in line.bars for end in bar[1:]))
    ]
    low, high = min(values) - margin, max(values) + margin
    height = max(_HEIGHT, len(lines))
    room = width() - _AXIS - max(len(line.label()) for line in lines)
    figure: Any = plotille.Figure()
    figure.width = max(_NARROWEST, min(room, _WIDEST) // 10 * 10)
    figure.height = height
    figure.with_colors, figure.color_mode = stdout().color_system is not None, "byte"
    figure.x_label, figure.y_label = x_label, y_label
    figure.set_x_limits(min_=x_limits[0], max_=x_limits[1])
    figure.set_y_limits(min_=low, max_=high)
    figure.register_label_formatter(float, _tick)
    if x_value is not float:
        figure.x_ticks_fkt = partial(_named, x_value)
    for line in lines:
        figure.plot([*line.x], [*line.y], lc=line.colour)
        for x, lower, upper in line.bars:
            figure.plot([x, x], [lower, upper], lc=line.colour)
    rows = [Text.from_ansi(row) for row in figure.show(legend=False).split("\n")]
    ends = [(high - line.y[-1]) / (high - low) * height - 0.5 for line in lines]
    for place, line in zip(apart(ends, height), lines):
        label = line.label(max(width() - _AXIS - figure.width, 10))
        rows[_ABOVE + place].append(f"  {label}", f"color({line.colour})")
    for row in rows:
        say(row[: len(row.plain.rstrip(_BLANK))])


def apart(heights: Sequence[float], rows: int) -> list[int]:
    """Return a row for each height, near it and in the same order, all different.

    >>> apart([2.0, 2.2, 9.9, 2.1], rows=10)
    [2, 4, 9, 3]
    """
    order = sorted(range(len(heights)), key=heights.__getitem__)
    places = [0] * len(heights)
    # Each is pushed down by the one above it, then all are pushed up from the lower edge.
    before = -1
    for i in order:
        before = places[i] = max(round(heights[i]), before + 1)
    after = rows
    for i in reversed(order):
        after = places[i] = min(places[i], after - 1)
    return places


def _named(value: Callable[[float], float], low: float, high: float) -> str:
    return f"{value(low):.3g}".ljust(10)


def _tick(value: float, chars: int, delta: float, left: bool = False) -> str:
    text = figures(value, 2 if delta < 10 else 0)
    return text.ljust(chars) if left else text.rjust(chars)
