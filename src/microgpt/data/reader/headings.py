"""What the first lines of a table say: its delimiter, the chosen column, doubtful headings.

In: the first lines, as written. Out: a delimiter; the index of a column; sentences for the user.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice

from microgpt.data.reader.dialect import Dialect
from microgpt.errors import DataError

# Delimiters to try where the usual one finds a single column.
_OTHERS = ";\t|"
_SHOWN = 30
_NUMBER = re.compile(r"\s*[-+]?[\d.,]*\d[\d.,]*\s*")


def choose(lines: list[str], default: str, column: str | None, *, quoted: bool) -> str:
    """Return the delimiter: the default, unless it finds one column and another finds several.

    Args:
        lines: the first lines of a table.
        default: the delimiter that the file's name implies.
        column: the column that was asked for: the default is right if it is a heading with it.
        quoted: whether cells may be quoted.

    >>> choose(["name;year", "emma;1998"], ",", None, quoted=True)
    ';'
    """
    usual = Dialect(default, quoted)
    if _width(lines, usual) > 1 or column in next(_some(lines, usual), list[str]()):
        return default
    widths = {d: _width(lines, Dialect(d, quoted)) for d in _OTHERS}
    best = max(widths, key=lambda d: widths[d])
    return best if widths[best] > 1 else default


def _width(lines: list[str], dialect: Dialect) -> int:
    """Return how many cells the heading has; 0: most rows have another number."""
    widths = [*map(len, _some(lines, dialect))]
    same = sum(width == widths[0] for width in widths[1:])
    return widths[0] if widths and 2 * same > len(widths) - 1 else 0


def _some(lines: list[str], dialect: Dialect) -> Iterator[list[str]]:
    """Yield the cells of each row; skip blank lines and those that are no CSV."""
    rows = dialect.cells(lines)
    while True:
        try:
            row = next(rows, None)
        except csv.Error:
            continue
        if row is None:
            return
        if row:
            yield row


def index_of(headings: Sequence[str], name: str, column: str | None) -> int:
    """Return the index of a column, from 0.

    Args:
        headings: of the table.
        name: the file's name, for messages.
        column: a heading, or a column's number from 1; None: the only column.

    Raises:
        DataError: there is no such column, or `column` is None and there are several.

    >>> index_of(["id", "name"], "table.csv", "name"), index_of(["id", "name"], "table.csv", "1")
    (1, 0)
    """
    if column is None:
        if len(headings) == 1:
            return 0
        raise DataError(f"{name}: has columns {', '.join(headings)}. Say which with --column NAME.")
    if column in headings:
        return headings.index(column)
    # int() refuses numbers of thousands of digits.
    if column.isdecimal() and len(column) < 10 and 1 <= int(column) <= len(headings):
        return int(column) - 1
    raise DataError(f'{name}: no column "{column}". It has {", ".join(headings)}.')


def doubts(
    headings: Sequence[str], lines: list[str], dialect: Dialect, column: str | None
) -> Iterator[str]:
    """Yield sentences that warn the user of doubtful headings: repeated, or like the rows below.

    Args:
        headings: of the table.
        lines: its first lines, as written.
        dialect: how its cells are written.
        column: the column that was asked for.
    """
    first = ", ".join(headings)
    first = f"({first[:_SHOWN]}{'...' if len(first) > _SHOWN else ''})"
    rows = [row for row in islice(_some(lines, dialect), 1, None) if len(row) == len(headings)]
    if column is None and len(headings) == 1:
        yield f"its first line {first} is taken for the heading of its one column."
    elif column not in headings and any(map(_is_like, headings, zip(*rows))):
        yield f"its first line {first} looks like the rows below it, and is taken for headings."
    for heading in dict.fromkeys(headings):
        at = [str(n) for n, other in enumerate(headings, start=1) if other == heading]
        if len(at) > 1:
            yield (
                f'the heading "{heading}" stands over columns {", ".join(at)}; by this name the '
                "first is meant. The others can be had by --column NUMBER."
            )


def _is_like(heading: str, cells: Sequence[str]) -> bool:
    """Return whether a heading looks like the cells below it: equal to one, or all are numbers."""
    return heading in cells or bool(
        _NUMBER.fullmatch(heading) and all(not cell or _NUMBER.fullmatch(cell) for cell in cells)
    )
