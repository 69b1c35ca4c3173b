"""The curves of `microgpt plot`: in the terminal, and as a picture.

In: curves and level lines. Out: lines of text, with each curve's name at its end; or a figure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from microgpt.cli.terminal.colours import LINES
from microgpt.cli.terminal.console import stdout, width
from microgpt.cli.terminal.pictures import COLOURS
from microgpt.cli.terminal.say import say
from microgpt.runs.curves import Curves
from microgpt.wording import ALONE, MIXED, figures, heldout, printable

_GREY = LINES[-1]
_HEIGHT, _WIDEST, _NARROWEST = 18, 90, 20
# The columns that the axis and the label's gap take, and the rows above the first.
_AXIS, _ABOVE = 15, 2
_BLANK = " \u2800"
# With more runs than this, held-out losses are only printed below the chart.
_FEW = 3
# The picture: more curves than this have their names below it; the longest name shown.
_INSIDE, _LONGEST = 6, 60
_DASHES = ("-", "--", "-.", ":")


@dataclass(frozen=True)
class _Line:
    """A line of the chart."""

    name: str
    colour: int
    steps: Sequence[float]
    losses: Sequence[float]

    def label(self, most: int = 1000) -> str:
        """Return its name and its last loss, in at most `most` characters."""
        end = f" {figures(self.losses[-1], 2)}"
        return self.name[: most - len(end)] + end


def draw(curves: Sequence[Curves], levels: Mapping[str, float]) -> None:
    """Draw curves, and level lines, on the terminal."""
    import plotille  # pyright: ignore[reportMissingTypeStubs]

    lines = [*_lines(curves, levels)]
    values = [loss for line in lines for loss in line.losses]
    low, high = min(values) - 0.05, max(values) + 0.05
    last = max(1.0, *(line.steps[-1] for line in lines))
    height = max(_HEIGHT, len(lines))
    room = width() - _AXIS - max(len(line.label()) for line in lines)
    figure: Any = plotille.Figure()
    figure.width = max(_NARROWEST, min(room, _WIDEST) // 10 * 10)
    figure.height = height
    figure.with_colors, figure.color_mode = stdout().color_system is not None, "byte"
    figure.x_label, figure.y_label = "step", "nats"
    figure.set_x_limits(min_=0, max_=last)
    figure.set_y_limits(min_=low, max_=high)
    figure.register_label_formatter(float, _tick)
    for line in lines:
        figure.plot([*line.steps], [*line.losses], lc=line.colour)
    rows = [Text.from_ansi(row) for row in figure.show(legend=False).split("\n")]
    ends = [(high - line.losses[-1]) / (high - low) * height - 0.5 for line in lines]
    for place, line in zip(apart(ends, height), lines):
        label = line.label(max(width() - _AXIS - figure.width, 10))
        rows[_ABOVE + place].append(f"  {label}", f"color({line.colour})")
    for row in rows:
        say(row[: len(row.plain.rstrip(_BLANK))])
    say()
    for c in curves:
        mixed = c.mixed[-1][1] if c.mixed else None
        held = f" · {heldout('held out', c.heldout[-1][1], mixed)}" if c.heldout else ""
        say(f"{c.name}: {figures(c.losses[0])} -> {figures(c.losses[-1])} nats a character{held}")
    if levels:
        say("Level lines: " + " · ".join(f"{n} {v:.2f}" for n, v in levels.items()))


def _lines(curves: Sequence[Curves], levels: Mapping[str, float]) -> list[_Line]:
    last = max(curve.steps[-1] for curve in curves)
    lines = [_Line(name, _GREY, (0, max(last, 1)), (loss, loss)) for name, loss in levels.items()]
    for i, curve in enumerate(curves):
        name, colour = printable(Path(curve.name).name), LINES[i % (len(LINES) - 1)]
        lines.append(_Line(name, colour, curve.steps, curve.losses))
        whose = f"{name}, " if len(curves) > 1 else ""
        held = LINES[(i + _FEW) % (len(LINES) - 1)]
        for what, points in ((curve.own, curve.heldout), (MIXED, curve.mixed)):
            if len(points) > 1 and len(curves) <= _FEW:
                steps, losses = zip(*points)
                lines.append(_Line(f"{whose}{what}", held, steps, losses))
    return lines


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


def _tick(value: float, chars: int, delta: float, left: bool = False) -> str:
    text = figures(value, 2 if delta < 10 else 0)
    return text.ljust(chars) if left else text.rjust(chars)


def picture(curves: Sequence[Curves], levels: Mapping[str, float]) -> Any:
    """Return a figure of curves, whose height grows with the number of names below it."""
    from matplotlib.figure import Figure

    inside = len(curves) <= _INSIDE
    longest = min(_LONGEST, max(len(curve.name) for curve in curves))
    columns = max(1, 100 // (longest + 8))
    below = 0 if inside else math.ceil((len(curves) + 1) / columns)
    figure: Any = Figure(figsize=(8, 4.5 + 0.2 * below), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel="loss (nats a character)")
    several = sum(bool(curve.heldout) for curve in curves) > 1
    for i, curve in enumerate(curves):
        colour, dash = COLOURS[i % len(COLOURS)], _DASHES[i // len(COLOURS) % len(_DASHES)]
        axes.plot(curve.steps, curve.losses, dash, color=colour, label=_named(curve.name))
        if curve.heldout:
            label = None if several else curve.own
            axes.plot(*zip(*curve.heldout), "o--", color=colour, markersize=4, label=label)
        if curve.mixed:
            label = None if several else MIXED
            axes.plot(*zip(*curve.mixed), "s:", color=colour, markersize=4, label=label)
    if several:
        mixed = any(curve.mixed for curve in curves)
        own = f"{ALONE}, held out" if mixed else "held out"
        axes.plot([], [], "o--", color="0.35", markersize=4, label=own)
        if mixed:
            axes.plot([], [], "s:", color="0.35", markersize=4, label=MIXED)
    right = max(curve.steps[-1] for curve in curves)
    for name, loss in levels.items():
        axes.axhline(loss, color="0.55", linewidth=1, linestyle=":")
        text = f"{name} {loss:.2f}"
        axes.text(right, loss, text, va="bottom", ha="right", color="0.35", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    if inside:
        legend = axes.legend(frameon=False)
    else:
        legend = figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=8)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a $ in a folder's name begins no formula
    return figure


def _named(name: str) -> str:
    """Return a name for a legend: cut, and without the leading "_" that matplotlib hides."""
    name = printable(f"./{name}" if name.startswith("_") else name)
    return name if len(name) <= _LONGEST else f"…{name[-_LONGEST:]}"
