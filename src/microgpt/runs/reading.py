"""A text as a model reads it at once: its tokens, and what is shown for each.

In: a model and a text. Out: a `ReadText`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from microgpt.data.tokenizer.shown import symbols
from microgpt.runs.model import Model
from microgpt.scoring.price import Laid
from microgpt.wording import glyph

BOS = "BOS"
"""What is shown for the token that a text begins with."""


@dataclass(frozen=True)
class ReadText:
    """The first window of a text.

    Attributes:
        tokens: read, the first at position 0; an unknown character is read as the stand-in.
        targets: what comes next; unknown characters are negative.
        read: what is shown for each token.
        coming: what is shown for each target.
        positions: of the whole text.
    """

    tokens: list[int]
    targets: list[int]
    read: list[str]
    coming: list[str]
    positions: int


def reading(model: Model, text: str, most: int) -> ReadText:
    """Return what a model reads of a text at once, at most so many positions."""
    laid = Laid.of([text], model.tokenizer, model.settings.model.block_size)
    tokens_T, targets_T = laid.batch.document(0)
    most = min(most, laid.block_size)
    tokens: list[int] = tokens_T[:most].tolist()
    targets: list[int] = targets_T[:most].tolist()
    names, places = symbols(model.tokenizer), [*laid.places_N.tolist(), len(text)]
    coming = [
        f"{glyph(text[i : max(j, i + 1)])}?" if target < 0 else names[target]
        for (i, j), target in zip(pairwise(places), targets)
    ]
    return ReadText(tokens, targets, [BOS, *coming][: len(tokens)], coming, laid.batch.positions)
