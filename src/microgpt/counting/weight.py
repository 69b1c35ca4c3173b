"""The weight of one predictor in a mixture with another: its loss, and the weight that fits best.

In: the losses of two predictors at the same positions. Out: those of their mixture.

Source: Jelinek and Mercer, "Interpolated estimation of Markov source parameters from sparse data"
(1980).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

MOST_WEIGHT = 0.999
"""The largest weight: the first predictor's share bounds the loss of what the second excludes."""


def mixed(first_N: Floats, second_N: Floats, weight: float | Floats) -> Floats:
    """Return the losses of a mixture, in which the second predictor has a weight.

    >>> mixed(np.array([np.log(2.0)]), np.array([np.log(4.0)]), weight=0.5).round(4)
    array([0.9808])
    """
    # A diverged model has losses of infinity or NaN: the mixture's are so too, without a warning.
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.logaddexp(np.log1p(-weight) - first_N, np.log(weight) - second_N)


def fitted(first_N: Floats, second_N: Floats) -> float:
    """Return the weight of the second predictor that minimises the loss of the mixture.

    >>> round(fitted(np.array([0.5, 0.5, 3.0]), np.array([2.0, 2.0, 1.0])), 2)
    0.32
    """
    # The gain over the first alone, sum of log(1 + weight r), is concave: bisect on its derivative.
    with np.errstate(invalid="ignore"):  # both infinite: NaN, and the weight is 0
        r_N = np.expm1(np.minimum(first_N - second_N, 500.0))
    low, high = 0.0, MOST_WEIGHT
    for _ in range(30):
        middle = (low + high) / 2
        if float((r_N / (1.0 + middle * r_N)).sum()) > 0.0:
            low = middle
        else:
            high = middle
    return low
