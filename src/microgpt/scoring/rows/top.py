"""The most surprising texts of any number, in memory that grows with how many are wanted alone.

In: blocks of texts. Out: of each block those that may be among them; then blocks of these, in order
of their losses.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from microgpt.data.reader.block import Block
from microgpt.scoring.price import Pricer
from microgpt.scoring.reference import Judge
from microgpt.scoring.rows.forms import WrittenRows


@dataclass(frozen=True)
class TopWriter:
    """Prices blocks and writes nothing: of each it returns the texts that cost most, or least.

    Attributes:
        judge: says which are flagged.
        most: how many are wanted.
        best: whether those that cost least are.
    """

    judge: Judge
    most: int
    best: bool

    def write(self, pricer: Pricer, block: Block) -> WrittenRows:
        """Return the texts of a block that may be among those wanted."""
        if not block.texts:
            return WrittenRows(b"", [], [], 0, 0, 0)
        priced = pricer.price(block.texts)
        lengths_D, means_D = priced.laid.lengths_D, priced.means_D
        flags_D = self.judge.flags(lengths_D, means_D)
        # Of equal ones the first; in the order of the block.
        order = np.argsort(means_D if self.best else -means_D, kind="stable")
        which: list[int] = np.sort(order[: self.most]).tolist()
        return WrittenRows(
            b"",
            [],
            means_D[which].tolist(),
            len(block.texts),
            0 if flags_D is None else int(flags_D.sum()),
            int(lengths_D.sum()),
            chosen=_taken(block, which),
        )


class Top:
    """The texts that cost most of all that come, or least.

    Args:
        most: how many are wanted.
        best: whether those that cost least are.
    """

    def __init__(self, most: int, *, best: bool) -> None:
        self._most, self._sign, self._came = most, -1.0 if best else 1.0, 0
        # The one to go next comes first: of equal ones the last that came.
        self._kept: list[tuple[float, int, Block]] = []

    def add(self, block: Block, losses: list[float]) -> None:
        """Add the texts of a block, each with its loss."""
        for d, loss in enumerate(losses):
            self._came -= 1
            key = self._sign * loss, self._came
            if len(self._kept) < self._most:
                heapq.heappush(self._kept, (*key, _taken(block, [d])))
            elif key > self._kept[0][:2]:
                heapq.heapreplace(self._kept, (*key, _taken(block, [d])))

    def ranked(self) -> Iterator[Block]:
        """Yield those wanted, the first one first; together as long as they are of one file."""
        ordered = (block for _, _, block in sorted(self._kept, reverse=True))
        for _, some in groupby(ordered, lambda block: (block.table, block.file)):
            blocks = [*some]
            yield replace(
                blocks[0],
                texts=[text for block in blocks for text in block.texts],
                rows=[row for block in blocks for row in block.rows],
                numbers=[number for block in blocks for number in block.numbers],
            )


def _taken(block: Block, which: list[int]) -> Block:
    """Return some texts of a block."""
    texts, rows, numbers = block.texts, block.rows, block.numbers
    return replace(
        block,
        texts=[texts[d] for d in which],
        rows=[rows[d] for d in which],
        blank=0,
        blank_characters=0,
        numbers=[numbers[d] for d in which],
        left_out=(),
    )
