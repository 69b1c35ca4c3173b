"""The standard error of a mean loss.

In: each measured document's sum of losses, and its positions. Out: the standard error of the mean
loss over all positions, as an estimate for other documents of the same source.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Offsets = NDArray[np.int64]


def standard_error(nats_D: Floats, positions_D: Offsets) -> float:
    """Return the standard error of sum(nats) / sum(positions), in nats per position.

    Documents are assumed to be drawn independently, positions are not: the mean is a ratio of two
    sums over documents.

    Args:
        nats_D: the sum of each document's losses.
        positions_D: how many positions each document has.

    Returns:
        NaN for fewer than two documents.

    Source: Cochran, "Sampling techniques" (1977), the ratio estimator, equation 6.13.

    >>> standard_error(np.array([2.0, 4.0]), np.array([1, 1]))
    1.0
    >>> standard_error(np.array([2.0, 4.0]), np.array([2, 4]))  # both have a mean of 1.0
    0.0
    """
    n, positions = len(nats_D), float(positions_D.sum())
    if n < 2:
        return math.nan
    residual_D = nats_D - positions_D * (float(nats_D.sum()) / positions)
    return math.sqrt(n / (n - 1) * float((residual_D**2).sum())) / positions
