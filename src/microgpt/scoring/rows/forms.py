"""`microgpt score` on many lines: a block as rows of a table, JSON lines or CSV.

Most blocks are plain: nothing in their texts needs quotes, and they came in no columns. Rows of a
table that came as CSV are repeated byte for byte, with our columns after them. The columns of other
input, and the spans, are written by the libraries csv and json.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from microgpt.data.reader.block import Block
from microgpt.data.reader.dialect import Dialect
from microgpt.engines.contract import Floats
from microgpt.loss import LN_2
from microgpt.scoring.rows.columns import Columns, Words
from microgpt.scoring.walk import Offsets
from microgpt.wording import END, printable

Form = Literal["table", "jsonl", "csv"]

FIELDS = ("loss", "bits", "percentile", "span", "unknown", "flagged")
"""What a row says of its document, after the columns that it came with; the last if asked for."""

_TABLE = "  nats   bits  rarer than  unknown  text, and in [] what surprises most\n"
_COMMAS = Dialect(",")
_FALSE_TRUE, _FLAGGED = Words.of(["false", "true"]), Words.of(["", "  flagged"])


@dataclass(frozen=True)
class Scored:
    """The texts of a block and what their rows say.

    Attributes:
        block: the texts, and the rows they came in.
        means_D: nats a position.
        percentiles_D: None: they are not known.
        starts_D: the first character of what surprises most.
        stops_D: the character after its last; the end of a text counts as a character.
        lengths_D: in characters.
        unknown_D: how many of these are unknown.
        flags_D: whether it is flagged; None: nobody asked.
    """

    block: Block
    means_D: Floats
    percentiles_D: Floats | None
    starts_D: Offsets
    stops_D: Offsets
    lengths_D: Offsets
    unknown_D: Offsets
    flags_D: NDArray[np.bool_] | None


def head(form: Form, block: Block, *, flags: bool) -> str:
    """Return what stands above the first row, given the first block of the input."""
    if form == "jsonl":
        return ""
    if form == "table":
        return _TABLE
    ours = [_free(f, block.columns) for f in FIELDS[: 6 if flags else 5]]
    if block.table is None:
        return f"{_COMMAS.written([[*block.columns, *ours]])[0]}\n"
    body, end = _parted(block.table.head)
    return block.table.dialect.delimiter.join([body, *ours]) + (end or block.table.end)


def rows(form: Form, scored: Scored, encoding: str, *, apart: bool) -> list[bytes]:
    """Return a row for each text, line ends included; all of them joined unless wanted apart."""
    columns = Columns(len(scored.block.texts))
    if form == "table":
        _add_table(columns, scored)
    else:
        _add_fields(
            columns, form, scored, escaped=form == "jsonl" and "utf" not in encoding.lower()
        )
    joined, offsets = columns.joined()
    found = [joined[a:b] for a, b in pairwise(offsets.tolist())] if apart else [joined]
    if codecs.lookup(encoding).name == "utf-8":
        return found
    return [row.decode().encode(encoding, "backslashreplace") for row in found]


class _Texts:
    """A block's texts, to cut from.

    Args:
        scored: the block.
        quoted: writes what is cut, if need be.
        special: characters for which it need be; for what cannot be printed it always does.
        escaped: for what is not ASCII, too.
    """

    def __init__(
        self,
        scored: Scored,
        quoted: Callable[[Iterable[str]], list[str]],
        special: str,
        *,
        escaped: bool = False,
    ) -> None:
        self._texts, self._lengths_D, self._quoted = scored.block.texts, scored.lengths_D, quoted
        joined = "".join(self._texts)
        self._plain = joined.isprintable() and not any(c in joined for c in special)
        self._plain = self._plain and (joined.isascii() or not escaped)
        # Where a character is a byte, texts are cut without looking at any of them.
        self._words: Words | None = None
        if self._plain and joined.isascii():
            ends_D = np.cumsum(scored.lengths_D)
            self._words = Words(joined.encode(), np.append(np.zeros(1, np.int64), ends_D))
        self._ends = Words.of(["", json.dumps(END)[1:-1] if escaped else END])

    def add(self, columns: Columns, starts_D: Offsets, stops_D: Offsets) -> None:
        """Add of each text what is from a character up to another, perhaps with the end."""
        if self._words:
            begins_D = self._words.offsets[:-1]
            upto_D = np.minimum(stops_D, self._lengths_D)
            columns.cut(self._words, begins_D + np.minimum(starts_D, upto_D), begins_D + upto_D)
            ended_D = stops_D > self._lengths_D
            return columns.choose(self._ends, ended_D) if ended_D.any() else None
        cuts = zip(self._texts, starts_D.tolist(), stops_D.tolist())
        parts = [f"{text}{END}"[start:stop] for text, start, stop in cuts]
        return columns.each(Words.of(parts if self._plain else self._quoted(parts)))


def _add_table(columns: Columns, scored: Scored) -> None:
    texts = _Texts(scored, lambda parts: [*map(printable, parts)], "")
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
    _add_counts(columns, scored.unknown_D, zero=" " * 7)
    columns.same("  ")
    texts.add(columns, 0 * scored.starts_D, scored.starts_D)
    columns.same("[")
    texts.add(columns, scored.starts_D, scored.stops_D)
    columns.same("]")
    texts.add(columns, scored.stops_D, scored.lengths_D)
    if scored.flags_D is not None:
        columns.choose(_FLAGGED, scored.flags_D)
    columns.same("\n")


def _add_fields(columns: Columns, form: Form, scored: Scored, *, escaped: bool) -> None:
    block, is_csv = scored.block, form == "csv"
    table = block.table if is_csv else None
    dialect = table.dialect if table else _COMMAS
    quoted = encode_basestring_ascii if escaped else encode_basestring
    opened, quote, closed, missing = ("", "", "", "") if is_csv else ('{"text": ', '"', "}", "null")
    if is_csv:
        texts = _Texts(
            scored, lambda parts: dialect.written([part] for part in parts), dialect.delimiter + '"'
        )
    else:
        texts = _Texts(
            scored, lambda parts: [quoted(part)[1:-1] for part in parts], '"\\', escaped=escaped
        )
    # As they stand they are cells already.
    parted = [_parted(str(row)) for row in block.rows] if table else []
    objects = block.objects if not table and any(block.rows) else []
    named = [one for one in objects if one]

    def name(field: str) -> None:
        if is_csv:
            columns.same(dialect.delimiter)
        elif any(field in one for one in named):
            columns.each(Words.of([f', "{_free(field, one or ())}": ' for one in objects]))
        else:
            columns.same(f', "{field}": ')

    pairs = zip(block.texts, objects)
    if table:
        columns.each(Words.of([body for body, _ in parted]))
    elif not named:
        columns.same(f"{opened}{quote}")
        texts.add(columns, 0 * scored.starts_D, scored.lengths_D)
        columns.same(quote)
    elif is_csv:
        cells = ([one.get(c, "") for c in block.columns] if one else [text] for text, one in pairs)
        columns.each(Words.of(_COMMAS.written(cells)))
    else:
        every = (one or {"text": text} for text, one in pairs)
        columns.each(Words.of([json.dumps(o, ensure_ascii=escaped)[:-1] for o in every]))
    name("loss")
    columns.numbers(scored.means_D, 4)
    name("bits")
    columns.numbers(scored.means_D / LN_2, 4)
    name("percentile")
    if scored.percentiles_D is None:
        columns.same(missing)
    else:
        columns.numbers(scored.percentiles_D, 2)
    name("span")
    columns.same(quote)
    texts.add(columns, scored.starts_D, scored.stops_D)
    columns.same(quote)
    name("unknown")
    _add_counts(columns, scored.unknown_D, zero="0")
    if scored.flags_D is not None:
        name("flagged")
        columns.choose(_FALSE_TRUE, scored.flags_D)
    ends = [end or table.end for _, end in parted] if table else ["\n"]
    columns.same(closed)
    if len(set(ends)) == 1:
        return columns.same(ends[0])
    return columns.each(Words.of(ends))


def _add_counts(columns: Columns, counts_D: Offsets, zero: str) -> None:
    if not counts_D.any():
        return columns.same(zero)
    return columns.each(Words.of([f"{n:>{len(zero)}}" if n else zero for n in counts_D.tolist()]))


def _parted(row: str) -> tuple[str, str]:
    """Part a row as it stands from its line end."""
    body = row.rstrip("\r\n")
    return body, row[len(body) :]


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name, or one that the input's columns do not have yet."""
    return f"model_{name}" if name in taken else name
