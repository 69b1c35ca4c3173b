"""Columns of Arrow to documents: Parquet, Arrow's own files, folders of Hugging Face datasets.

In: a path. Out: `Block`s of one column's strings, a part of a record batch at a time: a file of any
size is read in bounded memory. pyarrow is imported here alone, when such a file is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np

from microgpt import schema
from microgpt.data.reader.block import Block, Found, Object
from microgpt.data.reader.formats import opened
from microgpt.data.reader.headings import index_of
from microgpt.data.reader.plain import without_blank
from microgpt.data.texts import Texts
from microgpt.errors import DataError, MissingExtra

# About the bytes of the rows that are handled at once, and the most rows.
_BYTES = 1 << 22
_ROWS = 1 << 16
_FOLDER_OF_SPLITS, _STATE = "dataset_dict.json", "state.json"


def blocks(file: str, name: str, column: str | None, *, with_rows: bool) -> Iterator[Block]:
    """Yield the documents of a column; what is null counts as blank.

    Args:
        file: a file of Parquet or Arrow, or a folder that `Dataset.save_to_disk` has written.
        name: its name, for messages.
        column: its heading, or its number from 1; None: the only one of text, or `text`.
        with_rows: whether to read the other columns too, for each document's row.

    Raises:
        DataError: the file is damaged, or there is no such column of text.
        MissingExtra: pyarrow is not installed.
    """
    try:
        arrow: Any = import_module("pyarrow")  # it has no types
    except ImportError:
        raise MissingExtra(
            f"{name}: pyarrow must be installed to read it. Try: pip install 'microgpt-lm[tables]'"
        ) from None
    number = 1
    for path in _files(file, name):
        with opened(path):  # a missing file has a sentence of its own
            pass
        try:
            for at, batch in _batches(arrow, path, name, column, with_rows=with_rows):
                array = _as_text(arrow, batch.column(at))
                if with_rows:
                    yield _with_rows(array, batch, number)
                else:
                    yield _texts(array)
                number += len(array)
        except (arrow.ArrowException, OSError) as error:
            why = str(error).partition("\n")[0].rstrip(". ")
            raise DataError(f"{path}: damaged, or of another format ({why}).") from None


def _files(file: str, name: str) -> list[str]:
    """Return the files that hold the rows, in order.

    Raises:
        DataError: a folder is of several splits, or damaged.
    """
    folder = Path(file)
    if not folder.is_dir():
        return [file]
    try:
        if (folder / _FOLDER_OF_SPLITS).exists():
            found = schema.parse((folder / _FOLDER_OF_SPLITS).read_bytes())
            splits = schema.convert(dict[str, list[str]], found)["splits"]
            raise DataError(
                f"{name}: has the splits {', '.join(splits)}. Name one: {folder / splits[0]}."
            )
        state = schema.convert(dict[str, Any], schema.parse((folder / _STATE).read_bytes()))
        files = schema.convert(list[dict[str, str]], state["_data_files"])
        names = [each["filename"] for each in files]
    except (schema.Foreign, KeyError, IndexError) as error:
        raise DataError(f"{name}: damaged, or no folder of datasets ({error}).") from None
    if any(Path(each).name != each for each in names):
        raise DataError(f"{name}: damaged: its {_STATE} names files elsewhere.")
    return [str(folder / each) for each in names]


def _batches(
    arrow: Any, path: str, name: str, column: str | None, *, with_rows: bool
) -> Iterator[tuple[int, Any]]:
    """Yield (index of the column, record batch); batches of many bytes in parts."""
    with Path(path).open("rb") as file:
        start = file.read(6)
    if start[:4] == b"PAR1":
        parquet: Any = import_module("pyarrow.parquet")
        # With a buffer, pages are read one by one, not all of a row group at once.
        with parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as found:
            at = _index(arrow, found.schema_arrow, name, column)
            groups = [found.metadata.row_group(i) for i in range(found.metadata.num_row_groups)]
            size = sum(group.total_byte_size for group in groups)
            rows = _at_once(size, found.metadata.num_rows)
            only = None if with_rows else [found.schema_arrow.names[at]]
            for batch in found.iter_batches(rows, columns=only):
                yield (at if with_rows else 0), batch
        return
    with arrow.memory_map(path) as source:
        is_file = start == b"ARROW1"
        found = (arrow.ipc.open_file if is_file else arrow.ipc.open_stream)(source)
        at = _index(arrow, found.schema, name, column)
        every = map(found.get_batch, range(found.num_record_batches)) if is_file else found
        for batch in every:
            rows = _at_once(batch.nbytes, batch.num_rows)
            for first in range(0, batch.num_rows, rows):
                yield at, batch.slice(first, rows)


def _at_once(size: int, rows: int) -> int:
    """Return how many rows are handled at once.

    >>> _at_once(1 << 30, 1 << 20), _at_once(0, 0)
    (4096, 65536)
    """
    return max(1, min(_ROWS, _BYTES * rows // size if size else _ROWS))


def _index(arrow: Any, its: Any, name: str, column: str | None) -> int:
    """Return the index of the column to read, from 0."""
    names: list[str] = its.names
    texts = [at for at, kind in enumerate(its.types) if _is_text(arrow, kind)]
    if column is None:
        named = [names[at] for at in texts]
        if not texts:
            kinds = ", ".join(f"{name} ({kind})" for name, kind in zip(names, its.types))
            raise DataError(f"{name}: has no column of text; it has {kinds or 'no columns'}.")
        if len(texts) > 1 and named.count("text") != 1:
            raise DataError(
                f"{name}: has columns of text {', '.join(named)}. Say which with --column NAME."
            )
        return texts[0] if len(texts) == 1 else texts[named.index("text")]
    at = index_of(names, name, column)
    if at not in texts:
        raise DataError(f'{name}: column "{names[at]}" must be of text; got {its.types[at]}.')
    return at


def _is_text(arrow: Any, kind: Any) -> bool:
    kinds = arrow.types
    if kinds.is_dictionary(kind):
        kind = kind.value_type
    return kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind)


def _as_text(arrow: Any, array: Any) -> Any:
    """Return an array of strings with offsets of 64 bits, checked to be UTF-8."""
    if arrow.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    array = array.cast(arrow.large_string())
    array.validate(full=True)
    return array


def _texts(array: Any) -> Block:
    """Return the strings that are neither null nor blank, without making one in Python."""
    nulls: int = array.null_count
    there = array.drop_null() if nulls else array
    _, where, data = there.buffers()
    if not len(there):
        return Block((), (), nulls)
    offsets = np.frombuffer(where, dtype=np.int64)[there.offset : there.offset + len(there) + 1]
    starts = offsets - offsets[0] + np.arange(len(offsets))
    buffer = np.full(int(starts[-1]), ord("\n"), dtype=np.uint8)
    inside = np.ones(len(buffer), dtype=bool)
    inside[starts[1:] - 1] = False
    if data is not None:
        buffer[inside] = np.frombuffer(data, dtype=np.uint8)[offsets[0] : offsets[-1]]
    return without_blank(Texts(buffer, starts), nulls)


def _with_rows(array: Any, batch: Any, number: int) -> Block:
    found = Found()
    rows: list[Object] = batch.to_pylist()
    for at, (text, row) in enumerate(zip(array.to_pylist(), rows), number):
        found.add(text or "", cast("Object", _as_json(row)), at)
    return found.block(batch.schema.names)


def _as_json(value: object) -> object:
    """Return a value as JSON has it; a date, for example, as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, dict):
        its = cast("dict[object, object]", value)
        return {str(name): _as_json(each) for name, each in its.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(each) for each in cast("list[object]", value)]
    return str(value)
