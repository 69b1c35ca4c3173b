"""Data frames: of pandas, polars or Arrow, whichever is installed.

In: columns by name. Out: a frame that the caller's other code can go on with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from microgpt.errors import MissingExtra

LIBRARIES = ("pandas", "polars", "pyarrow")
"""In the order in which they are looked for."""


def frame(columns: Mapping[str, Any], *, library: str | None = None, index: Any = None) -> Any:
    """Return columns as a data frame.

    Args:
        columns: the values by name, all of one length; each an array or a sequence.
        library: the name of one of LIBRARIES; None: the first that is installed.
        index: of the rows, which only a frame of pandas has.

    Returns:
        A pandas.DataFrame, a polars.DataFrame or a pyarrow.Table.

    Raises:
        MissingExtra: none of these libraries is installed.
    """
    library = library or check_installed()
    module = import_module(library)
    if library == "pandas":
        return module.DataFrame(dict(columns), index=index)
    return module.DataFrame(dict(columns)) if library == "polars" else module.table(dict(columns))


def check_installed() -> str:
    """Return the first of LIBRARIES that is installed; raise MissingExtra if none is."""
    library = next(filter(find_spec, LIBRARIES), None)
    if library is None:
        raise MissingExtra(
            "a table needs pandas, polars or pyarrow; none of them is installed. "
            "Try: pip install pandas"
        )
    return library


def library_of(value: object) -> str | None:
    """Return which of LIBRARIES an object is of; None: of none.

    >>> library_of([1, 2]) is None
    True
    """
    root = type(value).__module__.partition(".")[0]
    return root if root in LIBRARIES else None


def columns_of(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, list[Any]]:
    """Turn rows into columns; what a row lacks is None.

    >>> columns_of([{"a": 1}, {"a": 2, "b": 3}], ["a", "b"])
    {'a': [1, 2], 'b': [None, 3]}
    """
    return {name: [row.get(name) for row in rows] for name in names}
