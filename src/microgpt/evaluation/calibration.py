"""Calibration: do a fifth of the predictions that have a probability of 20 % come true?

In: probabilities, and the tokens that came. Out: a reliability diagram with bins of equal mass, and
the expected calibration error. Memory is the same for any number of predictions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats

BINS = 20
"""Bins of the diagram, with equally many predictions each."""

GROUPS = 20
"""Groups of texts for the jackknife: each is left out once, to estimate the error's variance."""

FINE, FAR = 4000, 40.0
"""Predictions are counted in fine bins of log-odds from -FAR to FAR; the diagram's join these."""

# The 97.5 % quantile of Student's t with 1, 2, ... degrees of freedom: few texts make few groups.
_T = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
    2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093,
)  # fmt: skip


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same probability.

    Attributes:
        predictions: how many.
        hits: how many of them came true.
        p: the mean of their probabilities.
        low: the lower end of Wilson's 95 % interval for the share that comes true.
        high: the upper end.
        least: the lowest probability that belongs to the bin.
        most: the probability above these.
    """

    predictions: int
    hits: int
    p: float
    low: float
    high: float
    least: float = 0.0
    most: float = 1.0

    @property
    def observed(self) -> float:
        """The share that came true."""
        return self.hits / self.predictions

    @property
    def verdict(self) -> str:
        """Whether they come true "less" or "more" than p says, or "as told" (p in the interval)."""
        if self.low <= self.p <= self.high:
            return "as told"
        return "less" if self.observed < self.p else "more"


@dataclass(frozen=True)
class Calibration:
    """A reliability diagram, and the mean gap in it.

    Attributes:
        bins: by ascending probability.
        error: the expected calibration error, sum_b (n_b / n) |p_b - observed_b|.
        low: the lower end of its 95 % interval, by the jackknife; 0 if there is one group of texts.
        high: the upper end.
        chance: the expected error of a perfectly calibrated model, which is not 0 by chance.
    """

    bins: tuple[Bin, ...]
    error: float
    low: float
    high: float
    chance: float


class Reliability:
    """Counts predictions, and those that come true.

    Attributes:
        sums_GF4: for each group of texts and bin of log-odds: predictions, hits, the sum of p, and
            that of p squared.

    Source: expected calibration error, Naeini, Cooper and Hauskrecht, "Obtaining well calibrated
    probabilities using Bayesian binning" (AAAI 2015); bins of equal mass, Nguyen and O'Connor
    (EMNLP 2015); the jackknife over groups, Kott, "The delete-a-group jackknife" (2001).

    >>> seen = Reliability()
    >>> seen.add(np.full((100, 1), 0.25), hits=np.arange(20), group=0)
    >>> round(seen.calibration().error, 3)
    0.05
    """

    def __init__(self) -> None:
        self.sums_GF4: Floats = np.zeros((GROUPS, FINE, 4))

    def add(self, p_BV: Floats, hits: NDArray[np.integer], group: int) -> None:
        """Count predictions.

        Args:
            p_BV: the probability of each.
            hits: the indices, in the flattened p_BV, of those that came true.
            group: the group of texts that they belong to.
        """
        p_N = p_BV.ravel()
        sums_F4 = self.sums_GF4[group]
        sums_F4[:, [0, 2, 3]] += np.transpose(log_odds_sums(p_N, FAR, FINE))
        sums_F4[:, 1] += log_odds_sums(p_N[hits], FAR, FINE)[0]

    def calibration(self) -> Calibration:
        """Return the diagram of all predictions."""
        *counts_3GF, squares_GF = np.moveaxis(self.sums_GF4, 2, 0)
        n = counts_3GF[0].sum(axis=0)
        if not n.sum():
            return Calibration((), math.nan, math.nan, math.nan, math.nan)
        # The bin of each fine bin, by the share of predictions below its middle.
        share = (np.cumsum(n) - n / 2) / n.sum()
        which = np.minimum((share * BINS).astype(np.int64), BINS - 1)
        n_GB, hits_GB, p_GB = (
            np.stack([np.bincount(which, row, BINS) for row in counts]) for counts in counts_3GF
        )

        def error(kept: Floats) -> float:
            gaps = np.abs(kept @ p_GB - kept @ hits_GB).sum()
            return float(gaps / max((kept @ n_GB).sum(), 1.0))

        everything = np.ones(GROUPS)
        found = error(everything)
        used = np.flatnonzero(n_GB.sum(axis=1))
        without = np.array([error(everything - np.eye(GROUPS)[g]) for g in used])
        k = len(used)
        spread = 1.0
        if k > 1:
            squares = float(((without - without.mean()) ** 2).sum())
            spread = _T[k - 2] * math.sqrt((k - 1) / k * squares)
        variances = p_GB.sum(axis=0) - np.bincount(which, squares_GF.sum(axis=0), BINS)
        chance = math.sqrt(2 / math.pi) * float(np.sqrt(np.maximum(variances, 0.0)).sum()) / n.sum()
        edges: list[float] = _edge(np.searchsorted(which, np.arange(BINS + 1))).tolist()
        sums = n_GB.sum(axis=0), hits_GB.sum(axis=0), p_GB.sum(axis=0)
        bins = tuple(
            Bin(int(m), int(h), float(p / m), *wilson(float(h), float(m)), *ends)
            for m, h, p, ends in zip(*sums, pairwise(edges))
            if m
        )
        low, high = max(found - spread, 0.0), min(found + spread, 1.0)
        return Calibration(bins, found, low, high, float(chance))


def _edge(fine: NDArray[np.integer]) -> Floats:
    """Return the lowest probability of each of these fine bins; above 1 for what follows the last.

    >>> _edge(np.array([0, FINE // 2, FINE])).round(2).tolist()
    [0.0, 0.5, 2.0]
    """
    p: Floats = 1.0 / (1.0 + np.exp(FAR - fine * (2 * FAR / (FINE - 1))))
    p[fine == 0] = 0.0
    p[fine == FINE] = 2.0
    return p


def log_odds_sums(p_N: Floats, far: float, bins: int) -> Floats:
    """Sum up predictions in bins of their log-odds, ln(p / (1 - p)).

    Args:
        p_N: the probabilities.
        far: log-odds are clipped to -far and far.
        bins: of equal width from -far to far.

    Returns:
        For each bin, in three rows: how many there are, the sum of p, and that of p squared.

    >>> log_odds_sums(np.array([0.5, 0.5, 1.0]), far=3.0, bins=3).tolist()
    [[0.0, 2.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.5, 1.0]]
    """
    # Log-odds of a probability of 0 or 1 are infinite; they are clipped.
    work_N = 1.0 - p_N
    with np.errstate(divide="ignore"):
        np.log(np.divide(p_N, work_N, out=work_N), out=work_N)
    work_N.clip(-far, far, out=work_N)
    work_N += far
    work_N *= (bins - 1) / (2 * far)
    bin_N = work_N.astype(np.int64)
    np.multiply(p_N, p_N, out=work_N)
    sums_3F: Floats = np.zeros((3, bins))
    sums_3F[0] = np.bincount(bin_N, minlength=bins)
    sums_3F[1:] = np.bincount(bin_N, p_N, bins), np.bincount(bin_N, work_N, bins)
    return sums_3F


def wilson(hits: float, n: float, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval (for z = 1.96) of a share of which `hits` of n were observed.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22
    (1927).

    >>> [round(x, 3) for x in wilson(20, 100)]
    [0.133, 0.289]
    """
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)
