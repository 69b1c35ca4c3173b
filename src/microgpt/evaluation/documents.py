"""The documents that cost least and most a position, however many are measured.

In: documents and their losses as they come. Out: the first and the last few in the order of their
means, with all that is shown of them; of the others nothing is remembered.
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
"""Documents remembered at either end."""


@dataclass(frozen=True)
class Document:
    """One text, and what cost most in it.

    Attributes:
        text: as it was given.
        sum: of its losses.
        span: the first character of its most surprising part, and the one after its last; the
            number len(text) is the end.
        span_nats: what they cost.
    """

    text: str
    sum: LossSum
    span: tuple[int, int]
    span_nats: float


@dataclass(frozen=True, eq=False)
class Remembered:
    """A document that is remembered.

    Attributes:
        rank: its place: the mean, or minus that; then its number, or minus that.
        text: as it was given.
        losses_N: nats, one a position.
        places_N: the number of the character that each position begins in.
        hits: at how many positions the likeliest token came.
    """

    rank: tuple[float, int]
    text: str
    losses_N: Floats
    places_N: Ints
    hits: int

    @property
    def sum(self) -> Exact:
        """Of its losses."""
        return Exact(tuple(split(self.losses_N).sum(axis=1).tolist()), len(self.losses_N), ())

    def document(self, nats: float, usual: float) -> Document:
        """Return it with its sum as it is rounded beside others, and where it surprises most."""
        whole = np.array([0, len(self.losses_N)], dtype=np.int64)
        (first,), (last,) = (x.tolist() for x in spans(self.losses_N, whole, usual))
        chars = int(self.places_N[first]), int(ends(self.places_N)[last - 1])
        total = LossSum(nats, len(self.losses_N))
        return Document(self.text, total, chars, float(self.losses_N[first:last].sum()))


class Extremes:
    """The cheapest and the dearest of all documents, in their order.

    Attributes:
        cheapest: by their means; among equals the first come first.
        dearest: by their means, the highest first; among equals the last come first.
    """

    def __init__(self) -> None:
        self.cheapest: list[Remembered] = []
        self.dearest: list[Remembered] = []
        self._n = 0

    def add(self, laid: Laid, losses_N: Floats, means_D: Floats, hits_D: Floats) -> None:
        """Take in some documents: their texts laid out, the losses, and sums of theirs."""
        texts = laid.given

        def first(kept: list[Remembered], sign: int) -> list[Remembered]:
            rank_D: Floats = sign * means_D
            number_D: Offsets = sign * (self._n + np.arange(len(texts)))
            order = np.lexsort((number_D, rank_D))[:KEPT]
            if len(kept) == KEPT:
                order = order[rank_D[order] <= kept[-1].rank[0]]
            more = list[Remembered]()
            numbers: list[int] = order.tolist()
            for d in numbers:
                its = slice(int(laid.texts[d]), int(laid.texts[d + 1]))
                rank = float(rank_D[d]), int(number_D[d])
                its_N, places_N = np.array(losses_N[its]), np.array(laid.places_N[its])
                more.append(Remembered(rank, texts[d], its_N, places_N, int(hits_D[d])))
            return sorted([*kept, *more], key=lambda one: one.rank)[:KEPT] if more else kept

        self.cheapest, self.dearest = first(self.cheapest, 1), first(self.dearest, -1)
        self._n += len(texts)
