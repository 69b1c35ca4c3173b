"""How far a mean loss may be from that of all documents there could be.

In: the sums of the documents that were measured. Out: the standard error of their mean.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Offsets = NDArray[np.int64]


def standard_error(nats_D: Floats, positions_D: Offsets) -> float:
    """Return the standard error of sum(nats) / sum(positions), in nats per position.

    Positions of one document are not drawn independently of each other, documents are: the mean is
    a ratio of two sums over documents.

    Args:
        nats_D: the sum of each document's losses.
        positions_D: how many there are in each.

    Returns:
        NaN for fewer than two documents.

    Source: Cochran, "Sampling techniques" (1977), the ratio estimator, equation 6.13.

    >>> standard_error(np.array([2.0, 4.0]), np.array([1, 1]))
    1.0
    >>> standard_error(np.array([2.0, 4.0]), np.array([2, 4]))  # both of them cost 1.0 a position
    0.0
    """
    n, positions = len(nats_D), float(positions_D.sum())
    if n < 2:
        return math.nan
    residual_D = nats_D - positions_D * (float(nats_D.sum()) / positions)
    return math.sqrt(n / (n - 1) * float((residual_D**2).sum())) / positions
