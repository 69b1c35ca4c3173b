"""The documents with the lowest and the highest loss, in bounded memory.

In: documents and their losses, some at a time. Out: the first and the last few by their loss, with
text and losses; the others are not stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgpt.engines.contract import Floats
from microgpt.evaluation.sums import Exact, split
from microgpt.loss import LossSum
from microgpt.scoring.price import Ints, Laid, Offsets, ends
from microgpt.scoring.spans import spans

KEPT = 400
"""The most documents stored at either end."""


@dataclass(frozen=True)
class Document:
    """A text, its loss, and its most surprising span.

    Attributes:
        text: as it was given.
        sum: of its losses.
        span: the first character of the span, and the one after its last; the end of the text is
            the character len(text).
        span_nats: the sum of the losses in the span.
    """

    text: str
    sum: LossSum
    span: tuple[int, int]
    span_nats: float


@dataclass(frozen=True, eq=False)
class Remembered:
    """A document that is stored.

    Attributes:
        rank: the key that it is sorted by: its mean and its number, or both negated.
        text: as it was given.
        losses_N: nats, one a position.
        places_N: for each position, the index of the character in which its target begins.
        hits: at how many positions the target was the likeliest token.
    """

    rank: tuple[float, int]
    text: str
    losses_N: Floats
    places_N: Ints
    hits: int

    @property
    def sum(self) -> Exact:
        """The sum of its losses."""
        return Exact(tuple(split(self.losses_N).sum(axis=1).tolist()), len(self.losses_N), ())

    def document(self, nats: float, usual: float) -> Document:
        """Return the document with its most surprising span.

        Args:
            nats: its sum, rounded together with those of other documents.
            usual: the usual loss, nats a position.
        """
        whole = np.array([0, len(self.losses_N)], dtype=np.int64)
        (first,), (last,) = (x.tolist() for x in spans(self.losses_N, whole, usual))
        chars = int(self.places_N[first]), int(ends(self.places_N)[last - 1])
        total = LossSum(nats, len(self.losses_N))
        return Document(self.text, total, chars, float(self.losses_N[first:last].sum()))


class Extremes:
    """The documents with the lowest and the highest loss.

    Attributes:
        cheapest: by ascending loss; of equal ones, the first document comes first.
        dearest: by descending loss; of equal ones, the last document comes first.
    """

    def __init__(self) -> None:
        self.cheapest: list[Remembered] = []
        self.dearest: list[Remembered] = []
        self._n = 0

    def add(self, laid: Laid, losses_N: Floats, means_D: Floats, hits_D: Floats) -> None:
        """Add documents.

        Args:
            laid: the documents, laid out.
            losses_N: nats at each position.
            means_D: the loss of each document.
            hits_D: at how many positions of each the target was the likeliest token.
        """
        texts = laid.given

        def first(stored: list[Remembered], sign: int) -> list[Remembered]:
            rank_D: Floats = sign * means_D
            number_D: Offsets = sign * (self._n + np.arange(len(texts)))
            order = np.lexsort((number_D, rank_D))[:KEPT]
            if len(stored) == KEPT:
                order = order[rank_D[order] <= stored[-1].rank[0]]
            more = list[Remembered]()
            numbers: list[int] = order.tolist()
            for d in numbers:
                its = slice(int(laid.texts[d]), int(laid.texts[d + 1]))
                rank = float(rank_D[d]), int(number_D[d])
                its_N, places_N = np.array(losses_N[its]), np.array(laid.places_N[its])
                more.append(Remembered(rank, texts[d], its_N, places_N, int(hits_D[d])))
            return sorted([*stored, *more], key=lambda one: one.rank)[:KEPT] if more else stored

        self.cheapest, self.dearest = first(self.cheapest, 1), first(self.dearest, -1)
        self._n += len(texts)
