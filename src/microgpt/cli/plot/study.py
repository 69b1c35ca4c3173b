"""Bands of a study in the terminal: means with bars of one standard deviation.

In: bands. Out: lines of text.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from microgpt.cli.plot.canvas import LabelledLine, draw_lines
from microgpt.cli.plot.picture import is_log
from microgpt.cli.terminal.colours import LINES
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.runs.bands import STEP, Band
from microgpt.wording import figures, printable

# More numbers than these are in the picture alone.
_ROWS = 40


def draw(found: Sequence[Band], x: str, y: str, over: str) -> None:
    """Draw bands on the terminal, and below them the numbers."""
    places = [place for band in found for place in band.x_P.tolist()]
    scaled, back = (math.log10, _power) if is_log(x, places) else (float, float)
    lines = [
        LabelledLine(
            printable(band.name),
            LINES[i % (len(LINES) - 1)],
            [scaled(place) for place in band.x_P.tolist()],
            band.mean_P.tolist(),
            [
                (scaled(place), mean - deviation, mean + deviation)
                for place, mean, deviation in zip(
                    band.x_P.tolist(), band.mean_P.tolist(), band.deviation_P.tolist()
                )
                if deviation and x != STEP
            ],
        )
        for i, band in enumerate(found)
    ]
    first, last = scaled(min(places)), scaled(max(places))
    edge = 0.03 * (last - first) or 1.0
    means = [mean for line in lines for mean in line.y]
    margin = 0.05 * (max(means) - min(means)) or 0.05
    draw_lines(lines, x, y, (first - edge, last + edge), back, margin)
    if len(places) > _ROWS:
        return
    say()
    is_repeated = any(band.n_P.max() > 1 for band in found)
    rows = table("", x, y, *(["sd", "n"] if is_repeated else []))
    for band in found:
        numbers = (band.x_P, band.mean_P, band.deviation_P, band.n_P)
        for place, mean, deviation, n in zip(*(array.tolist() for array in numbers)):
            more = [figures(deviation), f"{n:.0f}"] if is_repeated else []
            rows.add_row(printable(band.name), f"{place:g}", figures(mean), *more)
    stdout().print(rows)
    if is_repeated:
        say(f"{y}: the mean of n runs that differ in {over}; sd: their standard deviation", "quiet")


def _power(exponent: float) -> float:
    return 10.0**exponent
