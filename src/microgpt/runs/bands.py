"""The pictures of studies: a result against a setting, a line a group, a band over repetitions.

In: runs as rows. Out: `Band`s: at each x the mean over the runs there and their standard deviation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microgpt.engines.contract import Floats
from microgpt.errors import UsageError
from microgpt.runs.learning import Learning
from microgpt.runs.run import Run
from microgpt.runs.table import Row, check_columns, is_missing, is_number, order

STEP = "step"
"""The x of learning curves, which is no column."""

CURVES = ("loss", "heldout")
"""What can be drawn against steps: the training loss, and the GPT's held-out loss."""

# A learning curve has at most so many points.
_POINTS = 60


@dataclass(frozen=True, eq=False)
class Band:
    """A line of means, and how far runs lie from it.

    Attributes:
        name: what its runs have in common, such as "n_embd 32".
        x_P: of its points, ascending.
        mean_P: over the runs there.
        deviation_P: the standard deviation of these runs (n - 1); 0 where there is one.
        n_P: how many runs there are.
    """

    name: str
    x_P: Floats
    mean_P: Floats
    deviation_P: Floats
    n_P: Floats

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        names = ("x", "mean", "deviation", "n")
        arrays = (self.x_P, self.mean_P, self.deviation_P, self.n_P)
        return {"name": self.name, **{n: a.tolist() for n, a in zip(names, arrays)}}


def bands(rows: Sequence[Row], x: str, y: str, by: Sequence[str] = ()) -> list[Band]:
    """Group runs into lines.

    Args:
        rows: of runs.
        x: a column of numbers; or "step", for learning curves.
        y: a column of numbers; of learning curves "loss" or "heldout".
        by: columns; runs in which they differ are on different lines.

    Raises:
        UsageError: there is no such column, or it has no numbers.
    """
    check_columns(rows, (*(() if x == STEP else (x,)), y, *by))
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: [order(row.get(name)) for name in by]):
        name = ", ".join(f"{name} {_text(row.get(name))}" for name in by) or y
        groups.setdefault(name, []).append(row)
    if x == STEP:
        if y not in CURVES:
            raise UsageError(f'y must be {" or ".join(CURVES)} where x is step; got "{y}".')
        drawn = [_learning(name, its, y) for name, its in groups.items()]
    else:
        for column in (x, y):
            if not any(is_number(row.get(column)) for row in rows):
                raise UsageError(f"{column} must be a column of numbers; got none in these runs.")
        drawn = [_against(name, its, x, y) for name, its in groups.items()]
    found = [band for band in drawn if len(band.x_P)]
    if not found:
        raise UsageError(f"{y} must be known of some runs; got none. Train them first.")
    return found


def varying(rows: Sequence[Row], known: Iterable[str], results: Iterable[str]) -> list[str]:
    """Return the settings, but for known ones, in which runs of one point differ.

    Args:
        rows: of runs.
        known: columns that make the points and lines.
        results: columns that are no settings.
    """
    points: dict[str, list[Row]] = {}
    for row in rows:
        points.setdefault(repr([row.get(name) for name in known]), []).append(row)
    names = {name: None for row in rows for name in row if name not in (*known, *results)}
    return [
        name
        for name in names
        if any(its[0].get(name) != row.get(name) for its in points.values() for row in its)
    ]


def _against(name: str, rows: Sequence[Row], x: str, y: str) -> Band:
    points: dict[float, list[float]] = {}
    for row in rows:
        if is_number(row.get(x)) and is_number(row.get(y)) and not is_missing(row[y]):
            points.setdefault(float(row[x]), []).append(float(row[y]))
    return _band(name, dict(sorted(points.items())))


def _learning(name: str, rows: Sequence[Row], y: str) -> Band:
    """Join learning curves at the steps of the one that has fewest points, up to the first end."""
    curves: list[tuple[Sequence[float], Sequence[float]]] = []
    for row in rows:
        learning = Learning.of(Run(row["run"]).log, _POINTS)
        curve = learning.training if y == "loss" else learning.held_out
        if curve:
            steps, losses = zip(*curve)
            curves.append((steps, losses))
    if not curves:
        return _band(name, {})
    end = min(steps[-1] for steps, _ in curves)
    points = [step for step in min((steps for steps, _ in curves), key=len) if step <= end]
    values = [np.interp(points, steps, losses).tolist() for steps, losses in curves]
    return _band(name, dict(zip(points, zip(*values))))


def _band(name: str, points: Mapping[float, Sequence[float]]) -> Band:
    return Band(
        name,
        np.array([*points], dtype=float),
        np.array([np.mean(values) for values in points.values()], dtype=float),
        np.array([np.std(v, ddof=1) if len(v) > 1 else 0.0 for v in points.values()], dtype=float),
        np.array([len(values) for values in points.values()], dtype=float),
    )


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
