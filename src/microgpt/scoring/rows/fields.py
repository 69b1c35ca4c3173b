"""The scores of `microgpt score` on many lines, as CSV or JSON lines.

In: a block of texts and their scores. Out: the columns of their rows. Rows of a CSV file are
repeated byte for byte, with our columns after them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring, encode_basestring_ascii

import numpy as np
from numpy.typing import NDArray

from microgpt.data.reader.block import Block
from microgpt.data.reader.dialect import Dialect
from microgpt.data.texts import Texts
from microgpt.engines.contract import Floats
from microgpt.loss import LN_2
from microgpt.scoring.price import Offsets
from microgpt.scoring.rows.columns import Columns, CutTexts, Words
from microgpt.scoring.suggest import Suggestion
from microgpt.wording import figures

ALWAYS = ("loss", "bits", "percentile", "span", "unknown")
"""The columns that every row gets after those of the input."""

FIELDS = (
    "file", "row", "copies", *ALWAYS, "surprise", "flagged", "suggestion", "suggestion_loss",
    "skipped",
)  # fmt: skip
"""The same with those that it gets on request, in order."""

KINDS = {
    "loss": "float", "bits": "float", "percentile": "float", "span": "text", "unknown": "int",
    "flagged": "bool", "suggestion": "text", "suggestion_loss": "float",
}  # fmt: skip
"""The kind of value of each column that says something of a text."""

COMMAS = Dialect(",")
"""How rows are written that came in no table."""

_FALSE_TRUE = Words.of(["false", "true"])


@dataclass(frozen=True)
class Scored:
    """The texts of a block and their scores.

    Attributes:
        block: the texts, and the rows that they come from.
        means_D: the losses, nats a position.
        percentiles_D: None: there are none.
        starts_D: the first character of the most surprising span.
        stops_D: the character after its last; the end of a text counts as a character.
        lengths_D: in characters.
        unknown_D: how many of these are unknown.
        flags_D: whether the text is flagged; None: no texts are flagged.
        copies_D: how many rows have the text; empty: not to be written.
        surprises_D: what the part that surprises most costs above what is expected and usual;
            empty: not to be written.
        meant: what was probably meant, or None; empty: not to be written.
    """

    block: Block
    means_D: Floats
    percentiles_D: Floats | None
    starts_D: Offsets
    stops_D: Offsets
    lengths_D: Offsets
    unknown_D: Offsets
    flags_D: NDArray[np.bool_] | None
    copies_D: Sequence[int] = ()
    surprises_D: Sequence[float] = ()
    meant: Sequence[Suggestion | None] = ()


def fields(*asked: str) -> tuple[str, ...]:
    """Return FIELDS, those that are not always there if they are asked for.

    >>> fields("row")
    ('row', 'loss', 'bits', 'percentile', 'span', 'unknown')
    """
    return tuple(name for name in FIELDS if name in (*ALWAYS, *asked))


def headings(block: Block, fields: Sequence[str]) -> str:
    """Return the headings of CSV, given the first block of the input."""
    ours = [free(name, block.columns) for name in fields]
    if block.table is None:
        return f"{COMMAS.written([[*block.columns, *ours]])[0]}\n"
    body, end = parted(block.table.head)
    return block.table.dialect.delimiter.join([body, *ours]) + (end or block.table.end)


def add_fields(
    columns: Columns, scored: Scored, fields: Sequence[str], *, is_csv: bool, escaped: bool
) -> None:
    """Add the fields of each row, as CSV or as a JSON object.

    Args:
        columns: the rows, still empty.
        scored: the texts and their scores.
        fields: which of FIELDS.
        is_csv: whether to write CSV; else JSON.
        escaped: whether JSON escapes all characters that are not ASCII.
    """
    block, lengths_D = scored.block, scored.lengths_D
    table = block.table if is_csv else None
    dialect = table.dialect if table else COMMAS
    quoted = encode_basestring_ascii if escaped else encode_basestring
    opened, quote, closed, missing = ("", "", "", "") if is_csv else ('{"text": ', '"', "}", "null")
    texts = Texts.of(block.texts)
    if is_csv:
        cuts = CutTexts(texts, "csv" if dialect.quoted else "none", dialect.delimiter)
    elif escaped and not texts.data.tobytes().isascii():
        cuts = CutTexts(texts, written=lambda parts: (quoted(part)[1:-1] for part in parts))
    else:
        cuts = CutTexts(texts, "json")
    # Rows of a table are repeated as written, without their line ends.
    bodies = [parted(str(row)) for row in block.rows] if table else []
    objects = block.objects if not table and any(block.rows) else []
    named = [one for one in objects if one]

    def name(field: str) -> None:
        if is_csv:
            columns.same(dialect.delimiter)
        elif any(field in one for one in named):
            columns.each(Words.of([f', "{free(field, one or ())}": ' for one in objects]))
        else:
            columns.same(f', "{field}": ')

    def cell(text: str) -> str:
        return dialect.written([[text]])[0] if is_csv else quoted(text)

    pairs = zip(block.texts, objects)
    if table:
        columns.each(Words.of([body for body, _ in bodies]))
    elif not named:
        columns.same(f"{opened}{quote}")
        cuts.add(columns, 0 * lengths_D, lengths_D)
        columns.same(quote)
    elif is_csv:
        cells = ([one.get(c, "") for c in block.columns] if one else [text] for text, one in pairs)
        columns.each(Words.of(COMMAS.written(cells)))
    else:
        every = (one or {"text": text} for text, one in pairs)
        columns.each(Words.of([json.dumps(o, ensure_ascii=escaped)[:-1] for o in every]))
    if "file" in fields:
        name("file")
        columns.same(cell(block.file))
    if "row" in fields:
        name("row")
        columns.whole(np.array(block.numbers, dtype=np.int64))
    if "copies" in fields:
        name("copies")
        columns.whole(np.array(scored.copies_D, dtype=np.int64))
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
    cuts.add(columns, scored.starts_D, scored.stops_D)
    columns.same(quote)
    name("unknown")
    columns.whole(scored.unknown_D)
    if "surprise" in fields:
        name("surprise")
        columns.numbers(np.array(scored.surprises_D), 2)
    if scored.flags_D is not None:
        name("flagged")
        columns.choose(_FALSE_TRUE, scored.flags_D)
    if "suggestion" in fields:
        name("suggestion")
        columns.each(Words.of([cell(one.text) if one else missing for one in scored.meant]))
        name("suggestion_loss")
        columns.each(Words.of([figures(one.loss, 4) if one else missing for one in scored.meant]))
    if "skipped" in fields:
        name("skipped")
        columns.same(missing)
    ends = [end or table.end for _, end in bodies] if table else ["\n"]
    columns.same(closed)
    if len(set(ends)) == 1:
        return columns.same(ends[0])
    return columns.each(Words.of(ends))


def parted(row: str) -> tuple[str, str]:
    """Split a row, as written, into its cells and its line end."""
    body = row.rstrip("\r\n")
    return body, row[len(body) :]


def free(name: str, taken: Iterable[str]) -> str:
    """Return a column's name, with "model_" before it if the input has a column of that name."""
    return f"model_{name}" if name in taken else name
