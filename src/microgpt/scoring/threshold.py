"""The threshold: the percentile from which on texts are flagged, for a given share of good lines.

In: a `Reference`, a share. Out: a percentile, the same for texts of all lengths; the share of good
lines above it, and an interval for that share.

Good lines are assumed to come from the same source as the file, and to repeat as its lines do.

Source: for new lines, split conformal prediction: a new loss is above the k-th largest of n
held-out ones with probability k / (n + 1) (Vovk, Gammerman and Shafer, "Algorithmic learning in a
random world" (2005), chapter 2); given these n, the share above it has the distribution Beta(k, n +
1 - k) (Vovk, "Conditional validity of inductive conformal predictors" (2012)). For repeating lines,
their share of the file, with its binomial error (Clopper and Pearson 1934). For the share of new
lines, Good (1953), see `repetition`; for its error, McAllester and Schapire, "On the convergence
rate of Good-Turing estimators" (2000).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats
from microgpt.errors import UsageError
from microgpt.scoring.reference import ALIKE, ENOUGH, Ints, Reference
from microgpt.wording import count

ABOVE = 5
"""The fewest texts of a class above the threshold: classes are widened until there are as many."""

_DRAWS = 20_000


@dataclass(frozen=True)
class Threshold:
    """A threshold, and the share of good lines that it flags.

    Attributes:
        usual: the reference of the percentile, with classes wide enough for the rate.
        percentile: texts with this percentile or a higher one are flagged.
        expected: the estimated share of good lines that are flagged.
        low: the lower end of the share's 95 % interval.
        high: the upper end.
    """

    usual: Reference
    percentile: float
    expected: float
    low: float
    high: float

    def flags(self, lengths_D: Ints, means_D: Floats) -> NDArray[np.bool_]:
        """Return which texts are flagged."""
        return self.usual.percentiles(lengths_D, means_D) >= self.percentile

    @property
    def means_C(self) -> Floats:
        """The loss above which texts of each class are flagged: half way between two usual texts'.

        Infinity: no text of the class is flagged.
        """
        usual, found = self.usual, list[float]()
        for c, (first, stop) in enumerate(pairwise(usual.firsts_C.tolist())):
            reach_D = np.arange(first + 1, stop + 1, dtype=np.int64)
            above_D = usual.above(np.full_like(reach_D, c), reach_D) >= self.percentile
            if not above_D.any():
                found.append(math.inf)
                continue
            last = first + int(above_D.argmax())
            after = usual.means_D[last + 1] if last + 1 < stop else usual.means_D[last] + 2 * ALIKE
            found.append(float(usual.means_D[last] + after) / 2)
        return np.array(found)


@dataclass(frozen=True, eq=False)
class _Cuts:
    """The E places between two losses of a class at which a threshold can cut it.

    Attributes:
        classes_E: the class.
        percentiles_E: the percentile of losses above the cut.
        n_E: the number of new texts in the class.
        new_E: the number of new texts above the cut.
        is_new_E: whether the text just below the cut is new.
        lines_E: the number of repeating lines above the cut.
        pairs_E: of these, the number of lines whose text occurs twice.
    """

    classes_E: Ints
    percentiles_E: Floats
    n_E: Ints
    new_E: Ints
    is_new_E: NDArray[np.bool_]
    lines_E: Ints
    pairs_E: Ints

    @classmethod
    def of(cls, usual: Reference) -> _Cuts:
        """Find all cuts, class by class, by ascending loss."""
        # Texts with equal losses are on the same side of any cut.
        apart = (np.diff(usual.means_D) > ALIKE) | (np.diff(usual.classes_D) > 0)
        at_E = np.flatnonzero(np.append(apart, True)) + 1
        classes_E = usual.classes_D[at_E - 1]
        start_E, stop_E = usual.firsts_C[classes_E], usual.firsts_C[classes_E + 1]
        new, lines, pairs = (
            np.concatenate([[0], np.cumsum(values_D)])
            for values_D in (
                usual.lines_D == 0,
                usual.lines_D,
                np.where(usual.lines_D == 2, 2, 0),
            )
        )
        cheaper_E = usual.cheaper(classes_E, usual.means_D[at_E - 1])
        return cls(
            classes_E,
            usual.above(classes_E, at_E),
            new[stop_E] - new[start_E],
            new[stop_E] - new[at_E],
            new[at_E] > new[cheaper_E],
            lines[stop_E] - lines[at_E],
            pairs[stop_E] - pairs[at_E],
        )

    def shares(self, usual: Reference) -> Floats:
        """Return for each cut the share of good lines that belong to its class and lie above it."""
        share_of_new = usual.repetition.once / usual.repetition.lines
        # The next new text lies in each of the n + 1 gaps between new texts with equal probability;
        # a cut inside a gap counts half of it.
        k_E = self.new_E + np.where(self.is_new_E, 1.0, 0.5)
        new_E = self.n_E / max(usual.new, 1) * k_E / (self.n_E + 1)
        lines_E = self.lines_E / max(int(usual.lines_D.sum()), 1)
        return share_of_new * new_E + (1.0 - share_of_new) * lines_E


def threshold(usual: Reference, rate: float) -> Threshold:
    """Choose the percentile at which about this share of good lines is flagged.

    Args:
        usual: the reference.
        rate: the share, in (0, 1).

    Raises:
        UsageError: the share is out of its range, or the documents are too few for it.
    """
    if not 0.0 < rate < 1.0:
        raise UsageError(f"flag-rate must be above 0 and below 1; got {rate:g}.")
    total = float(usual.weights_C.sum())
    if rate * (total + 1.0) < 1.0:
        raise UsageError(
            f"flag-rate must be at least 1/{math.floor(total) + 1} with "
            f"{count(usual.new, 'held-out document')}; got {rate:g}. Try a higher rate, or hold "
            "out more of them."
        )
    usual = usual.with_classes_of(max(ENOUGH, ABOVE / rate))
    cuts = _Cuts.of(usual)
    share_E = cuts.shares(usual)
    # The share of each cut alone: the next cut of the class counts the losses above it.
    is_last_E = np.append(np.diff(cuts.classes_E) > 0, True)
    more_E = share_E - np.where(is_last_E, 0.0, np.append(share_E[1:], 0.0))
    order = np.argsort(-cuts.percentiles_E, kind="stable")
    percentiles, expected = cuts.percentiles_E[order], np.cumsum(more_E[order])
    # Cuts of several classes with equal percentiles are one threshold.
    apart = np.flatnonzero(np.append(np.diff(percentiles) < 0.0, True))
    chosen = apart[np.argmin(np.abs(expected[apart] - rate))]
    is_above_E = cuts.percentiles_E >= percentiles[chosen]
    lowest = is_above_E & np.append(True, is_last_E[:-1] | ~is_above_E[:-1])
    low, high = _interval(usual, cuts, np.flatnonzero(lowest))
    return Threshold(usual, float(percentiles[chosen]), float(expected[chosen]), low, high)


def promise(usual: Reference, found: Threshold, rate: float) -> str:
    """Say what share of good lines a threshold flags, estimated from what, assuming what.

    Args:
        usual: the texts by which the threshold was chosen.
        found: the threshold.
        rate: the share that was asked for.
    """
    repetition, by = usual.repetition, count(usual.new, "held-out document")
    repeating = repetition.lines - repetition.once
    if repeating:
        by = f"{by} whose text is there once and {count(repeating, 'line')} whose text repeats,"
    is_one = len(found.usual.weights_C) == 1
    said = (
        f"Of good lines {found.expected:.2%} will be flagged ({found.low:.2%} to {found.high:.2%}, "
        f"95 times of 100), judging by {by} of {'all' if is_one else 'similar'} lengths, if good "
        f"lines come from where these did{' and repeat as they did' if repeating else ''}."
    )
    enough = math.ceil(ABOVE / rate)
    if is_one and enough > ENOUGH and (len(usual.weights_C) > 1 or len(usual) < enough):
        said += f" So low a rate takes {enough:,} texts of a length: all are judged together."
    return said


def _interval(usual: Reference, cuts: _Cuts, which: Ints) -> tuple[float, float]:
    """Return the 2.5 % and 97.5 % quantiles of the share of good lines above one cut a class."""
    lines, once = usual.repetition.lines, usual.repetition.once
    known, pairs = int(cuts.lines_E[which].sum()), int(cuts.pairs_E[which].sum())
    drawn = int(usual.lines_D.sum())
    found: list[float] = []
    # As in Clopper and Pearson's interval, the counts are taken as they are for the lower end and
    # one higher for the upper end.
    for more, quantile in ((0, 0.025), (1, 0.975)):
        rng = np.random.default_rng(0)
        above = np.full(_DRAWS, 0.0 if usual.new else float(more))
        for i in which.tolist():
            n, k = int(cuts.n_E[i]), int(cuts.new_E[i]) + (1 if cuts.is_new_E[i] else more)
            if n:
                above += n / usual.new * _drawn(rng, k, n + 1 - k)
        if once < lines:
            share = _drawn(rng, once + more, lines - once, 2 * usual.repetition.twice)
            above = share * above + (1.0 - share) * _drawn(rng, known + more, drawn - known, pairs)
        found.append(float(np.quantile(above, quantile)))
    return found[0], found[1]


def _drawn(rng: np.random.Generator, hits: float, misses: float, extra: float = 0.0) -> Floats:
    """Draw a share from its Beta distribution; `extra` is variance of the hits beyond binomial."""
    if hits <= 0 or misses <= 0:
        return np.full(_DRAWS, float(hits > 0))
    own = hits * misses / (hits + misses)
    each = own / (own + extra)
    return rng.beta(hits * each, misses * each, _DRAWS)
