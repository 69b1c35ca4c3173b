"""`microgpt score` on files: a row for each line, printed as they come or written to a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from typing import Literal

from rich.live import Live

from microgpt.cli.terminal.console import stderr
from microgpt.cli.terminal.say import note
from microgpt.data.reader.block import Block
from microgpt.data.reader.stream import Stream
from microgpt.errors import DataError
from microgpt.runs.rowfile import RowFile
from microgpt.runs.run import Run
from microgpt.scoring.reference import Judge
from microgpt.scoring.rows.forms import Form, RowWriter, WrittenRows
from microgpt.scoring.rows.processes import Opener, in_order
from microgpt.scoring.rows.top import Top, TopWriter
from microgpt.wording import short


class Blocks:
    """The documents of words and files; what cannot be read ends them, and is kept until they end.

    Args:
        words: texts, and names of files.
        streams: the files among them.
        numbered: whether rows say where they stood: then a block names its file, if there are
            several, and otherwise it has no numbers.

    Attributes:
        blank: how many blank ones there were so far.
        error: what ended them.
    """

    def __init__(
        self, words: Sequence[str], streams: dict[str, Stream], *, numbered: bool = False
    ) -> None:
        self._words, self._streams, self._numbered = words, streams, numbered
        self.blank, self.error = 0, None

    def __iter__(self) -> Iterator[Block]:
        several = bool(self._streams) and len(self._words) > 1
        try:
            for number, w in enumerate(self._words, start=1):
                word = [Block([w], [None], numbers=[number])]
                for block in self._streams.get(w, word):
                    self.blank += block.blank
                    if not self._numbered:
                        yield replace(block, numbers=(), left_out=())
                    else:
                        is_named = several and w in self._streams
                        yield replace(block, file=w) if is_named else block
        except DataError as error:
            self.error = error


@dataclass
class Counted:
    """How many documents came, with how many characters, how many are flagged, and written."""

    documents: int = 0
    characters: int = 0
    flagged: int = 0
    written: int = 0


@dataclass(frozen=True)
class Wanted:
    """Which rows are wanted, what they say, and where they go.

    Attributes:
        form: of the rows.
        out: the file; None: standard output.
        sort: the order; None: as they come.
        top: how many; 0: all.
        fields: what they say beside what they always do.
    """

    form: Form
    out: RowFile | None
    sort: Literal["worst", "best"] | None
    top: int
    fields: tuple[str, ...]

    @property
    def encoding(self) -> str:
        """Of what is written."""
        return "utf-8" if self.out else sys.stdout.encoding or "utf-8"


def row_by_row(
    run: Run, judge: Judge, blocks: Blocks, wanted: Wanted, opener: Opener, processes: int
) -> Counted:
    """Write a row for each document that is wanted, and count them.

    Raises:
        DataError: what cannot be read has ended the blocks, and a file would not be whole.
    """
    best = wanted.sort == "best"
    is_sorted = wanted.sort is not None and not wanted.top
    suggests: Literal["all", "flagged"] = "all" if wanted.top else "flagged"
    write_rows = RowWriter(judge, wanted.form, is_sorted, wanted.encoding, wanted.fields, suggests)
    writer = TopWriter(judge, wanted.top, best) if wanted.top else write_rows
    counted = Counted()
    written = _watched(
        in_order(run.pricer, writer, opener, blocks, processes, note), counted, wanted.out
    )
    if wanted.top:
        written = _top(written, Top(wanted.top, best=best), partial(write_rows.write, run.pricer))
    elif is_sorted:
        written = _sorted(written, best=best)
    with wanted.out.opened() if wanted.out else nullcontext(_write) as write:
        is_headed = False
        for rows in written:
            if rows.rows and not is_headed:
                write([rows.head])
            write(rows.rows)
            is_headed = is_headed or bool(rows.rows)
            counted.written += rows.documents
        if blocks.error and wanted.out:
            raise blocks.error
    return counted


def _watched(
    all_written: Iterator[WrittenRows], counted: Counted, out: RowFile | None
) -> Iterator[WrittenRows]:
    """Count rows, and show the speed on standard error where they go elsewhere."""
    began = time.perf_counter()
    console = stderr()
    quiet = not console.is_terminal or (sys.stdout.isatty() and out is None)
    with Live(console=console, transient=True, refresh_per_second=4) as live:
        for written in all_written:
            counted.characters += written.characters
            counted.documents += written.documents
            counted.flagged += written.flagged
            yield written
            if not quiet:
                rate = counted.characters / (time.perf_counter() - began)
                live.update(
                    f"{counted.documents:,} lines · {short(counted.characters)} characters · "
                    f"{short(rate)} a second"
                )


def _sorted(all_written: Iterator[WrittenRows], *, best: bool) -> Iterator[WrittenRows]:
    """Yield all rows at once, in the order of their losses; those without one come last."""
    head = b""
    kept: list[tuple[float, bytes]] = []
    others: list[bytes] = []
    for written in all_written:
        head = head if kept or others else written.head
        kept += zip(written.losses, written.rows)
        others += written.left_out
    kept.sort(key=itemgetter(0), reverse=not best)
    yield WrittenRows(head, [*(row for _, row in kept), *others], [], len(kept), 0, 0)


def _top(
    all_written: Iterator[WrittenRows], top: Top, write: Callable[[Block], WrittenRows]
) -> Iterator[WrittenRows]:
    """Yield the rows of the documents that cost most, or least, when all have been seen."""
    for written in all_written:
        if written.chosen:
            top.add(written.chosen, written.losses)
    yield from map(write, top.ranked())


def _write(rows: Iterable[bytes]) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.writelines(rows)
    sys.stdout.buffer.flush()
