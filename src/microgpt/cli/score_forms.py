"""`microgpt score` on many lines: a block's facts as rows of a table, JSON lines or CSV.

Rows are joined from whole columns: a row takes less than a microsecond, as long as its losses.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from microgpt.alphabet import printable
from microgpt.corpus.stream import Block
from microgpt.engines.contract import Floats
from microgpt.loss import LN_2
from microgpt.words import END

Form = Literal["table", "jsonl", "csv"]

FIELDS = ("loss", "bits", "percentile", "span", "unknown", "flagged")
"""What is told of each document, behind the columns it came with; the last one if asked for."""

_TABLE = "  nats   bits  rarer than  unknown  text, and in [] what surprises most\n"


def head(form: Form, columns: Sequence[str], *, flags: bool) -> str:
    """Return what stands above the first row, given the columns of the input."""
    if form == "jsonl":
        return ""
    if form == "table":
        return _TABLE
    return _csv_row([*columns, *(_free(name, columns) for name in FIELDS[: 6 if flags else 5])])


def rows(
    form: Form,
    block: Block,
    means_D: Floats,
    percentiles_D: Floats | None,
    spans: tuple[list[int], list[int]],
    unknown: Sequence[int],
    flags: list[bool] | None,
    *,
    escaped: bool,
) -> Iterable[Sequence[str]]:
    """Yield a row for each text of a block, line ends included, in pieces that are to be joined.

    Args:
        form: of the rows.
        block: the texts, and the rows they came in.
        means_D: nats a position.
        percentiles_D: of each; None: they are not known.
        spans: first and behind the last character of the most surprising part.
        unknown: how many characters are.
        flags: whether it is flagged; None: nobody asked.
        escaped: whether JSON keeps to ASCII.
    """
    places, percent_places = (2, 1) if form == "table" else (4, 2)
    losses, bits = decimals(means_D, places), decimals(means_D / LN_2, places)
    percentiles = None if percentiles_D is None else decimals(percentiles_D, percent_places)
    if form == "table":
        return _table(block.texts, losses, bits, percentiles, spans, unknown, flags)
    missing = repeat("null" if form == "jsonl" else "", len(losses))
    parts = [
        text[a:b] if b <= len(text) else text[a:] + END for text, a, b in zip(block.texts, *spans)
    ]
    # Nearly always nothing is unknown, and one word serves all.
    counts = [*map(str, unknown)] if any(unknown) else ["0"] * len(losses)
    told = [losses, bits, [*(percentiles or missing)], parts, counts]
    if flags is not None:
        told.append(["true" if flag else "false" for flag in flags])
    return _csv(block, told) if form == "csv" else _json(block, told, escaped=escaped)


def decimals(values: Floats, places: int) -> list[str]:
    """Write numbers with so many decimals; most are looked up, which takes a tenth of the time.

    >>> decimals(np.array([0.1, 2.71828, 12345.6]), 2)
    ['0.10', '2.72', '12345.60']
    """
    words = _words(places)
    whole = np.rint(values * 10**places)
    if not (whole < len(words)).all():
        return [f"{value:.{places}f}" for value in values.tolist()]
    return words[whole.astype(np.int64)].tolist()


@lru_cache
def _words(places: int) -> NDArray[np.object_]:
    """Return 0 to 20 nats, or 0 to 100 percent, in steps of the last decimal, as words."""
    most = 20 if places > 2 else 100
    count = most * 10**places + 1
    return np.array([f"{i / 10**places:.{places}f}" for i in range(count)], dtype=object)


def _table(
    texts: list[str], losses: list[str], bits: list[str], percentiles: list[str] | None,
    spans: tuple[list[int], list[int]], unknown: Sequence[int], flags: list[bool] | None,
) -> Iterable[Sequence[str]]:  # fmt: skip
    marks = ["  flagged" if flag else "" for flag in flags] if flags else repeat("")
    rare = repeat("") if percentiles is None else [f"{percent} %" for percent in percentiles]
    show: Callable[[str], str] = str if "".join(texts).isprintable() else printable
    lines = [
        f"{loss:>6} {b:>6}  {p:>10}  {u or '':>7}  {show(text[:i])}["
        f"{show(text[i:j])}{END * (j > len(text))}]{show(text[j:])}{mark}\n"
        for text, i, j, loss, b, p, u, mark in zip(
            texts, *spans, losses, bits, rare, unknown, marks
        )
    ]
    return zip(lines)


def _csv(block: Block, told: list[list[str]]) -> Iterable[Sequence[str]]:
    texts = block.texts
    simple = "".join(texts)
    if not any(block.rows) and not any(c in simple for c in ',"\r\n'):
        # A span is part of its text, or its end: nothing in it needs quotes either.
        pieces: list[Iterable[str]] = [texts]
        for values in told:
            pieces += [repeat(","), values]
        return zip(*pieces, repeat("\n"))
    cells = (
        [row.get(name, "") for name in block.columns] if row else [text]
        for text, row in zip(texts, block.rows)
    )
    return ((_csv_row([*first, *rest]),) for first, *rest in zip(cells, *told))


def _csv_row(cells: list[Any]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()


def _json(block: Block, told: list[list[str]], *, escaped: bool) -> Iterable[Sequence[str]]:
    quoted = encode_basestring_ascii if escaped else encode_basestring
    told = [*told[:3], [*map(quoted, told[3])], *told[4:]]
    names = FIELDS[: len(told)]
    if not any(block.rows):
        pieces: list[Iterable[str]] = [repeat('{"text": '), map(quoted, block.texts)]
        for name, values in zip(names, told):
            pieces += [repeat(f', "{name}": '), values]
        return zip(*pieces, repeat("}\n"))
    lines: list[tuple[str]] = []
    for text, row, *values in zip(block.texts, block.rows, *told):
        kept = {"text": text} if row is None else row
        own = ", ".join(f'"{_free(name, kept)}": {value}' for name, value in zip(names, values))
        lines.append((f"{json.dumps(kept, ensure_ascii=escaped)[:-1]}, {own}}}\n",))
    return lines


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name, or one that the input's columns do not have yet."""
    return f"model_{name}" if name in taken else name
