"""`microgpt score` on many lines: the rows of a block of them.

In: a block of texts, what prices and what judges them. Out: bytes, as they are printed.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.data.reader.block import Block
from microgpt.scoring.judge import Judge
from microgpt.scoring.price import Pricer
from microgpt.scoring.rows.forms import Form, Scored, head, rows


@dataclass(frozen=True)
class WrittenRows:
    """The rows of a block.

    Attributes:
        head: the heading, printed if this is the first block of all.
        rows: one for each document where they are wanted one by one, else all of them joined.
        losses: the documents' means where they are wanted one by one, else none.
        documents: how many documents there are.
        flagged: how many of these are flagged.
        characters: how many characters these have together.
    """

    head: bytes
    rows: list[bytes]
    losses: list[float]
    documents: int
    flagged: int
    characters: int


class RowWriter:
    """Writes the rows of blocks.

    Args:
        pricer: of the run.
        judge: says how rare a text is.
        form: of the rows.
        apart: whether rows are wanted one by one, to sort them.
        encoding: of the output, which they are written in at once.
    """

    def __init__(
        self, pricer: Pricer, judge: Judge, form: Form, *, apart: bool, encoding: str
    ) -> None:
        self._pricer, self._judge, self._apart, self._encoding = pricer, judge, apart, encoding
        self._form: Form = form

    def write(self, block: Block) -> WrittenRows:
        """Price a block's texts, and write their rows."""
        texts, judge = block.texts, self._judge
        heading = head(self._form, block, flags=judge.threshold is not None)
        above = heading.encode(self._encoding, "backslashreplace")
        if not texts:
            return WrittenRows(above, [], [], 0, 0, 0)
        priced = self._pricer.price(texts)
        lengths_D, means_D = priced.laid.lengths_D, priced.means_D
        flags_D = judge.flags(lengths_D, means_D)
        scored = Scored(
            block,
            means_D,
            judge.percentiles(lengths_D, means_D),
            *priced.spans(judge.usual),
            lengths_D,
            priced.laid.unknown_D,
            flags_D,
        )
        flagged = 0 if flags_D is None else int(flags_D.sum())
        written = rows(self._form, scored, self._encoding, apart=self._apart)
        means: list[float] = means_D.tolist() if self._apart else []
        return WrittenRows(above, written, means, len(texts), flagged, int(lengths_D.sum()))
