"""The rows of a block of texts: measured, judged, and written as a table, JSON lines or CSV.

In: a block of texts, a pricer, a judge. Out: bytes, as they are printed. The table is laid out
here, the other forms in `fields`.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from microgpt.data.reader.block import Block
from microgpt.loss import LN_2
from microgpt.scoring.price import Pricer
from microgpt.scoring.reference import Judge
from microgpt.scoring.rows.columns import Columns, CutTexts, Words
from microgpt.scoring.rows.fields import Scored, add_fields, headings
from microgpt.wording import printable

Form = Literal["table", "jsonl", "csv"]

_TABLE = "  nats   bits  rarer than  unknown  text, and in [] what surprises most\n"
_FLAGGED = Words.of(["", "  flagged"])


@dataclass(frozen=True)
class WrittenRows:
    """The rows of a block.

    Attributes:
        head: the heading, to be printed before the first block.
        rows: one for each document if written one by one, else all joined.
        losses: the loss of each document if written one by one, else empty.
        documents: how many documents the block has.
        flagged: how many of them are flagged.
        characters: how many characters they have together.
    """

    head: bytes
    rows: list[bytes]
    losses: list[float]
    documents: int
    flagged: int
    characters: int


@dataclass(frozen=True)
class RowWriter:
    """Writes the rows of blocks.

    Attributes:
        judge: computes percentiles and flags.
        form: of the rows.
        apart: whether rows are returned one by one, to be sorted.
        encoding: of the output.
    """

    judge: Judge
    form: Form
    apart: bool
    encoding: str

    def write(self, pricer: Pricer, block: Block) -> WrittenRows:
        """Measure a block's texts, judge them, and return their rows."""
        judge, texts = self.judge, block.texts
        heading = head(self.form, block, flags=judge.threshold is not None)
        above = heading.encode(self.encoding, "backslashreplace")
        if not texts:
            return WrittenRows(above, [], [], 0, 0, 0)
        priced = pricer.price(texts)
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
        written = rows(self.form, scored, self.encoding, apart=self.apart)
        means: list[float] = means_D.tolist() if self.apart else []
        return WrittenRows(above, written, means, len(texts), flagged, int(lengths_D.sum()))


def head(form: Form, block: Block, *, flags: bool) -> str:
    """Return the heading, given the first block of the input; "" for JSON lines."""
    if form == "table":
        return _TABLE
    return headings(block, flags=flags) if form == "csv" else ""


def rows(form: Form, scored: Scored, encoding: str, *, apart: bool) -> list[bytes]:
    """Return the rows of a block with their line ends: one by one if `apart`, else all joined."""
    columns = Columns(len(scored.block.texts))
    if form == "table":
        _add_table(columns, scored)
    else:
        escaped = form == "jsonl" and "utf" not in encoding.lower()
        add_fields(columns, scored, is_csv=form == "csv", escaped=escaped)
    joined, offsets = columns.joined()
    found = [joined[a:b] for a, b in pairwise(offsets.tolist())] if apart else [joined]
    if codecs.lookup(encoding).name == "utf-8":
        return found
    return [row.decode().encode(encoding, "backslashreplace") for row in found]


def _add_table(columns: Columns, scored: Scored) -> None:
    lengths_D = scored.lengths_D
    texts = CutTexts(scored.block.texts, lengths_D, lambda parts: [*map(printable, parts)], "")
    columns.numbers(scored.means_D, 2, 6)
    columns.same(" ")
    columns.numbers(scored.means_D / LN_2, 2, 6)
    if scored.percentiles_D is None:
        columns.same(" " * 12)
    else:
        columns.same("  ")
        columns.numbers(scored.percentiles_D, 1, 8)
        columns.same(" %")
    columns.same("  ")
    columns.counts(scored.unknown_D, zero=" " * 7)
    columns.same("  ")
    texts.add(columns, 0 * scored.starts_D, scored.starts_D)
    columns.same("[")
    texts.add(columns, scored.starts_D, scored.stops_D)
    columns.same("]")
    texts.add(columns, scored.stops_D, lengths_D)
    if scored.flags_D is not None:
        columns.choose(_FLAGGED, scored.flags_D)
    columns.same("\n")
