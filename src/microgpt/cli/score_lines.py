"""`microgpt score` on many lines: a row each, as they come, as a table, JSON lines or CSV.

Blocks of lines are priced on several threads at once, each with an engine of its own, and told in
order. What waits is bounded, and so is memory.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt.alphabet import printable
from microgpt.cli.judge import Judge
from microgpt.corpus.stream import BYTES, Block
from microgpt.engines.contract import Floats
from microgpt.evaluate.price import Pricer
from microgpt.loss import LN_2
from microgpt.run import Run

END = "⏎"
FIELDS = ("loss", "bits", "percentile", "span", "unknown")
"""What is told of each document, behind the columns it came with; then "flagged", if asked for."""

_TABLE = "  nats   bits  rarer than  unknown  text, and in [] what surprises most"


@dataclass(frozen=True)
class Told:
    """What is printed of a block.

    Attributes:
        lines: one for each document, line ends included.
        columns: that the first of them came with.
        losses: their means, to sort by.
        flagged: how many are.
        characters: of all of them.
    """

    lines: list[str]
    columns: Sequence[str]
    losses: list[float]
    flagged: int
    characters: int


class Teller:
    """Turns blocks into lines.

    Args:
        form: "table", "jsonl" or "csv".
        judge: says how rare a text is.
        pricer: makes one; called once for each thread.
    """

    def __init__(self, form: str, judge: Judge, pricer: Callable[[], Pricer]) -> None:
        self._form, self._judge, self._make = form, judge, pricer
        self._here = threading.local()

    @property
    def flags(self) -> bool:
        """Whether lines are flagged."""
        return self._judge.thresholds is not None

    def head(self, columns: Sequence[str]) -> str:
        """Return what stands above the first line, given the columns of the input."""
        if self._form == "table":
            return f"{_TABLE}\n"
        if self._form == "jsonl":
            return ""
        fields = [*FIELDS, "flagged"] if self._judge.thresholds else FIELDS
        return _csv_line([*columns, *(_free(name, columns) for name in fields)])

    def tell(self, block: Block) -> Told:
        """Price a block."""
        texts = block.texts
        if not texts:
            return Told([], [], [], 0, 0)
        if not hasattr(self._here, "pricer"):
            self._here.pricer = self._make()
        priced = self._here.pricer.price(texts)
        lengths_D, means_D = priced.laid.lengths_D, priced.means_D
        starts, stops = (x.tolist() for x in priced.spans(self._judge.usual))
        percentiles = self._judge.percentiles(lengths_D, means_D)
        flags = self._judge.flags(lengths_D, means_D)
        unknown = priced.laid.unknown_D.tolist()
        losses, bits = decimals(means_D, 4), decimals(means_D / LN_2, 4)
        if self._form == "table":
            rare = decimals(percentiles, 1) if percentiles is not None else [""] * len(texts)
            lines = _rows(texts, starts, stops, losses, bits, rare, unknown, flags)
        else:
            nothing = "" if self._form == "csv" else "null"
            rare = [nothing] * len(texts) if percentiles is None else decimals(percentiles, 2)
            spans = [
                text[a:b] if b <= len(text) else f"{text[a:]}{END}"
                for text, a, b in zip(texts, starts, stops)
            ]
            columns: list[Sequence[str | int]] = [losses, bits, rare, spans, unknown]
            if flags is not None:
                columns.append(["true" if flag else "false" for flag in flags])
            write = _csv_lines if self._form == "csv" else _json_lines
            lines = write(block, columns)
        return Told(lines, block.columns, means_D.tolist(), sum(flags or ()), int(lengths_D.sum()))


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


def in_order(
    tell: Callable[[Block], Told], blocks: Iterable[Block], threads: int
) -> Iterator[Told]:
    """Yield what is told of blocks in their order, several worked on at once.

    Of a block that is small because no more had come, it is told before more is waited for.
    """
    waiting: deque[Future[Told]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for block in blocks:
            waiting.append(pool.submit(tell, block))
            slow = sum(map(len, block.texts)) < BYTES // 8
            while len(waiting) > (0 if slow else 2 * threads):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def pricer_of(run: Run, engine: str, device: str | None) -> Callable[[], Pricer]:
    """Return what makes a pricer with an engine of its own, on one thread."""

    def make() -> Pricer:
        own = Run(run.folder, engine, 1, device)
        return Pricer(own.engine, own.tokenizer, own.settings.model.block_size)

    return make


def _rows(
    texts: list[str], starts: list[int], stops: list[int], losses: list[str], bits: list[str],
    rare: list[str], unknown: list[int], flags: list[bool] | None,
) -> list[str]:  # fmt: skip
    marks = ["  flagged" if flag else "" for flag in flags] if flags else [""] * len(texts)
    return [
        f"{loss[:-2]:>6} {b[:-2]:>6}  {p:>8} %  {u or '':>7}  {printable(text[:i])}["
        f"{printable(text[i:j])}{END * (j > len(text))}]{printable(text[j:])}{mark}\n"
        for text, i, j, loss, b, p, u, mark in zip(
            texts, starts, stops, losses, bits, rare, unknown, marks
        )
    ]


def _csv_lines(block: Block, columns: list[Sequence[str | int]]) -> list[str]:
    texts, rows = block.texts, block.rows
    simple = "".join(texts)
    if rows[0] is None and not any(c in simple for c in ',"\r\n'):
        line = f"{','.join(['%s'] * (1 + len(columns)))}\n"
        return [line % cells for cells in zip(texts, *columns)]
    cells = (
        [row.get(name, "") for name in block.columns] if row else [text]
        for text, row in zip(texts, rows)
    )
    return [_csv_line([*first, *told]) for first, *told in zip(cells, *columns)]


def _csv_line(cells: list[Any]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()


def _json_lines(block: Block, columns: list[Sequence[str | int]]) -> list[str]:
    texts, rows = block.texts, block.rows
    escaped = "utf" not in (sys.stdout.encoding or "").lower()
    quoted = encode_basestring_ascii if escaped else encode_basestring
    told = [*columns[:3], [quoted(str(span)) for span in columns[3]], *columns[4:]]
    if rows[0] is None:
        line = ", ".join(f'"{name}": %s' for name in ("text", *[*FIELDS, "flagged"][: len(told)]))
        return [f"{{{line % cells}}}\n" for cells in zip(map(quoted, texts), *told)]
    lines: list[str] = []
    for number, row in enumerate(rows):
        kept = row or {}
        names = (_free(name, kept) for name in [*FIELDS, "flagged"])
        own = ", ".join(f'"{name}": {values[number]}' for name, values in zip(names, told))
        lines.append(f"{json.dumps(kept, ensure_ascii=escaped)[:-1]}, {own}}}\n")
    return lines


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name, or one that the input's columns do not have yet."""
    return f"model_{name}" if name in taken else name
