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
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from microgpt.alphabet import printable
from microgpt.cli.judge import Judge
from microgpt.corpus.stream import BYTES, Block, Row
from microgpt.evaluate.price import Pricer
from microgpt.loss import LN_2
from microgpt.run import Run

END = "⏎"
FIELDS = ("loss", "bits", "nats", "positions", "percentile", "span", "unknown")
"""What is told of each document, behind the columns it came with; then "flagged", if asked for."""

_TABLE = "  nats   bits  rarer than  unknown  text, and in [] what surprises most"


@dataclass(frozen=True)
class Told:
    """What is printed of a block.

    Attributes:
        lines: one for each document, line ends included.
        losses: their means, to sort by.
        flagged: how many are.
        characters: of all of them.
        blank: documents of white space, skipped.
    """

    lines: list[str]
    losses: list[float]
    flagged: int
    characters: int
    blank: int


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

    def head(self, heading: list[str]) -> str:
        """Return what stands above the first line, given the columns of the input."""
        if self._form == "table":
            return f"{_TABLE}\n"
        if self._form == "jsonl":
            return ""
        fields = [*FIELDS, "flagged"] if self._judge.thresholds else FIELDS
        own = [_free(name, heading) for name in fields]
        return _csv_line([*(heading or ["text"]), *own])

    def tell(self, block: Block) -> Told:
        """Price a block."""
        texts = block.texts
        if not texts:
            return Told([], [], 0, 0, block.blank)
        if not hasattr(self._here, "pricer"):
            self._here.pricer = self._make()
        priced = self._here.pricer.price(texts)
        lengths_D, means_D = priced.laid.lengths_D, priced.means_D
        nats, positions = priced.nats_D.tolist(), priced.positions_D.tolist()
        losses: list[float] = means_D.tolist()
        bits = (means_D / LN_2).tolist()
        starts, stops = (x.tolist() for x in priced.spans(self._judge.usual))
        spans = [
            text[a:b] if b <= len(text) else f"{text[a:]}{END}"
            for text, a, b in zip(texts, starts, stops)
        ]
        percentiles = self._judge.percentiles(lengths_D, means_D)
        flags = self._judge.flags(lengths_D, means_D)
        unknown = priced.laid.unknown_D.tolist()
        rare = percentiles or [None] * len(texts)
        columns: list[Iterable[Any]] = [losses, bits, nats, positions, rare, spans, unknown]
        if flags is not None:
            columns.append(flags)
        if self._form == "table":
            lines = _rows(texts, starts, stops, losses, bits, percentiles, unknown, flags)
        elif self._form == "csv":
            lines = _csv_lines(texts, block.rows, columns)
        else:
            lines = _json_lines(texts, block.rows, columns)
        return Told(lines, losses, sum(flags or ()), int(lengths_D.sum()), block.blank)


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
    texts: list[str], starts: list[int], stops: list[int], losses: list[float], bits: list[float],
    percentiles: list[float] | None, unknown: list[int], flags: list[bool] | None,
) -> list[str]:  # fmt: skip
    rare = [f"{p:.1f} %" for p in percentiles] if percentiles else [""] * len(texts)
    marks = ["  flagged" if flag else "" for flag in flags] if flags else [""] * len(texts)
    return [
        f"{loss:6.2f} {b:6.2f}  {p:>10}  {u or '':>7}  {printable(text[:i])}[{printable(text[i:j])}"
        f"{END * (j > len(text))}]{printable(text[j:])}{mark}\n"
        for text, i, j, loss, b, p, u, mark in zip(
            texts, starts, stops, losses, bits, rare, unknown, marks
        )
    ]


_CSV = "%s,%.4f,%.4f,%.4f,%d,%.2f,%s,%d"


def _csv_lines(texts: list[str], rows: list[Row], columns: list[Iterable[Any]]) -> list[str]:
    simple = "".join(texts)
    plain = not any(c in simple for c in ',"\r\n') and not rows[0]
    if plain and len(columns) == len(FIELDS) and next(iter(columns[4])) is not None:
        return [f"{_CSV % row}\n" for row in zip(texts, *columns)]
    return [
        _csv_line(
            [
                *(row if isinstance(row, list) else [text]),
                *(f"{x:.4f}" if isinstance(x, float) else "" if x is None else x for x in told),
            ]
        )
        for text, row, *told in zip(texts, rows, *columns)
    ]


def _csv_line(cells: list[Any]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue()


def _json_lines(texts: list[str], rows: list[Row], columns: list[Iterable[Any]]) -> list[str]:
    escaped = "utf" not in (sys.stdout.encoding or "").lower()
    write = json.JSONEncoder(ensure_ascii=escaped).encode
    fields = [*FIELDS, "flagged"][: len(columns)]
    lines: list[str] = []
    for text, row, *told in zip(texts, rows, *columns):
        kept = row if isinstance(row, dict) else {"text": text}
        own = {_free(name, kept): value for name, value in zip(fields, told)}
        lines.append(f"{write({**kept, **own})}\n")
    return lines


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name, or one that the input's columns do not have yet."""
    return f"model_{name}" if name in taken else name
