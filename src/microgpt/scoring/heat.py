"""The heat map of a text: a cell for each character, with its loss.

In: a `Score`, and the usual loss. Out: a `Heat`; of a long text, the part around its most
surprising span.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgpt.scoring.score import Character, Score
from microgpt.scoring.spans import spans
from microgpt.wording import clipped

MOST = 160
"""The most cells of a heat map."""


@dataclass(frozen=True)
class Cell(Character):
    """A character in a heat map.

    Attributes:
        in_span: whether it belongs to the most surprising span.
    """

    in_span: bool = False


@dataclass(frozen=True)
class Heat:
    """The heat map of a text.

    Attributes:
        text: the text as `wording.clipped` shows it.
        loss: nats per position.
        bits: bits per position.
        cells: its characters and its end, or a part of them.
        first: how many characters precede the cells.
        rest: how many follow them.
    """

    text: str
    loss: float
    bits: float
    cells: tuple[Cell, ...]
    first: int
    rest: int


def heat(score: Score, usual: float) -> Heat:
    """Return the heat map of a text.

    Args:
        score: the text's losses.
        usual: the usual loss, nats a position.
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
    return Heat(clipped(score.text), score.loss, score.bits, cells, first, rest)
