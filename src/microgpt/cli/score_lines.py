"""`microgpt score` on many lines: what is told of a block of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

from microgpt.cli.judge import Judge
from microgpt.cli.score_forms import Form, head, rows
from microgpt.corpus.stream import Block
from microgpt.evaluate.price import Pricer


@dataclass(frozen=True)
class Told:
    """What is printed of a block.

    Attributes:
        head: what stands above, if this is the first of all.
        rows: one for each document where they are wanted apart, else all of them joined.
        losses: of each document where they are wanted apart.
        documents: how many.
        flagged: how many of these.
        characters: of all of them.
    """

    head: bytes
    rows: list[bytes]
    losses: list[float]
    documents: int
    flagged: int
    characters: int


class Teller:
    """Turns blocks into rows.

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

    def tell(self, block: Block) -> Told:
        """Price a block, and write it down."""
        texts, judge = block.texts, self._judge
        above = self._bytes(head(self._form, block.columns, flags=judge.thresholds is not None))
        if not texts:
            return Told(above, [], [], 0, 0, 0)
        priced = self._pricer.price(texts)
        lengths_D, means_D = priced.laid.lengths_D, priced.means_D
        starts, stops = priced.spans(judge.usual)
        flags = judge.flags(lengths_D, means_D)
        pieces = rows(
            self._form,
            block,
            means_D,
            judge.percentiles(lengths_D, means_D),
            (starts.tolist(), stops.tolist()),
            priced.laid.unknown_D.tolist(),
            flags,
            escaped="utf" not in self._encoding.lower(),
        )
        size, flagged = int(lengths_D.sum()), sum(flags or ())
        if self._apart:
            written = [self._bytes("".join(row)) for row in pieces]
            return Told(above, written, means_D.tolist(), len(texts), flagged, size)
        joined = "".join(chain.from_iterable(pieces))
        return Told(above, [self._bytes(joined)], [], len(texts), flagged, size)

    def _bytes(self, text: str) -> bytes:
        return text.encode(self._encoding, "backslashreplace")
