"""The parts of a loss: sums of the losses by position, by character, by length, by document.

In: the losses of all positions, some texts at a time. Out: lists of parts, each of which adds up to
the total exactly, in any order. Memory grows with the number of distinct positions, characters and
pairs of characters, not with the number of losses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Floats
from microgpt.evaluation.documents import KEPT, Document, Extremes
from microgpt.evaluation.sums import Exact, SumsByKey, rounded, split
from microgpt.loss import LossSum
from microgpt.scoring.price import END, Laid, label

SINGLE = 16
"""Positions and lengths above this are grouped: 17-32, 33-64, ..."""


@dataclass(frozen=True)
class Part:
    """The positions that share a property.

    Attributes:
        name: the property: a position, a character, a length; None: the ends of texts.
        sum: of their losses.
        hits: at how many of them the target was the likeliest token.
        texts: how many texts, if the part consists of whole texts.
    """

    name: str | None
    sum: LossSum
    hits: int
    texts: int | None = None


@dataclass(frozen=True)
class Confusion:
    """A character that came where another one was the likeliest.

    Attributes:
        char: the character that came; None: the end.
        likely: the likeliest token; None: the end.
        sum: of the losses at these positions.
    """

    char: str | None
    likely: str | None
    sum: LossSum


class Parts:
    """Sums over all positions of all texts that were added.

    Args:
        tokenizer: decodes ids.

    Attributes:
        n_documents: how many texts.
        unknown: how many unknown characters.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._positions, self._characters = SumsByKey(), SumsByKey()
        self._lengths, self._confusions = SumsByKey(), SumsByKey()
        self._extremes = Extremes()
        self._means: list[float] = []
        self.n_documents, self.unknown = 0, 0

    def add(self, laid: Laid, losses_N: Floats, likely_N: NDArray[np.integer]) -> None:
        """Add some texts, their losses, and the likeliest token at each position."""
        hits_N = likely_N == laid.batch.targets_N
        values_N = np.vstack([split(losses_N), hits_N])
        place = _octaves(int(laid.places_N.max()) + 1)
        self._positions.add(place[laid.places_N + 1], values_N)
        self._characters.add(laid.chars_N, values_N)
        positions_D = np.diff(laid.texts)
        values_D = np.add.reduceat(values_N, laid.texts[:-1], axis=1)
        self._lengths.add(place[laid.lengths_D], np.vstack([values_D, positions_D]))
        wrong = np.flatnonzero(~hits_N)
        key_N = (laid.chars_N[wrong].astype(np.int64) - END) * self._tokenizer.vocab_size
        self._confusions.add(key_N + likely_N[wrong], values_N[:3, wrong])
        means_D = values_D[:3].sum(axis=0) / positions_D
        self._extremes.add(laid, losses_N, means_D, values_D[3])
        self._means.append(math.fsum(means_D.tolist()))
        self.n_documents += len(laid.given)
        self.unknown += int((laid.batch.targets_N < 0).sum())

    @property
    def sum(self) -> LossSum:
        """The total."""
        total = self._total
        return LossSum(rounded([total])[0], total.n)

    @property
    def hits(self) -> int:
        """At how many positions the target was the likeliest token."""
        return self._total.others[0]

    @property
    def document_loss(self) -> float:
        """The mean of the documents' losses: each document counts the same."""
        return math.fsum(self._means) / self.n_documents if self.n_documents else math.nan

    def by_position(self) -> list[Part]:
        """Sum up by the position of the character in its text, from 1."""
        return _parts((_range(key), one) for key, one in self._positions.items())

    def by_character(self) -> list[Part]:
        """Sum up by the character that came, the largest sum first."""
        parts = _parts((label(key, self._tokenizer), one) for key, one in self._characters.items())
        return sorted(parts, key=lambda part: -part.sum.nats)

    def by_length(self) -> list[Part]:
        """Sum up by the number of characters of a text, without its end."""
        keys, sums = [*zip(*self._lengths.items())] or [(), ()]
        return [
            Part(_range(key), LossSum(nats, one.others[1]), one.others[0], one.n)
            for key, one, nats in zip(keys, sums, rounded(sums))
        ]

    def documents(self, number: int) -> tuple[list[Document], list[Document], Part]:
        """Return the texts with the lowest losses, those with the highest, and the sum of all
        others.

        Args:
            number: of each, at most; never more than `documents.KEPT`.
        """
        number = min(number, KEPT)
        cheap = min(number, self.n_documents // 2)
        dear = min(number, self.n_documents - cheap)
        some = [*self._extremes.cheapest[:cheap], *self._extremes.dearest[:dear]]
        sums = [one.sum for one in some]
        rest = tuple(
            own - sum(theirs) for own, *theirs in zip(self._total.parts, *(s.parts for s in sums))
        )
        others = Exact(rest, self._total.n - sum(one.n for one in sums), ())
        *each, left = rounded([*sums, others])
        usual = self.sum.mean
        found = [one.document(nats, usual) for one, nats in zip(some, each)]
        hits = self.hits - sum(one.hits for one in some)
        part = Part("others", LossSum(left, others.n), hits, self.n_documents - len(some))
        return found[:cheap], found[cheap:], part

    def confusions(self) -> list[Confusion]:
        """List which character came where another was the likeliest, the most frequent first."""
        found: list[Confusion] = []
        for key, one in self._confusions.items():
            char, likely = divmod(key, self._tokenizer.vocab_size)
            came = label(char + END, self._tokenizer)
            expected = self._tokenizer.decode([likely]) or None
            found.append(Confusion(came, expected, LossSum(one.nats, one.n)))
        return sorted(found, key=lambda c: (-c.sum.positions, -c.sum.nats))

    @property
    def _total(self) -> Exact:
        sums = [one for _, one in self._positions.items()]
        return Exact(
            tuple(map(sum, zip(*(one.parts for one in sums)))) or (0.0,),
            sum(one.n for one in sums),
            (sum(one.others[0] for one in sums),),
        )


def _parts(sums: Iterable[tuple[str | None, Exact]]) -> list[Part]:
    names, each = [*zip(*sums)] or [(), ()]
    return [
        Part(name, LossSum(nats, one.n), one.others[0])
        for name, one, nats in zip(names, each, rounded(each))
    ]


def _octaves(most: int) -> NDArray[np.int64]:
    """Return the key of each number up to `most`: itself up to SINGLE, then its group's largest."""
    n = np.arange(most + 1)
    octaves = np.exp2(np.ceil(np.log2(np.maximum(n, 1))))
    return np.where(n <= SINGLE, n, octaves.astype(np.int64))


def _range(key: int) -> str:
    return str(key) if key <= SINGLE else f"{key // 2 + 1}-{key}"
