"""Documents that a Python program has: a list, a column of a data frame, an array, a generator.

In: the documents, with gaps. Out: strings, and where each stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from microgpt.errors import UsageError
from microgpt.frames import library_of


@dataclass(frozen=True, eq=False)
class TextColumn:
    """Strings, and where each stood.

    Attributes:
        texts: without what is missing: None, NaN and the like.
        places: the position of each text, from 0.
        length: how many values there were, the missing ones included.
        index: the labels of all values, of a Series of pandas; else None.
        library: whose the column is: "pandas", "polars" or "pyarrow"; else None.
    """

    texts: list[str]
    places: list[int]
    length: int
    index: Any = None
    library: str | None = None

    @property
    def missing(self) -> int:
        """How many values are missing."""
        return self.length - len(self.texts)

    @classmethod
    def of(cls, data: Any, column: str | None = None, what: str = "document") -> TextColumn:
        """Take the strings of a column.

        Args:
            data: strings, in a list, a generator, an array, a Series or an Arrow column; or a data
                frame, of which one column is taken.
            column: the column of a data frame; None: it has one alone.
            what: what a message calls one of them.

        Raises:
            UsageError: there is no such column, or a value is neither a string nor missing.

        >>> TextColumn.of(["emma", None, "ava", float("nan")]).places
        [0, 2]
        """
        data = choose(data, column, what)
        texts: list[str] = []
        places: list[int] = []
        place = -1
        for place, text in enumerate(strings(data, what)):
            if text is not None:
                texts.append(text)
                places.append(place)
        library = library_of(data)
        index = getattr(data, "index", None) if library == "pandas" else None
        return cls(texts, places, place + 1, index, library)


def strings(data: Iterable[Any], what: str = "document") -> Iterator[str | None]:
    """Yield the values of a column, None for what is missing.

    Raises:
        UsageError: a value is neither a string nor missing.
    """
    for place, value in enumerate(_values(data)):
        if isinstance(value, str):
            yield value if type(value) is str else str(value)
        elif is_missing(value):
            yield None
        else:
            remedy = " Try .astype(str)." if library_of(data) == "pandas" else ""
            raise UsageError(f"{what} {place} must be a string; got {value!r:.40}.{remedy}")


def choose(data: Any, column: str | None = None, what: str = "document") -> Iterable[Any]:
    """Return a column: of a data frame the one of that name, or the only one; else the data.

    Raises:
        UsageError: there is no such column, or it is no column at all.
    """
    if isinstance(data, (str, bytes)):
        raise UsageError(f"{what}s must be many strings; got one, {data!r:.40}.")
    values: Any = _column(data, column)
    if not hasattr(values, "__iter__") or getattr(values, "ndim", 1) != 1:
        shape = f" of shape {values.shape}" if hasattr(values, "shape") else ""
        raise UsageError(
            f"{what}s must be a list, an array or a column of strings; "
            f"got {type(values).__name__}{shape}."
        )
    return values


def _column(data: Any, column: str | None) -> Any:
    """Return a column of a data frame; anything else as it is."""
    names = getattr(data, "columns", None)
    if library_of(data) == "pyarrow" and hasattr(data, "column_names"):
        names = data.column_names
    if names is None:
        if column is not None:
            raise UsageError("column must stand with a file or a data frame; got documents.")
        return data
    known = [*map(str, names)]
    column = named(column, known)
    return data[names[known.index(column)]] if library_of(data) == "pandas" else data[column]


def named(column: str | None, known: Sequence[str]) -> str:
    """Return the name of a column of a data frame; None stands for the only one that there is.

    Raises:
        UsageError: there is no such column, or none is named where there are several.

    >>> named(None, ["name"])
    'name'
    """
    if column is None and len(known) == 1:
        return known[0]
    if column is None or column not in known:
        got = "none" if column is None else f'"{column}"'
        raise UsageError(f"column must be one of {', '.join(known)}; got {got}.")
    return column


def _values(data: Iterable[Any]) -> Iterator[Any]:
    """Yield the values of a column as Python has them."""
    for name in ("to_pylist", "to_list", "tolist"):
        if hasattr(data, name):
            return iter(getattr(data, name)())
    return iter(data)


def is_missing(value: object) -> bool:
    """Return whether a value stands for none: None, nan, pandas' NA or NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float) and value != value
