"""`microgpt score` on many lines: what is told of a block of them."""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.data.reader.block import Block
from microgpt.scoring.judge import Judge
from microgpt.scoring.price import Pricer
from microgpt.scoring.rows.forms import Facts, Form, head, rows


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
        heading = head(self._form, block, flags=judge.threshold is not None)
        above = heading.encode(self._encoding, "backslashreplace")
        if not texts:
            return Told(above, [], [], 0, 0, 0)
        priced = self._pricer.price(texts)
        lengths_D, means_D = priced.laid.lengths_D, priced.means_D
        flags_D = judge.flags(lengths_D, means_D)
        facts = Facts(
            block,
            means_D,
            judge.percentiles(lengths_D, means_D),
            *priced.spans(judge.usual),
            lengths_D,
            priced.laid.unknown_D,
            flags_D,
        )
        flagged = 0 if flags_D is None else int(flags_D.sum())
        written = rows(self._form, facts, self._encoding, apart=self._apart)
        means: list[float] = means_D.tolist() if self._apart else []
        return Told(above, written, means, len(texts), flagged, int(lengths_D.sum()))
