"""What a training's log says: when the loss fell, how noisy a step is, and the gap to held-out.

In: a `Log`. Out: a `Fall`. Losses are of the GPT alone, nats a position.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from microgpt.errors import RunError
from microgpt.loss import LossSum
from microgpt.runs.log import Log, loss_sum
from microgpt.training.trainer import TAIL

_FEWEST = 4
"""The fewest groups of lines whose means say something of their spread."""


@dataclass(frozen=True)
class Span:
    """Some lines of a log in a row.

    Attributes:
        first, last: the steps that they are of.
        loss: their mean.
        share: of the whole fall, from the first line to the end, that is made by then; None: the
            loss has not fallen.
    """

    first: int
    last: int
    loss: float
    share: float | None


@dataclass(frozen=True)
class Noise:
    """How much a loss differs from the next one, though the model is almost the same.

    Attributes:
        lines: of how many lines each of these losses is the mean.
        one: the standard deviation of a line's loss.
        mean: that of the mean of so many lines.
    """

    lines: int
    one: float
    mean: float


@dataclass(frozen=True)
class Fall:
    """The way of the loss from its first value to its last ones.

    Attributes:
        first: the loss of the first line.
        last: the mean of the last steps, `tail` of them.
        tail: 50, or a quarter of a short training.
        spans: each twice as long as the one before.
        half, most: the first span at which half, and nine tenths, of the fall are made; None: the
            loss has not fallen.
        noise: in the second half of the log; None: it is too short.
        held_out: the last loss on held-out documents; None: none were.
        error: its standard error; None: not known.
    """

    first: float
    last: float
    tail: int
    spans: list[Span]
    half: Span | None
    most: Span | None
    noise: Noise | None
    held_out: float | None
    error: float | None

    @property
    def gap(self) -> float | None:
        """How much more the held-out documents cost than those trained on."""
        return None if self.held_out is None else self.held_out - self.last

    @classmethod
    def of(cls, log: Log) -> Fall:
        """Read a log.

        Raises:
            RunError: it has no line of a step.

        >>> lines = [
        ...     {"step": k, "loss": loss, "positions": 10}
        ...     for k, loss in enumerate([3.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0], 1)
        ... ]
        >>> [(span.first, span.last, span.loss) for span in Fall.of(Log(lines)).spans]
        [(1, 1, 3.0), (2, 3, 1.5), (4, 7, 1.0)]
        """
        if not log.lines:
            raise RunError("the log must have a step; it has none yet. Train the run first.")
        tail = min(TAIL, -(-log.steps // 4))
        first, last = log.lines[0]["loss"], log.tail(tail).mean
        spans = _spans(log.lines, first, last)
        found: dict[str, Any] = log.heldout[-1]["heldout"] if log.heldout else {}
        return cls(
            first,
            last,
            tail,
            spans,
            _when(spans, 0.5),
            _when(spans, 0.9),
            _noise([loss_sum(line) for line in log.lines[len(log.lines) // 2 :]]),
            found.get("gpt", found.get("loss")),
            found.get("standard_error"),
        )


def _spans(lines: Sequence[dict[str, Any]], first: float, last: float) -> list[Span]:
    """Return the lines 1, 2 to 3, 4 to 7, and so on, each with the mean of its positions."""
    spans: list[Span] = []
    start = 0
    while start < len(lines):
        stop = min(2 * start + 1, len(lines))
        some, before = lines[start:stop], lines[start - 1]["step"] if start else 0
        mean = sum(map(loss_sum, some), LossSum()).mean
        share = (first - mean) / (first - last) if first > last else None
        spans.append(Span(before + 1, some[-1]["step"], mean, share))
        start = stop
    return spans


def _when(spans: Sequence[Span], share: float) -> Span | None:
    """Return the first span that has made a share of the fall."""
    return next((span for span in spans if span.share is not None and span.share >= share), None)


def _noise(sums: Sequence[LossSum]) -> Noise | None:
    """Estimate both spreads from what neighbours differ by, which the slow fall hardly changes."""
    for lines in (TAIL, 10):
        groups = len(sums) // lines
        if groups >= _FEWEST:
            means = [sum(sums[i * lines : (i + 1) * lines], LossSum()).mean for i in range(groups)]
            return Noise(lines, _spread([total.mean for total in sums]), _spread(means))
    return None


def _spread(losses: Sequence[float]) -> float:
    """Return the standard deviation of independent numbers, from the differences of neighbours.

    >>> _spread([1.0, 2.0, 1.0, 2.0])
    0.7071067811865476
    """
    return math.sqrt(float(np.mean(np.square(np.diff(losses)))) / 2.0)
