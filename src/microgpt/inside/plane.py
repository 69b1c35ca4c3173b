"""Rows of numbers as points of a plane: their first two principal components.

In: a matrix, such as the embeddings. Out: a `Plane`; the nearest rows of each row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt.inside.operations import Floats


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane on which rows are spread furthest.

    Attributes:
        points_V2: each row's place on it; the mean of all rows is at the origin.
        shares_2: of the variance, which lies along each of the two axes; 0 if all rows are equal.
    """

    points_V2: Floats
    shares_2: Floats


def plane(rows_VD: NDArray[Any]) -> Plane:
    """Project rows on their first two principal components.

    ``X - mean = U S W^T``; the points are the first two columns of U S, and their shares of the
    variance are S_i^2 / sum of S^2. A component's sign is chosen so that its largest entry is
    positive.

    Args:
        rows_VD: at least one row of at least one number.

    Source: Pearson, "On lines and planes of closest fit to systems of points in space" (1901).

    >>> found = plane(np.array([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]))
    >>> found.points_V2.round(2) + 0.0, found.shares_2.round(2)
    (array([[-2.83,  0.  ],
           [ 0.  ,  0.  ],
           [ 2.83,  0.  ]]), array([1., 0.]))
    """
    centred_VD = np.asarray(rows_VD, np.float64)
    centred_VD = centred_VD - centred_VD.mean(axis=0)
    _, lengths, axes_RD = np.linalg.svd(centred_VD, full_matrices=False)
    two = axes_RD[:2]
    largest = np.abs(two).argmax(axis=1)
    two = two * np.where(two[np.arange(len(two)), largest] < 0, -1.0, 1.0)[:, None]
    points_V2, shares_2 = np.zeros((len(centred_VD), 2)), np.zeros(2)
    points_V2[:, : len(two)] = centred_VD @ np.transpose(two)
    if total := float((lengths**2).sum()):
        shares_2[: len(two)] = lengths[:2] ** 2 / total
    return Plane(points_V2, shares_2)


def neighbours(rows_VD: NDArray[Any], row: int, count: int) -> list[tuple[int, float]]:
    """Return the rows most alike to one, in all D dimensions, and their cosine with it.

    >>> neighbours(np.array([[1.0, 0.0], [1.0, 1.0], [-1.0, 0.0]]), row=0, count=1)
    [(1, 0.7071067811865475)]
    """
    rows_VD = np.asarray(rows_VD, np.float64)
    norms_V = np.linalg.norm(rows_VD, axis=1)
    products_V = rows_VD @ rows_VD[row]
    cosines_V = products_V / np.where(norms_V * norms_V[row] > 0, norms_V * norms_V[row], 1.0)
    order = [i for i in np.argsort(-cosines_V, kind="stable").tolist() if i != row]
    return [(i, float(cosines_V[i])) for i in order[:count]]
