"""The cells of a grid: each its mean over seeds, and how it compares with the best one.

In: trials of a grid, each cell trained with the same seeds. Out: a `GridCell` for each.

Of two cells, differences are taken seed by seed: trainings of one seed share the order of the
documents and much of their luck, which the difference takes away. The interval of their mean is
Student's, with n - 1 degrees of freedom.

Source: Student, "The probable error of a mean" (1908); of the distribution function, Abramowitz and
Stegun (1964), 26.7.3 and 26.7.4.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from microgpt.sweep.knob import SEED, Value
from microgpt.sweep.trial import Trial

_SHARE = 0.95


@dataclass(frozen=True)
class Paired:
    """Differences of the losses of two cells, seed by seed.

    Attributes:
        mean: nats a position.
        low: the lower end of the interval of the mean, 95 times of 100.
        high: its upper end; both are nan of one seed.
        n: how many seeds both have.
    """

    mean: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, losses: Mapping[int, float], others: Mapping[int, float]) -> Paired:
        """Compare losses by seed with others.

        >>> Paired.of({1: 2.0, 2: 3.0}, {1: 1.0, 2: 1.0, 3: 9.0}).mean
        1.5
        """
        found = [loss - others[seed] for seed, loss in losses.items() if seed in others]
        n, mean = len(found), statistics.fmean(found) if found else math.nan
        half = math.nan
        if n > 1:
            half = student(_SHARE, n - 1) * statistics.stdev(found) / math.sqrt(n)
        return cls(mean, mean - half, mean + half, n)


@dataclass(frozen=True)
class GridCell:
    """One point of a grid.

    Attributes:
        values: of the knobs.
        losses: held out, by seed, of the trials that came to their end.
        unfinished: how many did not: they diverged, or failed.
        to_best: the differences to the cell of the lowest mean; None: it is this one.
    """

    values: dict[str, Value]
    losses: dict[int, float]
    unfinished: int = 0
    to_best: Paired | None = None

    @property
    def mean(self) -> float:
        """The mean over seeds; nan: none came to its end."""
        return statistics.fmean(self.losses.values()) if self.losses else math.nan

    @property
    def deviation(self) -> float:
        """The standard deviation over seeds (n - 1); nan: there are fewer than two."""
        return statistics.stdev(self.losses.values()) if len(self.losses) > 1 else math.nan

    @property
    def n(self) -> int:
        """How many seeds came to their end."""
        return len(self.losses)


def cells(trials: Iterable[Trial]) -> list[GridCell]:
    """Gather the trials of a grid by cell, in the order of their values.

    The best is the one of the lowest mean, of those whose trials all came to their end.
    """
    gathered: dict[tuple[tuple[str, Value], ...], list[Trial]] = {}
    for trial in trials:
        key = tuple((name, value) for name, value in trial.values.items() if name != SEED)
        gathered.setdefault(key, []).append(trial)
    found: list[GridCell] = []
    for key, its in gathered.items():
        done = sorted((trial for trial in its if trial.outcome == "done"), key=_seed)
        losses = {_seed(trial): trial.loss for trial in done}
        found.append(GridCell(dict(key), losses, len(its) - len(done)))
    found.sort(key=lambda cell: [(str(type(v)), v) for v in cell.values.values()])
    best = best_of(found)
    return [
        cell
        if best is None or cell is best
        else replace(cell, to_best=Paired.of(cell.losses, best.losses))
        for cell in found
    ]


def best_of(found: Iterable[GridCell]) -> GridCell | None:
    """Return the cell of the lowest mean; None: no cell came to its end."""
    whole = [cell for cell in found if cell.losses and not cell.unfinished]
    return min(whole, key=lambda cell: cell.mean, default=None)


def student(share: float, freedom: int) -> float:
    """Return t such that Student's distribution has a share of itself within -t and t.

    >>> round(student(0.95, 4), 3), round(student(0.95, 1), 3)
    (2.776, 12.706)
    """
    low, high = 0.0, 1.0
    while _within(high, freedom) < share:
        high *= 2.0
    for _ in range(100):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _within(middle, freedom) < share else (low, middle)
    return (low + high) / 2.0


def _within(t: float, freedom: int) -> float:
    """Return the probability of a value between -t and t."""
    angle = math.atan(t / math.sqrt(freedom))
    cosine = math.cos(angle)
    # A finite sum: of the even powers of the cosine, or of the odd ones.
    term = 1.0 if freedom % 2 == 0 else cosine
    total = 0.0
    for k in range(2 + freedom % 2, freedom + 1, 2):
        total += term
        term *= cosine * cosine * (k - 1) / k
    if freedom % 2 == 0:
        return math.sin(angle) * total
    return 2.0 / math.pi * (angle + math.sin(angle) * total)


def _seed(trial: Trial) -> int:
    return int(trial.values[SEED])
