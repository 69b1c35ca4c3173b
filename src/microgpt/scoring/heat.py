"""A text as cells, each with what its character cost: what a heat map shows, in numbers.

In: a `Score`, and what a position usually costs. Out: a `Heat`. Of a long text it shows the part
around what surprises most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgpt.scoring.score import Character, Score
from microgpt.scoring.spans import spans
from microgpt.wording import clipped

MOST = 160
"""Cells shown of a text."""


@dataclass(frozen=True)
class Cell(Character):
    """A character of a text that is shown.

    Attributes:
        in_span: whether it is of the most surprising part.
    """

    in_span: bool = False


@dataclass(frozen=True)
class Heat:
    """A text.

    Attributes:
        text: as it is shown, or its beginning.
        loss: nats per position.
        bits: bits per position.
        cells: some or all of its characters, and its end.
        first: how many characters stand before these.
        rest: how many characters follow these.
    """

    text: str
    loss: float
    bits: float
    cells: tuple[Cell, ...]
    first: int
    rest: int


def heat(score: Score, usual: float) -> Heat:
    """Return a text's cells.

    Args:
        score: of the text.
        usual: nats a position.
    """
    losses = np.array([c.nats for c in score.characters])
    ends = np.array([0, len(losses)], dtype=np.int64)
    (start,), (stop,) = (x.tolist() for x in spans(losses, ends, usual))
    first = 0
    if len(losses) > MOST:
        middle = min((start + stop) // 2, start + MOST // 2)
        first = min(max(middle - MOST // 2, 0), len(losses) - MOST)
    shown = score.characters[first : first + MOST]
    cells = tuple(Cell(**vars(c), in_span=start <= at < stop) for at, c in enumerate(shown, first))
    rest = len(losses) - first - len(shown)
    return Heat(clipped(score.text), score.mean, score.bits, cells, first, rest)
