"""The losses of a training's last steps, whose mean is reported at the end, and of its first step.

In: the losses of steps, or of log lines that each sum several steps. Out: the sum over the last
ones.
"""

from __future__ import annotations

from microgpt.loss import LossSum
from microgpt.loss.sums import Sums


class Tail:
    """The losses of the last steps.

    Args:
        least: the fewest steps to hold, once so many were added; a log line may make it hold more.

    Attributes:
        first: the loss of the first step, or of the first log line; None: nothing was added.

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
        """Add the summed loss of one step, or of several that a log line sums."""
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
        """How many steps are held."""
        return sum(n for n, _ in self._parts)

    @property
    def parts(self) -> list[LossSum]:
        """The sums held, each of a step or of a log line."""
        return [total for _, total in self._parts]

    @property
    def sum(self) -> LossSum:
        """The sum over all steps held."""
        return sum((total for _, total in self._parts), LossSum())
