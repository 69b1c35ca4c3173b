"""Rows of logits compared with their targets: all that the measures of predictions need of them.

In: logits, targets. Out: `Outcomes`. The native engine computes it in one pass over the logits;
where that engine is missing numpy does, and the results differ by rounding only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgpt.engines import native_compare
from microgpt.engines.contract import Floats
from microgpt.evaluation.calibration import FAR, FINE, log_odds_sums
from microgpt.evaluation.temperature import Integers
from microgpt.loss.many import Softmax

# Logits that numpy works on at once: their arrays fit in a processor's cache.
_NUMBERS = 1 << 16


class Outcomes(NamedTuple):
    """Rows compared with their targets; where a target is unknown, all but `likely_B` is 0.

    Attributes:
        losses_B: nats.
        likely_B: the likeliest token; of equally likely ones the first.
        p_likely_B: its probability.
        p_target_B: the probability of the target.
        squares_B: the sum of the squares of all probabilities.
        sums_4F: over all tokens of the rows with a known target, by log-odds: predictions, targets,
            the sum of p, and that of p squared.
    """

    losses_B: Floats
    likely_B: Integers
    p_likely_B: Floats
    p_target_B: Floats
    squares_B: Floats
    sums_4F: Floats


def compared(logits_NV: Floats, targets_N: Integers, rows_B: Integers) -> Outcomes:
    """Compare some rows of logits with their targets.

    Args:
        logits_NV: finite, and at least one a row.
        targets_N: the targets; negative: unknown.
        rows_B: the indices of the rows to compare.
    """
    if native := native_compare():
        return Outcomes(*native(logits_NV, targets_N, rows_B, FAR, FINE))
    return by_numpy(logits_NV, targets_N, rows_B)


def by_numpy(logits_NV: Floats, targets_N: Integers, rows_B: Integers) -> Outcomes:
    """Compare some rows of logits with their targets, without the native engine.

    >>> found = by_numpy(np.log([[0.8, 0.2]]), np.array([1]), np.array([0]))
    >>> [float(x_B[0].round(4)) for x_B in found[:5]]
    [1.6094, 0.0, 0.8, 0.2, 0.68]
    """
    each, B = max(_NUMBERS // logits_NV.shape[1], 1), len(rows_B)
    found = Outcomes(
        np.zeros(B), np.zeros(B, dtype=np.int64), np.zeros(B), np.zeros(B), np.zeros(B),
        np.zeros((4, FINE)),
    )  # fmt: skip
    for first in range(0, B, each):
        rows_C = rows_B[first : first + each]
        softmax = Softmax(logits_NV[rows_C])
        known = np.flatnonzero(targets_N[rows_C] >= 0)
        at, targets_C = first + known, targets_N[rows_C[known]]
        found.likely_B[first : first + each] = softmax.likely_B
        p_CV = softmax.p_BV[known]
        found.losses_B[at] = softmax.losses(targets_N[rows_C])[known]
        found.p_likely_B[at] = p_CV[np.arange(len(at)), softmax.likely_B[known]]
        found.p_target_B[at] = p_CV[np.arange(len(at)), targets_C]
        found.squares_B[at] = np.einsum("bv,bv->b", p_CV, p_CV)
        found.sums_4F[[0, 2, 3]] += log_odds_sums(p_CV.ravel(), FAR, FINE)
        found.sums_4F[1] += log_odds_sums(found.p_target_B[at], FAR, FINE)[0]
    return found
