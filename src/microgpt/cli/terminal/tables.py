"""Tables that fit: a narrow terminal gets fewer columns, never a part of a number.

In: columns and rows. Out: lines without spaces at their ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.table import Column, Table

_GAP = 2
# A shorter bar says nothing; narrower columns of sentences are all ends of lines.
_BAR, _SENTENCES = 8, 20


class FittedTable(Table):
    """A table without borders.

    Numbers, to the right, are shown whole or not at all. What stands to the left is wrapped between
    words, a bar is cut.

    Args:
        columns: their headings.
        left: so many of the first stand to the left.
        least: headings of those that go first where there is no room, in this order; then it is
            the last ones. The first column stays.
    """

    def __init__(self, *columns: str, left: int = 1, least: Sequence[str] = ()) -> None:
        super().__init__()
        self._least = least
        for i, column in enumerate(columns):
            self.add_column(column, justify="left" if i < left else "right")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw what there is room for."""
        for line in console.render_lines(self._fitted(options.max_width), options, pad=False):
            yield from _trimmed(line)
            yield Segment.line()

    def _fitted(self, width: int) -> Table:
        """Return a table of the columns that there is room for."""
        kept: list[Column] = list(self.columns)
        while len(kept) > 1 and _whole(map(_least, kept)) > width:
            named = [c for name in self._least for c in reversed(kept[1:]) if c.header == name]
            gone = named[0] if named else kept[-1]
            kept = [column for column in kept if column is not gone]
        widths = {id(column): _least(column) for column in kept}
        for column in sorted(kept, key=_is_bar):
            spare = width - _whole(widths.values())
            widths[id(column)] += max(0, min(spare, _most(column) - _least(column)))
        table = Table(
            box=None, pad_edge=False, header_style="bold", padding=(0, _GAP, 0, 0),
            show_header=self.show_header,
        )  # fmt: skip
        for column in kept:
            overflow = "crop" if _is_bar(column) else "fold"
            table.add_column(
                column.header, justify=column.justify, overflow=overflow, width=widths[id(column)]
            )
        for row, cells in zip(self.rows, zip(*(column.cells for column in kept))):
            table.add_row(*cells, style=row.style)
        return table


def table(*columns: str, left: int = 1, least: Sequence[str] = ()) -> FittedTable:
    """Return a table: the first columns to the left, numbers to the right; see `FittedTable`."""
    return FittedTable(*columns, left=left, least=least)


def _cells(column: Column) -> list[str]:
    return [str(cell) for cell in (column.header, *column.cells)]


def _is_bar(column: Column) -> bool:
    return all(set(cell) <= {"█"} for cell in _cells(column))


def _most(column: Column) -> int:
    return max(map(cell_len, _cells(column)))


def _least(column: Column) -> int:
    """Return how narrow a column may be."""
    if column.justify == "right":
        return _most(column)
    words = max((cell_len(word) for cell in _cells(column) for word in cell.split()), default=0)
    return min(_most(column), _BAR if _is_bar(column) else max(words, _SENTENCES))


def _whole(widths: Iterable[int]) -> int:
    """Return how wide columns are together."""
    return sum(width + _GAP for width in widths) - _GAP


def _trimmed(line: Iterable[Segment]) -> list[Segment]:
    """Return a line without the spaces at its end."""
    kept = list(line)
    while kept and not kept[-1].text.strip(" "):
        kept.pop()
    if kept:
        kept[-1] = Segment(kept[-1].text.rstrip(" "), kept[-1].style, kept[-1].control)
    return kept
