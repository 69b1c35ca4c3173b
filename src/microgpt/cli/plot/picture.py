"""The pictures of `microgpt plot`, for a .png or .svg file.

In: learning curves and level lines, or bands. Out: a figure of matplotlib.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from microgpt.cli.terminal.pictures import COLOURS
from microgpt.runs.bands import STEP, Band
from microgpt.runs.curves import Curves
from microgpt.wording import ALONE, MIXED, printable

# More curves than this have their names below the picture; the longest name shown.
_INSIDE, _LONGEST = 6, 60
_DASHES = ("-", "--", "-.", ":")
# With at most this many places, each has a mark and a tick.
_MARKED = 12
# Places whose ratio is larger have a logarithmic axis.
_WIDE = 8.0


def curves_picture(curves: Sequence[Curves], levels: Mapping[str, float]) -> Any:
    """Return a figure of curves, whose height grows with the number of names below it."""
    from matplotlib.figure import Figure

    columns, below = _below([curve.name for curve in curves])
    figure: Any = Figure(figsize=(8, 4.5 + 0.2 * below), layout="constrained")
    axes = figure.add_subplot(xlabel="step", ylabel=f"loss (nats a {curves[0].unit})")
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
    _legend(figure, axes, columns)
    return figure


def bands_picture(found: Sequence[Band], x: str, y: str, over: str) -> Any:
    """Return a figure of means with bands of one standard deviation.

    Args:
        found: the bands.
        x: the label of their axis.
        y: the label of their axis.
        over: what is averaged over.
    """
    from matplotlib.figure import Figure

    columns, below = _below([band.name for band in found])
    figure: Any = Figure(figsize=(8, 4.5 + 0.2 * below), layout="constrained")
    axes = figure.add_subplot(xlabel=x, ylabel=y)
    for i, band in enumerate(found):
        colour, dash = COLOURS[i % len(COLOURS)], _DASHES[i // len(COLOURS) % len(_DASHES)]
        marker = "o" if len(band.x_P) <= _MARKED else None
        axes.plot(
            band.x_P, band.mean_P, dash, color=colour, marker=marker, markersize=4,
            label=_named(band.name),
        )  # fmt: skip
        if band.deviation_P.any():
            low, high = band.mean_P - band.deviation_P, band.mean_P + band.deviation_P
            axes.fill_between(band.x_P, low, high, color=colour, alpha=0.18, linewidth=0)
    places = sorted({place for band in found for place in band.x_P.tolist()})
    if is_log(x, places):
        axes.set_xscale("log")
    if len(places) <= _MARKED:
        axes.set_xticks(places, [f"{place:g}" for place in places])
        axes.minorticks_off()
    most = max(int(band.n_P.max()) for band in found)
    if most > 1:
        axes.set_title(f"mean and standard deviation over {over}, n = {most}", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    _legend(figure, axes, columns)
    return figure


def is_log(x: str, places: Sequence[float]) -> bool:
    """Return whether places on an axis are better shown by their logarithms.

    >>> is_log("lr", [0.001, 0.01, 0.1]), is_log("seed", [1, 2, 3]), is_log("dropout", [0, 100])
    (True, False, False)
    """
    return x != STEP and min(places) > 0 and max(places) >= _WIDE * min(places)


def _below(names: Sequence[str]) -> tuple[int, int]:
    """Return the columns and the rows of a legend below the axes; 0 and 0: it stands inside."""
    if len(names) <= _INSIDE:
        return 0, 0
    columns = max(1, 100 // (min(_LONGEST, max(map(len, names))) + 8))
    return columns, math.ceil((len(names) + 1) / columns)


def _legend(figure: Any, axes: Any, columns: int) -> None:
    if columns:
        legend = figure.legend(loc="outside lower center", ncols=columns, frameon=False, fontsize=8)
    else:
        legend = axes.legend(frameon=False)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a $ in a folder's name begins no formula


def _named(name: str) -> str:
    """Return a name for a legend: cut, and without the leading "_" that matplotlib hides."""
    name = printable(f"./{name}" if name.startswith("_") else name)
    return name if len(name) <= _LONGEST else f"…{name[-_LONGEST:]}"
