"""The layout of charts: coordinates, which the templates draw.

In: curves, bins. Out: `Chart`s in a box of WIDTH by HEIGHT, with ticks, lines, marks, and labels
that do not overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from microgpt.wording import ALONE, MIXED, figures

if TYPE_CHECKING:
    from microgpt.evaluation.calibration import Bin

WIDTH, HEIGHT = 800, 340
LEFT, RIGHT, TOP, BOTTOM = 58, 168, 14, 44
# Additional room for the labels of a mixture's curves, which are longer.
_LONGER = 48
_LINE = 19.0
"""The least distance between two labels."""


@dataclass(frozen=True)
class Tick:
    """A place on an axis, and its label."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """A line.

    Attributes:
        kind: the name of its style.
        points: the value of SVG's attribute `points`.
    """

    kind: str
    points: str


@dataclass(frozen=True)
class Mark:
    """A point, with a bar from low to high if it has one."""

    kind: str
    x: float
    y: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Label:
    """Words beside the end of a line."""

    kind: str
    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """A chart, ready to be drawn.

    Attributes:
        x_name, y_name: the labels of the axes.
        x_ticks, y_ticks: the ticks of the axes.
        lines, marks, labels: what is drawn between the axes.
        right: the width of the margin for the labels.
    """

    x_name: str
    y_name: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    lines: list[Line] = field(default_factory=list[Line])
    marks: list[Mark] = field(default_factory=list[Mark])
    labels: list[Label] = field(default_factory=list[Label])
    right: int = RIGHT


def learning_curve(
    training: Sequence[tuple[float, float]],
    held_out: Sequence[tuple[float, float]],
    levels: Sequence[tuple[str, float]],
    mixed: Sequence[tuple[float, float]] = (),
) -> Chart:
    """Lay out losses against steps, and baselines as level lines.

    Args:
        training: steps and training losses; points that are not finite are left out.
        held_out: steps and held-out losses.
        levels: names and losses of the baselines.
        mixed: steps and held-out losses of the GPT mixed with counts.
    """
    own = f"{ALONE}, " if mixed else ""
    curves = [
        (kind, name, [p for p in points if math.isfinite(p[1])])
        for kind, name, points in (
            ("training", f"{own}training", training),
            ("held-out", f"{own}held out", held_out),
            ("mixed", MIXED, mixed),
        )
    ]
    losses = [y for _, _, points in curves for _, y in points] + [y for _, y in levels]
    last = max([x for _, _, points in curves for x, _ in points], default=1.0)
    low, high = min(losses, default=0.0), max(losses, default=1.0)
    margin = 0.06 * (high - low or 1.0)
    right = RIGHT + (_LONGER if mixed else 0)
    x = _scale(0.0, last, LEFT, WIDTH - right)
    y = _scale(low - margin, high + margin, HEIGHT - BOTTOM, TOP)
    lines = [
        Line("level", f"{LEFT},{y(loss):.1f} {WIDTH - right},{y(loss):.1f}") for _, loss in levels
    ]
    labels = [Label("level", y(loss), f"{name} {figures(loss, 2)}") for name, loss in levels]
    marks: list[Mark] = []
    for kind, name, points in curves:
        if points:
            lines.append(Line(kind, " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in points)))
            labels.append(Label(kind, y(points[-1][1]), f"{name} {figures(points[-1][1], 2)}"))
        if kind != "training":
            marks += [Mark(kind, x(a), y(b)) for a, b in points]
    return Chart(
        "updates", "nats a position",
        [Tick(x(at), f"{at:,.0f}") for at in ticks(0.0, last, 6) if at == int(at)],
        [Tick(y(at), f"{at:.10g}") for at in ticks(low - margin, high + margin, 6)],
        lines, marks, _apart(labels), right,
    )  # fmt: skip


def reliability(bins: Iterable[Bin]) -> Chart:
    """Lay out the share that came true against the predicted probability, both logarithmic."""
    bins = [b for b in bins if b.p > 0]
    least = min([b.p for b in bins] + [b.observed for b in bins if b.hits], default=0.1)
    decades = range(max(math.floor(math.log10(least)), -6), 1)
    place = _scale(float(decades[0]), 0.0, 0.0, 1.0)

    def at(p: float) -> float:
        return min(max(place(math.log10(p)), 0.0), 1.0) if p > 0 else 0.0

    x = _scale(0.0, 1.0, LEFT, WIDTH - RIGHT)
    y = _scale(0.0, 1.0, HEIGHT - BOTTOM, TOP)
    marks = [
        Mark(
            "honest" if b.verdict == "as told" else "off",
            x(at(b.p)), y(at(b.observed)), y(at(b.low)), y(at(b.high)),
        )
        for b in bins
    ]  # fmt: skip
    names = {d: f"{100 * 10.0**d:.10g} %" for d in decades}
    return Chart(
        "told: the probability that the model gave", "came true",
        [Tick(x(place(d)), names[d]) for d in decades],
        [Tick(y(place(d)), names[d]) for d in decades],
        [Line("diagonal", f"{x(0.0)},{y(0.0)} {x(1.0)},{y(1.0)}")],
        marks,
    )  # fmt: skip


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return at most `most` round numbers, evenly spaced from low to high.

    >>> ticks(0.0, 1000.0, 6)
    [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]
    """
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 2.5, 5, 10, 20) if (high - low) / (m * power) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)][:most]


def _scale(low: float, high: float, start: float, stop: float) -> Callable[[float], float]:
    span = high - low or 1.0
    return lambda value: start + (value - low) / span * (stop - start)


def _apart(labels: list[Label]) -> list[Label]:
    """Move labels so that they do not overlap and stay in the box."""
    labels = sorted(labels, key=lambda label: label.y)
    places: list[float] = []
    for label in labels:
        places.append(max(label.y, places[-1] + _LINE if places else TOP))
    bottom = float(HEIGHT - BOTTOM - 4)  # the axis's labels are below
    for i in range(len(places) - 1, -1, -1):
        places[i] = min(places[i], bottom)
        bottom = places[i] - _LINE
    return [Label(label.kind, y, label.text) for label, y in zip(labels, places)]
