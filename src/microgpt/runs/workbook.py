"""Rows as a workbook of Excel, by XlsxWriter."""

from __future__ import annotations

from importlib import import_module
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from microgpt.errors import UsageError
from microgpt.runs.columns import TEXT, as_kind, kinds_of, records

# What a sheet can hold.
_ROWS, _COLUMNS, _CHARACTERS = 1_048_576, 16_384, 32_767
# A number is a float there, in which larger ones are not all different.
_EXACT = 2**53
_INSTEAD = "Try a file that ends in .csv."


def write(lines: BinaryIO, file: BinaryIO) -> None:
    """Write objects of JSON, one a line, as a workbook: the headings, and a row for each.

    Raises:
        UsageError: a workbook cannot hold as much.
    """
    kinds = kinds_of(lines)
    if len(kinds) > _COLUMNS:
        raise UsageError(f"a workbook must have at most {_COLUMNS:,} columns. {_INSTEAD}")
    with TemporaryDirectory() as place:  # what waits in files is there, and removed in any case
        # Rows go to the disk as they come.
        options = {"constant_memory": True, "tmpdir": place}
        book: Any = import_module("xlsxwriter").Workbook(file, options)  # it has no types
        sheet = book.add_worksheet("rows")
        try:
            _fill(sheet, kinds, lines, book.add_format({"bold": True}))
            book.close()
        finally:
            sheet.row_data_fh.close()  # which the library leaves open where it is not asked to end


def _fill(sheet: Any, kinds: dict[str, str], lines: BinaryIO, bold: Any) -> None:
    sheet.freeze_panes(1, 0)
    for x, name in enumerate(kinds):
        sheet.write_string(0, x, name, bold)
    y = 0
    for y, record in enumerate(records(lines), start=1):
        if y >= _ROWS:
            raise UsageError(
                f"a workbook must have at most {_ROWS - 1:,} rows below its headings. {_INSTEAD}"
            )
        for x, (name, kind) in enumerate(kinds.items()):
            _put(sheet, y, x, as_kind(record.get(name), kind))
    sheet.autofilter(0, 0, y, max(len(kinds) - 1, 0))


def _put(sheet: Any, y: int, x: int, value: Any) -> None:
    """Write a cell. Text is text, never a formula, a number or a link."""
    if isinstance(value, bool):
        sheet.write_boolean(y, x, value)
    elif isinstance(value, (int, float)) and abs(value) <= _EXACT:
        sheet.write_number(y, x, value)
    elif value is not None:
        text = str(as_kind(value, TEXT))
        if len(text) > _CHARACTERS:
            raise UsageError(
                f"a cell of a workbook must have at most {_CHARACTERS:,} characters; got "
                f"{len(text):,} in row {y + 1}. {_INSTEAD}"
            )
        sheet.write_string(y, x, text)
