"""Tables that fit a terminal: a narrow one gets fewer columns, never a part of a number.

In: columns and rows. Out: lines without trailing spaces.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Column, Table

_GAP = 2
# The least width of bars, and of columns of sentences.
_BAR, _SENTENCES = 8, 20


class FittedTable(Table):
    """A table without borders.

    Columns of numbers, aligned to the right, are shown whole or left out. Columns aligned to the
    left are wrapped between words; bars are cut.

    Args:
        columns: their headings.
        left: how many of the first columns are aligned to the left.
        least: headings of the columns that are left out first if there is no room, in this order;
            after them the last column is, and so on. The first column is always shown.
    """

    def __init__(self, *columns: str, left: int = 1, least: Sequence[str] = ()) -> None:
        super().__init__()
        self._least = least
        for i, column in enumerate(columns):
            self.add_column(column, justify="left" if i < left else "right")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the columns that fit."""
        for line in console.render_lines(self._fitted(options.max_width), options, pad=False):
            yield from _trimmed(line)
            yield Segment.line()

    def _fitted(self, width: int) -> Table:
        """Return a table of the columns that fit in a width."""
        fit: list[Column] = list(self.columns)
        while len(fit) > 1 and _whole(map(_least, fit)) > width:
            named = [c for name in self._least for c in reversed(fit[1:]) if c.header == name]
            gone = named[0] if named else fit[-1]
            fit = [column for column in fit if column is not gone]
        widths = {id(column): _least(column) for column in fit}
        for column in sorted(fit, key=_is_bar):
            spare = width - _whole(widths.values())
            widths[id(column)] += max(0, min(spare, _most(column) - _least(column)))
        table = Table(
            box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0),
            show_header=self.show_header,
        )  # fmt: skip
        for column in fit:
            overflow = "crop" if _is_bar(column) else "fold"
            table.add_column(
                column.header, justify=column.justify, overflow=overflow, width=widths[id(column)]
            )
        for row, cells in zip(self.rows, zip(*(column.cells for column in fit))):
            table.add_row(*cells, style=row.style)
        return table


def table(*columns: str, left: int = 1, least: Sequence[str] = ()) -> FittedTable:
    """Return a table: the first columns aligned left, the others right; see `FittedTable`."""
    return FittedTable(*columns, left=left, least=least)


def _cells(column: Column) -> list[str]:
    return [str(cell) for cell in (column.header, *column.cells)]


def _is_bar(column: Column) -> bool:
    return all(set(cell) <= {"█"} for cell in _cells(column))


def _most(column: Column) -> int:
    return max(map(cell_len, _cells(column)))


def _least(column: Column) -> int:
    """Return the least width of a column."""
    if column.justify == "right":
        return _most(column)
    words = max((cell_len(word) for cell in _cells(column) for word in cell.split()), default=0)
    return min(_most(column), _BAR if _is_bar(column) else max(words, _SENTENCES))


def _whole(widths: Iterable[int]) -> int:
    """Return the width of columns together."""
    return sum(width + _GAP for width in widths) - _GAP


def _trimmed(line: Iterable[Segment]) -> list[Segment]:
    """Return a line without trailing spaces."""
    segments = list(line)
    while segments and not segments[-1].text.strip(" "):
        segments.pop()
    if segments:
        last = segments[-1]
        segments[-1] = Segment(last.text.rstrip(" "), last.style, last.control)
    return segments
