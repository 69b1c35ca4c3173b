"""The rows of a block of texts: measured, judged, and written as a table, JSON lines or CSV.

In: a block of texts, a pricer, a judge. Out: bytes, as they are printed. The table is laid out
here, the other forms in `fields`.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np

from microgpt.data.reader.block import Block
from microgpt.data.texts import Texts
from microgpt.loss import LN_2
from microgpt.scoring.price import Pricer
from microgpt.scoring.reference import Judge
from microgpt.scoring.rows import leftout
from microgpt.scoring.rows.columns import Columns, CutTexts, Words
from microgpt.scoring.rows.fields import Scored, add_fields, fields, headings
from microgpt.scoring.suggest import Suggester, Suggestion
from microgpt.wording import printable

Form = Literal["table", "jsonl", "csv"]

_TABLE = "  nats   bits  rarer than  unknown  text, and in [] what surprises most\n"
_CONTROLS = bytes([*range(32), 127])
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
        left_out: rows that are not documents, if written one by one.
        chosen: the documents that may be among those wanted; None: all are.
    """

    head: bytes
    rows: list[bytes]
    losses: list[float]
    documents: int
    flagged: int
    characters: int
    left_out: list[bytes] = field(default_factory=list[bytes])
    chosen: Block | None = None


class BlockWriter(Protocol):
    """Whatever makes rows of blocks; it must be picklable."""

    def write(self, pricer: Pricer, block: Block) -> WrittenRows:
        """Price a block's texts and return their rows."""
        ...


@dataclass(frozen=True)
class RowWriter:
    """Writes the rows of blocks.

    Attributes:
        judge: computes percentiles and flags.
        form: of the rows.
        apart: whether rows are returned one by one, to be sorted.
        encoding: of the output.
        fields: columns beside those that rows always get: "file", "row", "suggestion", "skipped".
        suggests: whether to suggest what was meant by "flagged" texts, or by "all".
    """

    judge: Judge
    form: Form
    apart: bool
    encoding: str
    fields: tuple[str, ...] = ()
    suggests: Literal["flagged", "all"] = "flagged"

    def write(self, pricer: Pricer, block: Block) -> WrittenRows:
        """Measure a block's texts, judge them, and return their rows."""
        block = replace(block, texts=Texts.of(block.texts))
        judge, texts = self.judge, block.texts
        names = fields(*self.fields, *(("flagged",) if judge.threshold else ()))
        above = head(self.form, block, names).encode(self.encoding, "backslashreplace")
        if not texts:
            others = left_out(self.form, block, names, self.encoding)
            if self.apart:
                return WrittenRows(above, [], [], 0, 0, 0, others)
            return WrittenRows(above, others, [], 0, 0, 0)
        priced = pricer.price(texts)
        lengths_D, means_D = priced.laid.lengths_D, priced.means_D
        percentiles_D, flags_D = judge.judged(lengths_D, means_D)
        scored = Scored(
            block,
            means_D,
            percentiles_D,
            *priced.spans(judge.usual),
            lengths_D,
            priced.laid.unknown_D,
            flags_D,
        )
        if "suggestion" in names:
            scored = replace(scored, meant=self._meant(pricer, scored))
        flagged = 0 if flags_D is None else int(flags_D.sum())
        written = rows(self.form, scored, names, self.encoding, apart=self.apart)
        means: list[float] = means_D.tolist() if self.apart else []
        others = left_out(self.form, block, names, self.encoding) if self.apart else []
        counts = len(texts), flagged, int(lengths_D.sum())
        return WrittenRows(above, written, means, *counts, others)

    def _meant(self, pricer: Pricer, scored: Scored) -> list[Suggestion | None]:
        """Return what was probably meant by each text, or by those that are flagged."""
        texts, flags_D = scored.block.texts, scored.flags_D
        wanted_D = np.full(len(texts), True)
        if self.suggests == "flagged":
            wanted_D = wanted_D & False if flags_D is None else flags_D
        which: list[int] = np.flatnonzero(wanted_D).tolist()
        meant: list[Suggestion | None] = [None] * len(texts)
        if which:
            suggester = Suggester(pricer)
            starts, stops = scored.starts_D[which].tolist(), scored.stops_D[which].tolist()
            for d, one in zip(which, suggester.suggest([texts[d] for d in which], starts, stops)):
                meant[d] = one
        return meant


def head(form: Form, block: Block, names: Sequence[str]) -> str:
    """Return the heading, given the first block of the input; "" for JSON lines."""
    if form == "table":
        return f"{'     row' if 'row' in names else ''}{_TABLE}"
    return headings(block, names) if form == "csv" else ""


def rows(
    form: Form, scored: Scored, names: Sequence[str], encoding: str, *, apart: bool
) -> list[bytes]:
    """Return a row for each text, line ends included; unless wanted apart, all of them joined.

    Args:
        form: of the rows.
        scored: the texts; where rows are joined, those left out stand among them.
        names: which of FIELDS they have.
        encoding: of the output.
        apart: whether they are wanted one by one.
    """
    block = scored.block
    columns = Columns(len(block.texts))
    if form == "table":
        _add_table(columns, scored, names)
    else:
        escaped = _is_escaped(form, encoding)
        add_fields(columns, scored, names, is_csv=form == "csv", escaped=escaped)
    joined, offsets = columns.joined()
    mixed = "skipped" in names and bool(block.left_out) and not apart
    if not apart and not mixed:
        return _encoded([joined], encoding)
    found = _encoded([joined[a:b] for a, b in pairwise(offsets.tolist())], encoding)
    if not mixed:
        return found
    others = zip((one.number for one in block.left_out), left_out(form, block, names, encoding))
    return [b"".join(row for _, row in sorted([*zip(block.numbers, found), *others]))]


def left_out(form: Form, block: Block, names: Sequence[str], encoding: str) -> list[bytes]:
    """Return a row for each that is no document, line ends included; none if nobody asked."""
    if "skipped" not in names:
        return []
    if form == "table":
        lines = [f"{one.number:>8}{'':32}skipped: {one.why}\n" for one in block.left_out]
    elif form == "csv":
        lines = leftout.as_csv(block, names)
    else:
        lines = leftout.as_json(block, names, escaped=_is_escaped(form, encoding))
    return [line.encode(encoding, "backslashreplace") for line in lines]


def _is_escaped(form: Form, encoding: str) -> bool:
    """Return whether what is not ASCII is escaped, in JSON."""
    return form == "jsonl" and "utf" not in encoding.lower()


def _encoded(found: list[bytes], encoding: str) -> list[bytes]:
    """Return rows of UTF-8 in the encoding of the output."""
    if codecs.lookup(encoding).name == "utf-8":
        return found
    return [row.decode().encode(encoding, "backslashreplace") for row in found]


def _is_printable(texts: Texts) -> bool:
    """Return whether nothing in texts needs an escape; False also if one has a line feed."""
    data = texts.data.tobytes()
    if data.isascii():
        return len(data.translate(None, _CONTROLS)) == len(data) - len(texts)
    text = texts.text
    return text.count("\n") == len(texts) and text.replace("\n", "").isprintable()


def _add_table(columns: Columns, scored: Scored, names: Sequence[str]) -> None:
    lengths_D = scored.lengths_D
    texts = Texts.of(scored.block.texts)
    is_printable = _is_printable(texts)
    cuts = CutTexts(
        texts, written=None if is_printable else lambda parts: (printable(p) for p in parts)
    )
    if "row" in names:
        columns.whole(np.array(scored.block.numbers), 8)
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
    columns.whole(scored.unknown_D, 7, zero=" " * 7)
    columns.same("  ")
    cuts.add(columns, 0 * scored.starts_D, scored.starts_D)
    columns.same("[")
    cuts.add(columns, scored.starts_D, scored.stops_D)
    columns.same("]")
    cuts.add(columns, scored.stops_D, lengths_D)
    if scored.flags_D is not None:
        columns.choose(_FLAGGED, scored.flags_D)
    if "suggestion" in names:
        meant = (f"  -> {printable(one.text)}" if one else "" for one in scored.meant)
        columns.each(Words.of([*meant]))
    columns.same("\n")
