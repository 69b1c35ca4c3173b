"""A table to documents: the cells of one column, each with its row as written."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import TYPE_CHECKING

from microgpt.data.reader.block import Block, Found, LeftOut
from microgpt.data.reader.dialect import Dialect, Table
from microgpt.data.reader.formats import delimiter_of
from microgpt.data.reader.headings import choose, doubts, index_of
from microgpt.data.reader.lines import Piece, with_ends
from microgpt.data.reader.rows import REMEDY, Rows
from microgpt.data.reader.skipped import Tally

if TYPE_CHECKING:
    from microgpt.data.corpus import Source


def table(
    pieces: Iterator[Piece], tally: Tally, longest: float, file: str, source: Source
) -> Iterator[Block]:
    """Yield the documents of a table.

    Args:
        pieces: its lines, as written.
        tally: counts and reports what is skipped.
        longest: the most characters of a row; a longer one is skipped.
        file: its path; the suffix implies a delimiter.
        source: which column to read; its delimiter, if set, and its quoting.

    Raises:
        DataError: the headings are malformed, or lack the column.
    """
    rows = Rows(pieces, tally, longest)
    lines, quoted = rows.sample(), source.quoting == "strict"
    usual = delimiter_of(file)
    dialect = Dialect(
        source.delimiter or choose(lines, usual, source.column, quoted=quoted), quoted
    )
    if not source.delimiter and dialect.delimiter != usual:
        tally.note(
            f"its cells are taken to end at {_named(dialect.delimiter)}, as its first lines have "
            f"it. If that is wrong, add --delimiter {_named(usual)}."
        )
    read, found = rows.read(dialect), Found()
    first = next(((cells, row) for _, cells, row in read if cells), None)
    if first is None:
        return
    headings, head = first
    index = index_of(headings, tally.name, source.column)
    for doubt in doubts(headings, lines, dialect, source.column):
        tally.note(doubt)
    made, width = Table(dialect, rows.mark + head, headings), len(headings)
    rows.width = width
    for number, cells, row in read:
        if len(cells) == width:
            found.add(cells[index], row, rows.count)
        elif not row.strip():
            found.add(row.rstrip("\r\n"), None, rows.count)
        else:
            why = (
                f"expected {width} column{'s' * (width > 1)}, as in the heading; got {len(cells)}."
            )
            tally.skip(_where(number, row), why, REMEDY)
            found.left_out.append(LeftOut(rows.count, why))
        if not rows.waiting:
            yield _block(found, rows, made)
            found = Found()
    yield _block(found, rows, made)


def _block(found: Found, rows: Rows, made: Table) -> Block:
    """Return what was found as a block, with the rows that are none of the table."""
    if rows.left_out:
        found.left_out = sorted([*found.left_out, *rows.left_out], key=attrgetter("number"))
        rows.left_out.clear()
    return found.block(made.headings, made)


def _where(number: int, row: str) -> str:
    """Return which lines a row occupies, in words."""
    lines = len(with_ends(row))
    return f"line {number}" if lines < 2 else f"lines {number} to {number + lines - 1}"


def _named(delimiter: str) -> str:
    return {"\t": "tab", ";": '";"', ",": '","', "|": '"|"'}[delimiter]
