"""Texts of a Python program, each with its loss, how rare it is, and where it surprises: a table.

In: a run, a column of texts. Out: a data frame, a row a value, whose columns are those of
`microgpt score`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from microgpt import frames
from microgpt.data.column import TextColumn
from microgpt.errors import UsageError
from microgpt.runs.judging import judging
from microgpt.runs.run import Run
from microgpt.scoring.reference import Judge
from microgpt.scoring.rows.values import Flags, values

RATE = 0.01
"""The share of good texts that is flagged where the caller names none."""


def explain(
    run: Run,
    texts: Any,
    column: str | None = None,
    rate: float | None = None,
    *,
    suggest: bool = True,
    flags: Callable[[list[str]], Flags] | None = None,
) -> Any:
    """Return the table of `Run.table`; `flags` says which texts are flagged, in place of a rate."""
    given = TextColumn.of(texts, column, "text")
    judge = _judge(run, rate) if flags is None else run.judge
    flagged_D = None if flags is None or not given.texts else flags(given.texts)
    columns = {
        "text": given.texts,
        **values(run.pricer, judge, given.texts, flagged_D, suggest=suggest),
    }
    columns.pop("suggestion_loss", None)
    if given.missing:
        columns = {name: _spread(its, given) for name, its in columns.items()}
    return frames.frame(columns, library=given.library, index=given.index)


def _judge(run: Run, rate: float | None) -> Judge:
    """Return the judge with a threshold; without one if none was asked for, and none can be had."""
    if rate is not None:
        return judging(run, rate).judge
    try:
        return judging(run, RATE).judge
    except UsageError:  # too few documents were held out
        return judging(run).judge


def _spread(its: Any, given: TextColumn) -> list[Any]:
    """Return values with None where the column has a gap."""
    spread: list[Any] = [None] * given.length
    plain: list[Any] = its.tolist() if isinstance(its, np.ndarray) else its
    for place, value in zip(given.places, plain):
        spread[place] = value
    return spread
