"""The rows of a file that are no documents, blank ones and broken ones, written like the others.

In: a block. Out: a row for each, with the columns that it came with if it is blank, no scores, and
the reason.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from microgpt.data.reader.block import Block, LeftOut
from microgpt.scoring.rows.fields import COMMAS, free, parted


def as_csv(block: Block, fields: Sequence[str]) -> list[str]:
    """Return the left-out rows of a block as rows of CSV, line ends included."""
    return [_csv(block, one, fields) for one in block.left_out]


def _csv(block: Block, one: LeftOut, fields: Sequence[str]) -> str:
    table = block.table
    dialect, end = (table.dialect, table.end) if table else (COMMAS, "\n")
    ours = dialect.written([_values(block, one, fields).values()])[0]
    if isinstance(one.row, str):
        body, its_end = parted(one.row)
        return f"{body}{dialect.delimiter}{ours}{its_end or end}"
    record = one.row or ({} if one.text is None else {"text": one.text})
    width = len(table.headings) if table else len(block.columns)
    cells = [record.get(c, "") for c in block.columns] if not table else [""] * width
    # A row of one empty cell alone would be written with quotes.
    body = dialect.written([[*cells, ""]])[0]
    return f"{body}{ours}{end}"


def as_json(block: Block, fields: Sequence[str], *, escaped: bool) -> list[str]:
    """Return the left-out rows of a block as objects of JSON, line ends included."""
    rows: list[str] = []
    for one in block.left_out:
        record = {} if one.text is None else {"text": one.text}
        if block.table and isinstance(one.row, str):
            (cells,) = block.table.dialect.cells([one.row])
            record = dict(zip(block.table.names, cells))
        elif isinstance(one.row, dict):
            record = one.row
        values = {f: value or None for f, value in _values(block, one, fields).items()}
        ours = {free(name, record): value for name, value in values.items()}
        rows.append(f"{json.dumps({**record, **ours}, ensure_ascii=escaped)}\n")
    return rows


def _values(block: Block, one: LeftOut, fields: Sequence[str]) -> dict[str, Any]:
    """Return what our columns say of a row."""
    known = {"file": block.file, "row": one.number, "skipped": one.why}
    return {name: known.get(name, "") for name in fields}
