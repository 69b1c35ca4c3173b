"""The losses of the last steps of a training, whose mean is reported, and of the first one.

In: steps, or lines of a log that each sum several, as they come. Out: the sums of their losses.
"""

from __future__ import annotations

from microgpt.loss import LossSum
from microgpt.loss.sums import Sums


class Tail:
    """The losses of the last steps.

    Args:
        least: how many steps to cover, at least, once there are as many.

    Attributes:
        first: the loss of the first step, or of the first line; None: none has come.

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
        """Add the sum of some steps."""
        self.first = self.first or total
        self._parts.append((steps, total))
        while sum(n for n, _ in self._parts[1:]) >= self._least:
            del self._parts[0]

    def add_steps(self, sums: Sums) -> None:
        """Add the steps of a chunk."""
        if len(sums):
            self.first = self.first or sums[0]
        for total in sums[-self._least :]:
            self.add(1, total)

    @property
    def steps(self) -> int:
        """How many steps it covers."""
        return sum(n for n, _ in self._parts)

    @property
    def parts(self) -> list[LossSum]:
        """The sums added, each of a step or of a line of several steps."""
        return [total for _, total in self._parts]

    @property
    def sum(self) -> LossSum:
        """The sum of all of them."""
        return sum((total for _, total in self._parts), LossSum())
