"""The loss at many positions at once, in numpy: for evaluation, which needs no gradient.

In: logits of some positions. Out: their softmax, its logarithms and losses; the tests compare these
with `cross_entropy`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Softmax:
    """The softmax of B rows of logits; probabilities and logarithms are computed on request.

    The largest logit of a row is subtracted first, as in `cross_entropy`: nothing overflows. A
    target whose probability is within 1e-16 of 1 costs 0.

    Attributes:
        likely_B: the likeliest token of each row; of equally likely ones the first.
        shifted_BV: the logits minus the largest of their row.
        exps_BV: exp(shifted_BV).
        sums_B1: the sum of each row of exps_BV.

    >>> two = Softmax(np.array([[0.0, 0.0, -np.inf]]))
    >>> two.p_BV, two.log_p_BV.round(4), two.losses(np.array([1])).round(4)
    (array([[0.5, 0.5, 0. ]]), array([[-0.6931, -0.6931,    -inf]]), array([0.6931]))
    """

    def __init__(self, logits_BV: Floats) -> None:
        self.likely_B = logits_BV.argmax(axis=1)
        self._rows = np.arange(len(logits_BV))
        self.shifted_BV = logits_BV - logits_BV[self._rows, self.likely_B][:, None]
        self.exps_BV = np.exp(self.shifted_BV)
        self.sums_B1 = self.exps_BV.sum(axis=1, keepdims=True)

    @property
    def p_BV(self) -> Floats:
        """The probabilities."""
        return self.exps_BV / self.sums_B1

    @property
    def log_p_BV(self) -> Floats:
        """Their logarithms, in nats."""
        return self.shifted_BV - np.log(self.sums_B1)

    def losses(self, targets_B: NDArray[np.integer]) -> Floats:
        """Return -log p[target] of each row, in nats."""
        return np.log(self.sums_B1[:, 0]) - self.shifted_BV[self._rows, targets_B]
