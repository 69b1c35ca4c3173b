"""Rows as a file of Parquet, by Arrow."""

from __future__ import annotations

from importlib import import_module
from itertools import islice
from typing import Any, BinaryIO

from microgpt.runs.arrow import types_of_kinds
from microgpt.runs.columns import as_kind, kinds_of, records

# Rows held in memory at once.
_GROUP = 50_000


def write(lines: BinaryIO, file: BinaryIO) -> None:
    """Write objects of JSON, one a line, as a file of Parquet."""
    arrow: Any = import_module("pyarrow")  # it has no types
    parquet: Any = import_module("pyarrow.parquet")
    types, kinds = types_of_kinds(), kinds_of(lines)
    schema = arrow.schema([(name, types[kind]) for name, kind in kinds.items()])
    found = records(lines)
    with parquet.ParquetWriter(file, schema) as writer:
        while some := [*islice(found, _GROUP)]:
            columns = {n: [as_kind(one.get(n), kind) for one in some] for n, kind in kinds.items()}
            writer.write_table(arrow.table(columns, schema=schema))
