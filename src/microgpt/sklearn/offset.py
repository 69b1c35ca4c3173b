"""The threshold of an estimator: a quantile of what ordinary texts score.

In: the texts of a training, and a score for each text. Out: one number.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from microgpt.scoring.reference import Reference
from microgpt.scoring.repetition import choose, one_fewer
from microgpt.scoring.threshold import threshold
from microgpt.sklearn.texts import Floats


def offset(
    judge: Callable[[list[str]], Floats], trained: list[str], held_out: list[str], share: float
) -> float:
    """Return what a share of usual texts is judged below.

    Args:
        judge: more is more usual.
        trained: the texts trained on.
        held_out: those held out; if there are none, the others must do.
        share: in (0, 1).

    >>> offset(lambda texts: np.array([float(len(t)) for t in texts]), ["x"], ["a", "bbb"], 0.5)
    2.0
    """
    chosen = choose(trained, held_out)
    if not held_out or chosen.repetition.once == chosen.repetition.lines:
        return float(np.percentile(judge(held_out or trained), 100.0 * share))
    costs = one_fewer(-judge(chosen.texts), chosen.learnt_D)
    # Texts of all lengths are held against one number: they are one class.
    lengths = np.zeros(len(costs), dtype=np.int64)
    usual = Reference(lengths, costs, chosen.lines_D, chosen.repetition)
    # A share that so few cannot tell is none: then it lies below all of them.
    least = (1.0 + 1e-9) / (float(usual.weights_C[0]) + 1.0)
    return -float(threshold(usual, max(share, least)).means_C[0])
