"""Runs as rows of a table: those in some folders, of which some are chosen, ordered and shown.

In: folders; conditions such as "n_embd=32"; a column to order by. Out: rows.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microgpt.errors import MicroGPTError, RunError, UsageError
from microgpt.runs.checkpoint import CONFIG
from microgpt.runs.folder import all_runs, find_run, is_run
from microgpt.runs.record import row
from microgpt.runs.run import Run
from microgpt.wording import nearest

Row = dict[str, Any]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne,
    "=": operator.eq, "<": operator.lt, ">": operator.gt,
}  # fmt: skip


@dataclass(frozen=True)
class Condition:
    """What must hold of a row: a column, a comparison, a value.

    Attributes:
        column: its name.
        comparison: one of = != < <= > >=.
        value: a number, true, false, none, or a word.
    """

    column: str
    comparison: str
    value: float | str | bool | None

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition.

        Raises:
            UsageError: it is none.

        >>> Condition.parse("n_embd=32"), Condition.parse("lr < 1e-2").value
        (Condition(column='n_embd', comparison='=', value=32.0), 0.01)
        """
        found = re.fullmatch(r"\s*([\w.]+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", text, re.DOTALL)
        if not found:
            raise UsageError(
                f'where must be a column, a comparison (= != < <= > >=) and a value; got "{text}".'
            )
        column, comparison, word = found.groups()
        return cls(column, comparison, _value(word))

    def holds(self, row: Row) -> bool:
        """Return whether a row satisfies it; an order of two unlike values never holds."""
        value: Any = row.get(self.column)
        if self.comparison not in ("=", "!="):
            alike = is_number(value) and is_number(self.value)
            if not alike and not (isinstance(value, str) and isinstance(self.value, str)):
                return False
        elif isinstance(value, str) and not isinstance(self.value, str):
            return self.comparison == "!="
        return _COMPARE[self.comparison](value, self.value)


def gather(
    folders: Sequence[str | Path],
    skip: Callable[[str], None],
    read: Callable[[Run], Row] = row,
) -> list[Row]:
    """Return a row for each run in some folders, in their order and each once.

    Args:
        folders: of runs, their names in runs/, or folders with runs at any depth; none: runs/.
        skip: is given a sentence about each run that cannot be read.
        read: reads the row of a run.

    Raises:
        RunError: there is no such folder, or no run in it.
    """
    found: dict[Path, None] = {}
    for name in folders:
        folder = find_run(name)
        inside = [folder] if is_run(folder) else all_runs(folder, deep=True)
        if not inside:
            raise RunError(f"{folder}: must be a run, or hold runs; there is no {CONFIG} in it.")
        found |= dict.fromkeys(inside)
    rows: list[Row] = []
    for folder in found if folders else all_runs():
        try:
            rows.append(read(Run(folder)))
        except MicroGPTError as error:
            skip(str(error))
    return rows


def select(rows: Sequence[Row], where: Iterable[str] = (), sort: str | None = None) -> list[Row]:
    """Return the rows for which all conditions hold, in order.

    Args:
        rows: of runs.
        where: conditions, such as "lr<0.01".
        sort: the column to order by, ascending; with a minus in front descending. What a row lacks
            comes last. None: as they are.

    Raises:
        UsageError: a condition is none, or no row has its column.
    """
    conditions = [Condition.parse(text) for text in where]
    check_columns(rows, [one.column for one in conditions])
    chosen = [row for row in rows if all(one.holds(row) for one in conditions)]
    if sort is None:
        return chosen
    column = sort.removeprefix("-")
    check_columns(rows, [column])
    empty = [row for row in chosen if is_missing(row.get(column))]
    rest = [row for row in chosen if not is_missing(row.get(column))]
    rest.sort(key=lambda row: order(row[column]), reverse=sort.startswith("-"))
    return rest + empty


def check_columns(rows: Sequence[Row], names: Iterable[str]) -> None:
    """Raise UsageError if there are rows and none has a column of this name."""
    known = {name: None for row in rows for name in row}
    for name in names:
        if known and name not in known:
            meant = nearest(name, known)
            hint = f' Did you mean "{meant}"?' if meant else f" There are {', '.join(known)}."
            raise UsageError(f'there is no column "{name}" of runs.{hint}')


def _value(word: str) -> float | str | bool | None:
    words: dict[str, bool | None] = {"true": True, "false": False, "none": None, "": None}
    if word.lower() in words:
        return words[word.lower()]
    try:
        return float(word)
    except ValueError:
        return word


def is_number(value: object) -> bool:
    """Return whether a value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_missing(value: object) -> bool:
    """Return whether a value is None or nan."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def order(value: Any) -> tuple[bool, float, str]:
    """Return what values of several types are sorted by: numbers first, then text."""
    return (False, float(value), "") if is_number(value) else (True, 0.0, str(value))
