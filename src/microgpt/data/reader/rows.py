"""Lines to rows of cells: strict CSV, or cells without quoting.

In: lines as written. Out: the cells of each row, and the row as written. A quoted cell keeps its
line ends. A malformed row is skipped up to the end of the line with its fault, and the next line
begins a new row: so a stray quote costs one line, not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from itertools import islice

from microgpt.data.reader.block import LeftOut
from microgpt.data.reader.dialect import Dialect
from microgpt.data.reader.lines import Piece, Spoilt, with_ends
from microgpt.data.reader.skipped import Tally
from microgpt.errors import DataError

REMEDY = "Try --delimiter, or --quoting none."

# Lines after the heading by which the delimiter is detected, at most.
_SAMPLE = 100
# A row over more lines than this, each with as many delimiters as the heading, is reported.
_LINES = 8
_SHOWN = 30

_GOES_ON = "a quoted cell goes on after its closing quote"
_NOT_CLOSED = "the quote that opens here is not closed where a cell ends"


class Rows:
    """Reads the rows of a table; the first one holds the headings.

    Args:
        pieces: the file's lines, as written.
        tally: counts and reports what is skipped.
        longest: the most characters of a row; a longer one is skipped.

    Attributes:
        waiting: lines that have been read from `pieces` and not yet parsed.
        mark: the byte order mark, if the file has one.
        width: cells of a row, which the caller sets; 0: the headings have not been read yet, and a
            malformed row is an error.
        count: rows read so far, blank and malformed ones included.
        left_out: malformed rows, until the caller takes them.
    """

    def __init__(self, pieces: Iterator[Piece], tally: Tally, longest: float) -> None:
        self._pieces, self._tally, self._longest = pieces, tally, longest
        self.waiting, self.mark, self.width = deque[str](), "", 0
        self.count, self.left_out = 0, list[LeftOut]()
        self._spoilt: dict[int, Spoilt] = {}
        self._number, self._row = 1, list[str]()
        self._has_noted = False

    def sample(self) -> list[str]:
        """Return the first lines for detecting the format, without consuming them."""
        while len(self.waiting) < 2 and self._more():
            pass
        if self.waiting and self.waiting[0].startswith("\ufeff"):
            self.mark, self.waiting[0] = "\ufeff", self.waiting[0][1:]
        return [*islice(self.waiting, _SAMPLE + 1)]

    def read(self, dialect: Dialect) -> Iterator[tuple[int, list[str], str]]:
        """Yield (number of its first line, cells, row as written); report and skip malformed rows.

        Raises:
            DataError: the headings are malformed.
        """
        rows = dialect.cells(self._lines())
        while True:
            try:
                cells = next(rows, None)
            except csv.Error as error:
                self._skip(dialect, error)
                rows = dialect.cells(self._lines())
                continue
            if cells is None:
                return
            number, lines = self._number, self._row
            self._number, self._row = number + len(lines), []
            self.count += 1
            if len(lines) > _LINES and not self._has_noted:
                self._suspect(number, lines, dialect)
            if self._spoilt and self._is_spoilt(number, len(lines)):
                continue
            yield number, cells, lines[0] if len(lines) == 1 else "".join(lines)

    def _lines(self) -> Iterator[str]:
        size = 0
        while self.waiting or self._more():
            line = self.waiting.popleft()
            size = size + len(line) if self._row else 0
            self._row.append(line)
            if size > self._longest:
                raise csv.Error
            yield line

    def _more(self) -> bool:
        piece = next(self._pieces, None)
        if piece is None:
            return False
        self.waiting.extend(piece.lines)
        self._spoilt |= {piece.number + at: why for at, why in piece.spoilt.items()}
        return True

    def _skip(self, dialect: Dialect, error: csv.Error) -> None:
        """Skip a malformed row up to the end of the line with its fault; report it."""
        text = "".join(self._row)
        at, why = _wrong(text, dialect.delimiter)
        lines = len(with_ends(text[: at + 1]))
        number, self._number = self._number, self._number + lines
        self.waiting.extendleft(reversed(self._row[lines:]))
        self._row = []
        self.count += 1
        if self._spoilt and self._is_spoilt(number, lines):
            return
        cell = with_ends(text[at : at + _SHOWN])[:1]
        why = f"{why}; got {cell[0].rstrip()}." if cell else f"not CSV ({error})."
        self._tell(number + lines - 1, why, REMEDY)

    def _is_spoilt(self, number: int, lines: int) -> bool:
        found = [at for at in range(number, number + lines) if at in self._spoilt]
        if found:
            self._tell(found[0], *self._spoilt[found[0]])
        self._spoilt = {at: why for at, why in self._spoilt.items() if at >= number + lines}
        return bool(found)

    def _tell(self, number: int, why: str, remedy: str) -> None:
        if not self.width:
            raise DataError(f"{self._tally.name}: line {number}: {why} {remedy}")
        self._tally.skip(f"line {number}", why, remedy)
        self.left_out.append(LeftOut(self.count, why))

    def _suspect(self, number: int, lines: list[str], dialect: Dialect) -> None:
        """Report a row of many lines that look like rows: its quotes may be only characters."""
        most = self.width - 1
        if most > 0 and all(line.count(dialect.delimiter) == most for line in lines[1:-1]):
            self._has_noted = True
            self._tally.note(
                f"lines {number} to {number + len(lines) - 1} are one row, by their quotes, but "
                "look like rows of their own. If quotes are only characters, add --quoting none."
            )


def _wrong(text: str, delimiter: str) -> tuple[int, str]:
    """Return where the first malformed cell begins, and what is wrong with it."""
    ends, at = re.compile(f"[{re.escape(delimiter)}\r\n]"), 0
    while at < len(text):
        end = _closed(text, at) if text[at] == '"' else at
        found = ends.search(text, end) if end >= 0 else None
        if text[at] == '"' and end != (found.start() if found else len(text)):
            is_here = end >= 0 and len(with_ends(text[at:end])) == 1
            return at, _GOES_ON if is_here else _NOT_CLOSED
        at = found.end() if found else len(text)
    return at, ""


def _closed(text: str, at: int) -> int:
    """Return the index behind the quote that closes the one at index `at`; -1: there is none."""
    while (at := text.find('"', at + 1)) >= 0 and text.startswith('"', at + 1):
        at += 1
    return at + 1 if at >= 0 else -1
