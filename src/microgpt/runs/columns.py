"""Lines of JSON as columns of one type each, which a file of columns needs.

In: a file with an object a line. Out: the type of each field, and the values in that type.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

TEXT = "text"
# What numbers a file of columns holds exactly.
_LARGEST = 2**63


def kinds_of(lines: BinaryIO) -> dict[str, str]:
    r"""Return "bool", "int", "float" or TEXT for each field, in the order in which they come.

    A field that has values of several types, or lists or objects, is text; so is one without any.

    >>> import io
    >>> kinds_of(io.BytesIO(b'{"a": 1, "b": null}\n{"a": 2.5, "b": "x", "c": [1]}'))
    {'a': 'float', 'b': 'text', 'c': 'text'}
    """
    found: dict[str, set[str]] = {}
    for record in records(lines):
        for name, value in record.items():
            its = found.setdefault(name, set())
            if value is not None:
                its.add(_kind(value))
    return {name: _common(its) for name, its in found.items()}


def records(lines: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield the objects, from the beginning."""
    lines.seek(0)
    return map(json.loads, lines)


def as_kind(value: Any, kind: str) -> Any:
    """Return a value in the type of its column; what is no text already is text as JSON has it."""
    if value is None or (kind == TEXT and isinstance(value, str)):
        return value
    if kind == TEXT:
        return json.dumps(value, ensure_ascii=False)
    return float(value) if kind == "float" else value


def _kind(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if -_LARGEST <= value < _LARGEST else TEXT
    return type(value).__name__ if isinstance(value, (bool, float)) else TEXT


def _common(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "float" if kinds == {"int", "float"} else TEXT
