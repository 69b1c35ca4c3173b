"""The learning curves of runs in the terminal.

In: curves and level lines. Out: lines of text, with each curve's name at its end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from microgpt.cli.plot.canvas import LabelledLine, draw_lines
from microgpt.cli.terminal.colours import LINES
from microgpt.cli.terminal.say import say
from microgpt.runs.curves import Curves
from microgpt.wording import MIXED, figures, heldout, printable

_GREY = LINES[-1]
# With more runs than this, held-out losses are only printed below the chart.
_FEW = 3


def draw(curves: Sequence[Curves], levels: Mapping[str, float]) -> None:
    """Draw curves, and level lines, on the terminal."""
    lines = _lines(curves, levels)
    draw_lines(lines, "step", "nats", (0, max(1.0, *(line.x[-1] for line in lines))))
    say()
    for c in curves:
        mixed = c.mixed[-1][1] if c.mixed else None
        held = f" · {heldout('held out', c.heldout[-1][1], mixed)}" if c.heldout else ""
        say(f"{c.name}: {figures(c.losses[0])} -> {figures(c.losses[-1])} nats a {c.unit}{held}")
    if levels:
        say("Level lines: " + " · ".join(f"{n} {v:.2f}" for n, v in levels.items()))


def _lines(curves: Sequence[Curves], levels: Mapping[str, float]) -> list[LabelledLine]:
    last = max(curve.steps[-1] for curve in curves)
    lines = [
        LabelledLine(name, _GREY, (0, max(last, 1)), (loss, loss)) for name, loss in levels.items()
    ]
    for i, curve in enumerate(curves):
        name, colour = printable(Path(curve.name).name), LINES[i % (len(LINES) - 1)]
        lines.append(LabelledLine(name, colour, curve.steps, curve.losses))
        whose = f"{name}, " if len(curves) > 1 else ""
        held = LINES[(i + _FEW) % (len(LINES) - 1)]
        for what, points in ((curve.own, curve.heldout), (MIXED, curve.mixed)):
            if len(points) > 1 and len(curves) <= _FEW:
                steps, losses = zip(*points)
                lines.append(LabelledLine(f"{whose}{what}", held, steps, losses))
    return lines
