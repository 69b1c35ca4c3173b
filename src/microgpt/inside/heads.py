"""What an attention head looks at, in numbers and in a sentence.

In: a head's shares over one text. Out: a `HeadLook`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgpt.inside.operations import Floats

MOSTLY = 0.5
"""A head looks mostly at a place that has at least this share on average."""

EVEN = 0.97
"""A head spreads evenly if its entropy is on average at least this share of the greatest."""


@dataclass(frozen=True)
class HeadLook:
    """Where a head looks on average over the positions from the third on.

    From the third position on, the start, the previous position and the position itself are three.

    Attributes:
        positions: how many are averaged over; 0: the text is too short, and the rest is 0.
        itself: the share of the position itself.
        previous: of the one before.
        start: of the first, where BOS is read.
        evenness: the entropy of the shares as a share of the greatest possible, in [0, 1].
    """

    positions: int
    itself: float
    previous: float
    start: float
    evenness: float

    @property
    def says(self) -> str:
        """A sentence without its subject, which is the head."""
        if not self.positions:
            return "has too few positions in this text to say where it looks"
        parts = {
            "the previous position": self.previous,
            "the start (BOS)": self.start,
            "the position itself": self.itself,
        }
        place, share = max(parts.items(), key=lambda part: part[1])
        if self.evenness >= EVEN:
            return "spreads evenly over all it has read"
        if share >= MOSTLY:
            return f"looks mostly at {place}: {100 * share:.0f} % on average"
        shares = ", ".join(f"{100 * share:.0f} % at {place}" for place, share in parts.items())
        return f"looks at no single place mostly: {shares}"


def look(shares_TT: Floats) -> HeadLook:
    """Average where a head looks.

    Args:
        shares_TT: row t has the share of every position; later ones are 0.

    >>> shares_TT = np.eye(4, k=-1)  # every position looks at the one before
    >>> shares_TT[0, 0] = 1.0
    >>> look(shares_TT).says
    'looks mostly at the previous position: 100 % on average'
    """
    t = np.arange(2, len(shares_TT))
    if not len(t):
        return HeadLook(0, 0.0, 0.0, 0.0, 0.0)
    rows = shares_TT[2:]
    logs = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    evenness = -(rows * logs).sum(axis=1) / np.log(t + 1)
    means = (shares_TT[t, t], shares_TT[t, t - 1], shares_TT[t, 0], evenness)
    return HeadLook(len(t), *(float(x.mean()) for x in means))
