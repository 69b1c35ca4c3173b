"""Scoring rules: other measures of a prediction, and whether each is proper.

In: probabilities of targets, sums of squares. Out: the mean of each rule. A rule is *proper* if the
expected score is best when the true probabilities are stated; *strictly* proper if it is worse for
all others.

Source: Gneiting and Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 102
(2007).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from microgpt.engines.contract import Floats


@dataclass(frozen=True)
class Rule:
    """A measure of predictions.

    Attributes:
        name: its usual name.
        formula: of the probabilities p and the target t.
        better: "lower" or "higher".
        proper: "strictly proper", "proper" or "not proper".
        source: the reference.
    """

    name: str
    formula: str
    better: str
    proper: str
    source: str


RULES = (
    Rule("log loss", "-log p[t]", "lower", "strictly proper", "Good 1952"),
    Rule("Brier score", "sum (p - onehot[t])^2", "lower", "strictly proper", "Brier 1950"),
    Rule("spherical score", "p[t] / |p|", "higher", "strictly proper", "Roby 1965"),
    Rule(
        "accuracy", "1 if p[t] is largest", "higher", "proper, not strictly",
        "the zero-one score; Gneiting and Raftery 2007, section 3.1",
    ),
    Rule(
        "calibration error", "mean |p - observed|", "lower", "no score of single predictions",
        "Naeini et al. 2015; 0 for whoever always tells the averages",
    ),
)  # fmt: skip


class Marks:
    """Sums of the rules over all predictions.

    >>> marks = Marks()
    >>> marks.add(np.array([0.8]), np.array([0.8**2 + 0.2**2]))
    >>> round(marks.brier, 4), round(marks.spherical, 4)
    (0.08, 0.9701)
    """

    def __init__(self) -> None:
        self._n, self._brier, self._spherical = 0, 0.0, 0.0

    def add(self, p_B: Floats, squares_B: Floats) -> None:
        """Add predictions.

        Args:
            p_B: the probability of each target.
            squares_B: the sum of the squares of all tokens' probabilities.
        """
        self._n += len(p_B)
        self._brier += float((squares_B - 2.0 * p_B + 1.0).sum())
        self._spherical += float((p_B / np.sqrt(squares_B)).sum())

    @property
    def brier(self) -> float:
        """The mean squared distance to the one-hot target: 0 at best, 2 at worst."""
        return self._brier / self._n if self._n else math.nan

    @property
    def spherical(self) -> float:
        """The mean cosine of the angle to the one-hot target: 1 at best, 0 at worst."""
        return self._spherical / self._n if self._n else math.nan
