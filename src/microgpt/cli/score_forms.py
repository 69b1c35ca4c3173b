"""`microgpt score` on many lines: a block's facts as rows of a table, JSON lines or CSV.

Most blocks are plain: nothing in their texts needs quotes. Their rows are joined from a few whole
columns, each number with what stands before it, so that a row takes half a microsecond.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, repeat
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from microgpt.alphabet import printable
from microgpt.corpus.stream import Block
from microgpt.engines.contract import Floats
from microgpt.evaluate.walk import Offsets
from microgpt.loss import LN_2
from microgpt.words import END

Form = Literal["table", "jsonl", "csv"]

FIELDS = ("loss", "bits", "percentile", "span", "unknown", "flagged")
"""What is told of each document, behind the columns it came with; the last one if asked for."""

_TABLE = "  nats   bits  rarer than  unknown  text, and in [] what surprises most\n"
# In place of END until all is joined: with it a text is a byte a character, and quicker to join.
_NARROW = "\x1a"


@dataclass(frozen=True)
class Facts:
    """What is told of the texts of a block.

    Attributes:
        block: the texts, and the rows they came in.
        means_D: nats a position.
        percentiles_D: None: they are not known.
        starts_D: the first character of what surprises most.
        stops_D: behind its last; the end of a text is a character too.
        unknown: how many characters are.
        flags: whether it is flagged; None: nobody asked.
    """

    block: Block
    means_D: Floats
    percentiles_D: Floats | None
    starts_D: Offsets
    stops_D: Offsets
    unknown: list[int]
    flags: list[bool] | None


def head(form: Form, columns: Sequence[str], *, flags: bool) -> str:
    """Return what stands above the first row, given the columns of the input."""
    if form == "jsonl":
        return ""
    if form == "table":
        return _TABLE
    return _csv_row([*columns, *(_free(name, columns) for name in FIELDS[: 6 if flags else 5])])


def rows(form: Form, facts: Facts, encoding: str, *, apart: bool) -> list[bytes]:
    """Return a row for each text, line ends included; all of them joined unless wanted apart."""
    escaped = form == "jsonl" and "utf" not in encoding.lower()
    texts = facts.block.texts
    joined = "".join(texts)
    plain = not any(facts.block.rows) and joined.isprintable()
    plain = plain and not any(c in joined for c in ',"\\') and (joined.isascii() or not escaped)
    narrow = plain and joined.isascii() and _NARROW.encode(encoding) == _NARROW.encode()
    end = _NARROW if narrow else END
    if form == "table":
        pieces = _table(facts, end, plain=plain)
    elif plain:
        pieces = _plain(form, facts, end)
    else:
        pieces = zip(_quoted(form, facts, escaped=escaped, apart=apart))
    written = map("".join, pieces) if apart else ["".join(chain.from_iterable(pieces))]
    last = json.dumps(END)[1:-1] if escaped else END
    wide = last.encode(encoding, "backslashreplace")
    found = [row.encode(encoding, "backslashreplace") for row in written]
    return [row.replace(_NARROW.encode(), wide) for row in found] if narrow else found


def decimals(values: Floats, places: int, before: str = "", width: int = 0) -> list[str]:
    """Write numbers with so many decimals; most are looked up, which takes a tenth of the time.

    Args:
        values: from 0.
        places: decimals.
        before: what stands before each.
        width: of the number itself, at least.

    >>> decimals(np.array([0.1, 2.71828, 12345.6]), 2, ",")
    [',0.10', ',2.72', ',12345.60']
    """
    words = _words(places, before, width)
    whole = np.rint(values * 10**places)
    if not (whole < len(words)).all():
        return [f"{before}{value:{width}.{places}f}" for value in values.tolist()]
    return words[whole.astype(np.int64)].tolist()


@lru_cache
def _words(places: int, before: str, width: int) -> NDArray[np.object_]:
    """Return 0 to 20 nats, or 0 to 100 percent, in steps of the last decimal, as words."""
    most = 20 if places > 2 else 100
    count = most * 10**places + 1
    words = [f"{before}{i / 10**places:{width}.{places}f}" for i in range(count)]
    return np.array(words, dtype=object)


def _marked(facts: Facts, end: str) -> tuple[str, list[int], list[int], list[int]]:
    """Return all texts, an end behind each; and where each begins, its span begins and ends."""
    lengths = [*map(len, facts.block.texts)]
    first_D = np.cumsum([0, *lengths[:-1]]) + np.arange(len(lengths))
    places = first_D, first_D + facts.starts_D, first_D + facts.stops_D
    firsts, starts, stops = (at_D.tolist() for at_D in places)
    return end.join([*facts.block.texts, ""]), firsts, starts, stops


def _spans(facts: Facts, end: str) -> list[str]:
    marked, _, starts, stops = _marked(facts, end)
    return [marked[start:stop] for start, stop in zip(starts, stops)]


def _plain(form: Form, facts: Facts, end: str) -> Iterable[Sequence[str]]:
    if form == "csv":
        opened, quote, of = "", "", (",", ",", ",", ",", ",", ",")
    else:
        opened, quote = '{"text": "', '"'
        of = tuple(f', "{name}": ' for name in FIELDS)
    closed = "\n" if form == "csv" else "}\n"
    missing = "" if form == "csv" else "null"
    rare: Iterable[str] = repeat(f"{of[2]}{missing}")
    if facts.percentiles_D is not None:
        rare = decimals(facts.percentiles_D, 2, of[2])
    tails = [f"{quote}{of[4]}{n}" for n in facts.unknown] if any(facts.unknown) else None
    all_known = f"{quote}{of[4]}0"
    marks = {mark: f"{of[5]}{str(mark).lower()}{closed}" for mark in (False, True)}
    last = repeat(closed) if facts.flags is None else [marks[flag] for flag in facts.flags]
    return zip(
        repeat(opened),
        facts.block.texts,
        decimals(facts.means_D, 4, f"{quote}{of[0]}"),
        decimals(facts.means_D / LN_2, 4, of[1]),
        rare,
        repeat(f"{of[3]}{quote}"),
        _spans(facts, end),
        tails or repeat(all_known),
        last,
    )


def _quoted(form: Form, facts: Facts, *, escaped: bool, apart: bool) -> list[str]:
    """Return rows with the columns that came, and whatever is in the texts."""
    quoted = encode_basestring_ascii if escaped else encode_basestring
    block, spans = facts.block, _spans(facts, END)
    told: list[Iterable[str]] = [
        decimals(facts.means_D, 4),
        decimals(facts.means_D / LN_2, 4),
        repeat("null" if form == "jsonl" else "")
        if facts.percentiles_D is None
        else decimals(facts.percentiles_D, 2),
        map(quoted, spans) if form == "jsonl" else spans,
        map(str, facts.unknown),
    ]
    if facts.flags is not None:
        told.append(["true" if flag else "false" for flag in facts.flags])
    if form == "csv":
        cells = (
            [*(row.get(name, "") for name in block.columns), *values] if row else [text, *values]
            for text, row, *values in zip(block.texts, block.rows, *told)
        )
        return [_csv_row(row) for row in cells] if apart else [_csv_rows(cells)]
    if not any(block.rows):
        line = ", ".join(f'"{name}": %s' for name in ("text", *FIELDS[: len(told)]))
        return [f"{{{line % row}}}\n" for row in zip(map(quoted, block.texts), *told)]
    lines: list[str] = []
    for text, row, *values in zip(block.texts, block.rows, *told):
        kept = {"text": text} if row is None else row
        own = ", ".join(f'"{_free(name, kept)}": {value}' for name, value in zip(FIELDS, values))
        lines.append(f"{json.dumps(kept, ensure_ascii=escaped)[:-1]}, {own}}}\n")
    return lines


def _table(facts: Facts, end: str, *, plain: bool) -> Iterable[Sequence[str]]:
    rare: Iterable[str] = repeat(" " * 10)
    if facts.percentiles_D is not None:
        rare = decimals(facts.percentiles_D, 1, "  ", 8)
    percent = "  " if facts.percentiles_D is None else " %"
    unknown: Iterable[str] = repeat(f"{percent}{'':9}  ")
    if any(facts.unknown):
        unknown = [f"{percent}  {n or '':>7}  " for n in facts.unknown]
    marked, firsts, starts, stops = _marked(facts, end)
    lasts = [*firsts[1:], len(marked)]
    # The end is shown where it is of the span.
    cuts = zip(firsts, starts), zip(starts, stops), zip(stops, (last - 1 for last in lasts))
    parts = ([marked[a:b] for a, b in cut] for cut in cuts)
    before, spans, behind = parts if plain else ([*map(printable, part)] for part in parts)
    marks = ["  flagged\n" if flag else "\n" for flag in facts.flags or ()] or repeat("\n")
    return zip(
        decimals(facts.means_D, 2, "", 6), decimals(facts.means_D / LN_2, 2, " ", 6), rare, unknown,
        before, repeat("["), spans, repeat("]"), behind, marks,
    )  # fmt: skip


def _csv_row(cells: list[Any]) -> str:
    return _csv_rows([cells])


def _csv_rows(rows: Iterable[list[Any]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(rows)
    return written.getvalue()


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name, or one that the input's columns do not have yet."""
    return f"model_{name}" if name in taken else name
