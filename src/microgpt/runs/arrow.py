"""Columns of Arrow, and schemas of Arrow and of Spark: which column has text, what is added."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from microgpt.data.column import named
from microgpt.errors import UsageError
from microgpt.runs.columns import TEXT

_SPARK = {"float": "double", "int": "long", TEXT: "string", "bool": "boolean"}


def arrow() -> Any:
    """Return the library, which has no types."""
    return import_module("pyarrow")


def types_of_kinds() -> dict[str, Any]:
    """Return the type that Arrow has for each kind of column.

    >>> types_of_kinds()["int"]
    DataType(int64)
    """
    return {
        "bool": arrow().bool_(),
        "int": arrow().int64(),
        "float": arrow().float64(),
        TEXT: arrow().string(),
    }


def widened(schema: Any, added: Mapping[str, str]) -> Any:
    """Return a schema with columns added to it, given the kind of each by name.

    Args:
        schema: a `pyarrow.Schema`, or Spark's `StructType`.
        added: the columns.
    """
    if is_spark(schema):
        wider = type(schema)([*schema.fields])
        for name, kind in added.items():
            wider.add(name, _SPARK[kind])
        return wider
    types = types_of_kinds()
    for name, kind in added.items():
        schema = schema.append(arrow().field(name, types[kind]))
    return schema


def column_of_text(schema: Any, column: str | None) -> str:
    """Return the name of a column of text; None stands for the only column.

    Raises:
        UsageError: there is no such column, or it is of another type.

    >>> import pyarrow
    >>> column_of_text(pyarrow.schema([("name", pyarrow.string())]), None)
    'name'
    """
    name = named(column, schema.names)
    if is_spark(schema):
        its = schema[name].dataType.simpleString()
        is_text = its.startswith(("string", "varchar", "char", "void"))
    else:
        its, types = schema.field(name).type, arrow().types
        its = its.value_type if types.is_dictionary(its) else its
        is_text = str(its) in ("string", "large_string", "string_view", "null")
    if not is_text:
        raise UsageError(f'column "{name}" must hold text; its type is {its}.')
    return name


def is_spark(schema: Any) -> bool:
    """Return whether a schema is Spark's."""
    return hasattr(schema, "simpleString")


def spread(columns: Sequence[Any], is_there_D: Any) -> list[Any]:
    """Return arrays of values with nulls between them, where is_there_D is false.

    >>> import numpy, pyarrow
    >>> spread([pyarrow.array([1.5, 2.5])], numpy.array([True, False, True]))[0].to_pylist()
    [1.5, None, 2.5]
    """
    if is_there_D.all():
        return [*columns]
    places = arrow().array(is_there_D.cumsum() - 1, mask=~is_there_D)
    return [column.take(places) for column in columns]
