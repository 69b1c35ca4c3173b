"""The scores of very many texts, kept to be sorted, filtered and read page by page.

In: blocks of texts, priced. Out: `KeptScores`: arrays, about thirty bytes a text beside the text
itself, and no Python object for each. A query over a million texts takes a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from microgpt.data.gathering import Gathering
from microgpt.data.reader.block import Block
from microgpt.data.search import containing
from microgpt.data.texts import Texts
from microgpt.engines.contract import Floats
from microgpt.errors import UsageError
from microgpt.scoring.price import Offsets, Pricer
from microgpt.scoring.reference import Judge

MOST = 5_000_000
"""The most texts that are kept."""

LARGEST = 500_000_000
"""The most bytes of texts that are kept."""

POSITIONS = 1 << 25
"""The most positions whose losses are kept, too: four bytes each."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RowQuery:
    """Which texts are wanted, in which order.

    Attributes:
        sort: by row number, loss, percentile or unknown characters.
        descending: whether the largest come first; of equal ones the first row comes first.
        text: characters that they contain.
        flagged: whether only flagged ones are wanted.
        least: the lowest loss.
    """

    sort: Literal["row", "loss", "percentile", "unknown"] = "row"
    descending: bool = False
    text: str = ""
    flagged: bool = False
    least: float | None = None


@dataclass(frozen=True, eq=False)
class Judged:
    """What a judge says of all texts.

    Attributes:
        percentiles_D: None: there are none.
        flags_D: which are flagged; None: none are.
    """

    percentiles_D: Floats | None
    flags_D: Mask | None


class KeptScores:
    """The scores of many texts.

    Args:
        texts: the texts.
        rows_D: the number of each one's row.
        lengths_D: in characters.
        means_D: the losses, nats a position.
        unknown_D: how many characters of each are unknown.
        losses_N: of all positions, in float32; None: there are too many.
    """

    def __init__(
        self,
        texts: Texts,
        rows_D: Offsets,
        lengths_D: NDArray[np.int32],
        means_D: Floats,
        unknown_D: NDArray[np.int32],
        losses_N: NDArray[np.float32] | None = None,
    ) -> None:
        self.texts, self.rows_D, self.lengths_D = texts, rows_D, lengths_D
        self.means_D, self.unknown_D, self.losses_N = means_D, unknown_D, losses_N
        self._judged = lru_cache(2)(self._judge)
        self._by_percentile = lru_cache(1)(self._sorted_by_percentile)
        self.find = lru_cache(4)(self._find)

    def __len__(self) -> int:
        return len(self.texts)

    def judged(self, judge: Judge) -> Judged:
        """Return the percentiles of all texts, and which are flagged."""
        return self._judged(judge)

    def _judge(self, judge: Judge) -> Judged:
        lengths_D = self.lengths_D.astype(np.int64)
        where = lengths_D, self.means_D
        return Judged(*judge.judged(*where))

    def _find(self, wanted: RowQuery, judge: Judge) -> Offsets:
        """Return the indices of the texts that are wanted, in their order.

        Raises:
            UsageError: they are to be sorted by a percentile, or flagged, and nothing is known to
                compare them with.
        """
        order = self._order(wanted, judge)
        mask_D: Mask | None = None
        if wanted.flagged:
            flags_D = self.judged(judge).flags_D
            if flags_D is None:
                raise UsageError("flagged must go with a flag rate.")
            mask_D = flags_D
        if wanted.least is not None:
            above_D = self.means_D >= wanted.least
            mask_D = above_D if mask_D is None else mask_D & above_D
        if wanted.text:
            has_D = containing(self.texts, wanted.text)
            mask_D = has_D if mask_D is None else mask_D & has_D
        return order if mask_D is None else order[mask_D[order]]

    def _order(self, wanted: RowQuery, judge: Judge) -> Offsets:
        if wanted.sort == "row":
            order = np.arange(len(self))
            return order[::-1] if wanted.descending else order
        if wanted.sort == "percentile":
            rising, falling = self._by_percentile(judge)
            return falling if wanted.descending else rising
        if wanted.sort == "unknown":
            return _stable(self.unknown_D, descending=wanted.descending)
        return self._dearest if wanted.descending else self._cheapest

    @cached_property
    def _cheapest(self) -> Offsets:
        return _stable(self.means_D, descending=False)

    @cached_property
    def _dearest(self) -> Offsets:
        return _stable(self.means_D, descending=True)

    def _sorted_by_percentile(self, judge: Judge) -> tuple[Offsets, Offsets]:
        """Return all by ascending percentile and by descending one; of equal ones by loss."""
        percentiles_D = self.judged(judge).percentiles_D
        if percentiles_D is None:
            raise UsageError("there are no percentiles to sort by. Try the loss.")
        first, last = self._cheapest, self._dearest
        return (
            first[_stable(percentiles_D[first], descending=False)],
            last[_stable(percentiles_D[last], descending=True)],
        )


def _stable(values_D: NDArray[np.number], *, descending: bool) -> Offsets:
    return np.argsort(-values_D if descending else values_D, kind="stable")


def kept(pricer: Pricer, blocks: Iterable[Block]) -> Generator[int, None, KeptScores]:
    """Score the texts of blocks; yield how many have been scored so far.

    Raises:
        UsageError: there are too many of them.
    """
    texts, numbers = Gathering(), list[Offsets]()
    lengths, means, unknown = [np.zeros(0, np.int32)], [np.zeros(0)], [np.zeros(0, np.int32)]
    losses: list[NDArray[np.float32]] | None = [np.zeros(0, np.float32)]
    size = positions = 0
    for block in blocks:
        if not block.texts:
            continue
        priced = pricer.price(block.texts)
        texts.add(block.texts)
        size += len(priced.laid.given.data)
        if texts.texts > MOST or size > LARGEST:
            raise UsageError(
                f"the page shows at most {MOST:,} documents, or {LARGEST:,} bytes of them. In a "
                "terminal `microgpt score RUN FILE --top 1000 -o odd.csv` takes any number."
            )
        numbers.append(np.asarray(block.numbers, dtype=np.int64))
        lengths.append(priced.laid.lengths_D.astype(np.int32))
        means.append(priced.means_D)
        unknown.append(priced.laid.unknown_D.astype(np.int32))
        positions += len(priced.losses_N)
        if losses is not None:
            losses.append(priced.losses_N.astype(np.float32))
            losses = losses if positions <= POSITIONS else None
        yield texts.texts
    return KeptScores(
        texts.done(),
        np.concatenate([np.zeros(0, np.int64), *numbers]),
        np.concatenate(lengths),
        np.concatenate(means),
        np.concatenate(unknown),
        None if losses is None else np.concatenate(losses),
    )


def as_blocks(texts: Sequence[str], each: int = 1 << 12) -> Generator[Block]:
    """Yield texts in blocks, numbered from 1.

    >>> [block.numbers for block in as_blocks(["a", "b", "c"], each=2)]
    [range(1, 3), range(3, 4)]
    """
    for first in range(0, len(texts), each):
        some = list(texts[first : first + each])
        yield Block(some, [None] * len(some), numbers=range(first + 1, first + 1 + len(some)))
