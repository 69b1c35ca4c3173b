"""The last steps of a training, by whose mean it is judged, and the first one.

In: steps, or lines of a log that tell of several, as they come. Out: the sums of their losses.
"""

from __future__ import annotations

from microgpt.loss import LossSum
from microgpt.loss.sums import Sums


class Tail:
    """The losses of the last steps, at least so many where there are as many.

    Args:
        least: how many.

    Attributes:
        first: what was taken in first, which may be no longer among the last.

    >>> tail = Tail(2)
    >>> for n in (1, 2, 3):
    ...     tail.add(1, LossSum(float(n), 1))
    >>> tail.steps, tail.sum
    (2, LossSum(nats=5.0, positions=2))
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self.first: LossSum | None = None
        self._parts: list[tuple[int, LossSum]] = []

    def add(self, steps: int, total: LossSum) -> None:
        """Take in some steps."""
        self.first = self.first or total
        self._parts.append((steps, total))
        while sum(n for n, _ in self._parts[1:]) >= self._least:
            del self._parts[0]

    def add_steps(self, sums: Sums) -> None:
        """Take in the steps of a chunk."""
        if len(sums):
            self.first = self.first or sums[0]
        for total in sums[-self._least :]:
            self.add(1, total)

    @property
    def steps(self) -> int:
        """How many there are."""
        return sum(n for n, _ in self._parts)

    @property
    def parts(self) -> list[LossSum]:
        """Each of them, or of the lines that tell of several."""
        return [total for _, total in self._parts]

    @property
    def sum(self) -> LossSum:
        """All of them together."""
        return sum((total for _, total in self._parts), LossSum())
