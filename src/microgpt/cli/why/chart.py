"""The curves of `microgpt why --train`: in the terminal, and as a picture.

In: an experiment and its curves. Out: three panels, one measure each; the picture has a row of
panels for plain steps and one for the recipe's optimizer. Steps, nats and lengths of gradients are
on logarithmic axes, because most changes come early and differences are factors.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from microgpt.cli.terminal.colours import LINES
from microgpt.cli.terminal.console import stdout, width
from microgpt.cli.terminal.pictures import COLOURS, write_picture
from microgpt.cli.terminal.say import say
from microgpt.cli.why.sentences import Curves
from microgpt.experiment import Experiment, Point
from microgpt.loss import OBJECTIVES

# Curves differ by colour, and also by marks on a terminal and by dashes in a picture.
_MARKS = "o+x"
_DASHES = ("-", "--", "-.")


@dataclass(frozen=True)
class _Panel:
    title: str
    value: Callable[[Point], float]
    logarithmic: bool
    format: str

    def height(self, point: Point) -> float:
        """Return the height of a point on the axis."""
        value = self.value(point)
        # A slope of 0 has no logarithm; it is drawn as the least that float32 has.
        return math.log10(max(value, 1e-38)) if self.logarithmic else value

    def label(self, height: float, _: float = 0.0) -> str:
        """Return the label of the axis at a height."""
        return self.format.format(10**height if self.logarithmic else height)


_PANELS = (
    _Panel("nats", lambda point: point.loss, True, "{:.2f}"),
    _Panel("right", lambda point: point.accuracy, False, "{:.0%}"),
    _Panel("slope", lambda point: point.slope, True, "{:.1e}"),
)
_TITLES = {
    "nats": "Held out: nats a character",
    "right": "The likeliest character came",
    "slope": "Length of the slope",
}


def draw(curves: Curves, prepared: Experiment) -> None:
    """Draw each measure against the step on the terminal."""
    import plotille  # pyright: ignore[reportMissingTypeStubs]

    last = math.log10(prepared.marks[-1] + 1)
    for panel in _PANELS:
        figure: Any = plotille.Figure()
        figure.width, figure.height = max(20, min(width() - 22, 70) // 10 * 10), 9
        figure.with_colors, figure.color_mode = stdout().is_terminal, "byte"
        figure.x_label, figure.y_label = "step", panel.title
        figure.x_ticks_fkt, figure.y_ticks_fkt = _step, panel.label
        heights = [panel.height(point) for points in curves.values() for point in points]
        room = (max(heights) - min(heights) or 1.0) * 0.05
        figure.set_x_limits(min_=0.0, max_=last)
        figure.set_y_limits(min_=min(heights) - room, max_=max(heights) + room)
        for points, colour, mark in zip(curves.values(), LINES, _MARKS):
            steps = [math.log10(point.step + 1) for point in points]
            figure.plot(steps, [panel.height(p) for p in points], lc=colour, marker=mark)
        for row in figure.show(legend=False).split("\n"):
            say(Text.from_ansi(row))
    say("   ".join(f"{mark} {OBJECTIVES[name].formula}" for name, mark in zip(curves, _MARKS)))


def save(path: Path, curves: dict[bool, Curves], prepared: Experiment) -> None:
    """Draw all curves into a .png or .svg file, written atomically."""
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(10, 5.6), layout="constrained")
    own = "Adam" if prepared.training.optimizer == "adam" else "Muon"
    for row, (plain, of) in zip(figure.subplots(2, 3, sharex=True), curves.items()):
        for axes, panel in zip(row, _PANELS):
            _draw_panel(axes, panel, of)
            if plain:
                axes.set_title(_TITLES[panel.title], fontsize=10)
            else:
                axes.set_xlabel("step")
        row[0].set_ylabel("plain steps" if plain else own)
        blind = prepared.baselines["uniform"].mean
        row[0].axhline(blind, color="0.55", linewidth=1, linestyle=":")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    write_picture(path, figure)


def _draw_panel(axes: Any, panel: _Panel, curves: Curves) -> None:
    from matplotlib.ticker import LogLocator, PercentFormatter

    for (name, points), colour, dash in zip(curves.items(), COLOURS, _DASHES):
        steps = [point.step for point in points]
        values = [panel.value(point) for point in points]
        axes.plot(steps, values, dash, color=colour, label=OBJECTIVES[name].formula)
    axes.set_xscale("symlog", linthresh=1)
    axes.set_xlim(left=0)
    axes.xaxis.set_major_formatter("{x:g}")
    if panel.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("")
    else:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.spines[["top", "right"]].set_visible(False)


def _step(height: float, _: float) -> str:
    """Return the label of the axis of steps at a place."""
    return f"{10**height - 1:.0f}"
