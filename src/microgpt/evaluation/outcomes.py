"""Logits compared with their targets: all that the measures of predictions need of them.

In: logits, targets. Out: `Outcomes`, and predictions added to two diagrams. The native engine does
it in one pass over the logits; where that engine is missing numpy does, and the results differ by
rounding only.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from microgpt.engines.compiled import native_compare
from microgpt.engines.contract import Floats
from microgpt.evaluation.calibration import FAR, GROUPS, Reliability
from microgpt.evaluation.temperature import Integers
from microgpt.loss.many import Softmax

# Logits that numpy works on at once: their arrays fit in a processor's cache.
_NUMBERS = 1 << 16


class Outcomes(NamedTuple):
    """Positions compared with their targets; where a target is unknown, all but `likely_N` is 0.

    Attributes:
        losses_N: nats.
        likely_N: the likeliest token; of equally likely ones the first.
        p_target_N: the probability of the target.
        squares_N: the sum of the squares of all probabilities.
    """

    losses_N: Floats
    likely_N: Integers
    p_target_N: Floats
    squares_N: Floats


def compared(
    logits_NV: Floats,
    targets_N: Integers,
    group_N: Integers,
    every: Reliability,
    likeliest: Reliability,
) -> Outcomes:
    """Compare logits with their targets.

    Args:
        logits_NV: finite, and at least one a row.
        targets_N: the targets; negative: unknown.
        group_N: the group of texts of each position, below GROUPS.
        every: all predictions of positions with a known target are added to it.
        likeliest: those of the likeliest tokens alone.
    """
    if native := native_compare():
        tables = every.sums_GF4, likeliest.sums_GF4
        return Outcomes(*native(logits_NV, targets_N, group_N, FAR, *tables))
    return by_numpy(logits_NV, targets_N, group_N, every, likeliest)


def by_numpy(
    logits_NV: Floats,
    targets_N: Integers,
    group_N: Integers,
    every: Reliability,
    likeliest: Reliability,
) -> Outcomes:
    """Compare logits with their targets, without the native engine: see `compared`.

    >>> logits, zero = np.log([[0.8, 0.2]]), np.array([0])
    >>> found = by_numpy(logits, np.array([1]), zero, Reliability(), Reliability())
    >>> [float(x_N[0].round(4)) for x_N in found]
    [1.6094, 0.0, 0.2, 0.68]
    """
    each, N = max(_NUMBERS // logits_NV.shape[1], 1), len(logits_NV)
    found = Outcomes(np.zeros(N), np.zeros(N, dtype=np.int64), np.zeros(N), np.zeros(N))
    order = np.argsort(group_N, kind="stable")
    ends = np.cumsum(np.bincount(group_N, minlength=GROUPS)).tolist()
    for group, (start, stop) in enumerate(pairwise([0, *ends])):
        for first in range(start, stop, each):
            at_B = order[first : min(first + each, stop)]
            softmax = Softmax(logits_NV[at_B])
            found.likely_N[at_B] = softmax.likely_B
            known = np.flatnonzero(targets_N[at_B] >= 0)
            found.losses_N[at_B[known]] = softmax.losses(targets_N[at_B])[known]
            at_B, p_BV, likely_B = at_B[known], softmax.p_BV[known], softmax.likely_B[known]
            rows, targets_B = np.arange(len(at_B)), targets_N[at_B]
            found.p_target_N[at_B] = p_BV[rows, targets_B]
            found.squares_N[at_B] = np.einsum("bv,bv->b", p_BV, p_BV)
            every.add(p_BV, rows * p_BV.shape[1] + targets_B, group)
            hits = np.flatnonzero(likely_B == targets_B)
            likeliest.add(p_BV[rows, likely_B], hits, group)
    return found
