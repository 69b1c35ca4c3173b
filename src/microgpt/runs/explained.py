"""Texts of a Python program, each with its loss, how rare it is, and where it surprises: a table.

In: a run, a column of texts. Out: a data frame, a row a value, whose columns are those of
`microgpt score`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt import frames
from microgpt.data.column import TextColumn
from microgpt.errors import UsageError
from microgpt.loss import LN_2
from microgpt.runs.judging import judging
from microgpt.runs.run import Run
from microgpt.scoring.reference import Judge
from microgpt.scoring.suggest import Suggester
from microgpt.wording import END

RATE = 0.01
"""The share of good texts that is flagged where the caller names none."""


Flags = NDArray[np.bool_]


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
    values = _columns(run, given.texts, judge, flagged_D, suggest=suggest)
    if given.missing:
        values = {name: _spread(its, given) for name, its in values.items()}
    return frames.frame(values, library=given.library, index=given.index)


def _judge(run: Run, rate: float | None) -> Judge:
    """Return the judge with a threshold; without one if none was asked for, and none can be had."""
    if rate is not None:
        return judging(run, rate).judge
    try:
        return judging(run, RATE).judge
    except UsageError:  # too few documents were held out
        return judging(run).judge


def _columns(
    run: Run, texts: list[str], judge: Judge, given_D: Flags | None, *, suggest: bool
) -> dict[str, Any]:
    D = len(texts)
    loss_D, percentile_D = np.zeros(D), np.zeros(D)
    unknown_D, flagged_D = np.zeros(D, np.int64), np.zeros(D, np.bool_)
    starts: list[int] = []
    stops: list[int] = []
    for priced in run.pricer.each(texts):
        lengths_D, means_D = priced.laid.lengths_D, priced.means_D
        its = slice(len(starts), len(starts) + len(means_D))
        loss_D[its], unknown_D[its] = means_D, priced.laid.unknown_D
        rarer_D, above_D = judge.percentiles(lengths_D, means_D), judge.flags(lengths_D, means_D)
        if rarer_D is not None:
            percentile_D[its] = rarer_D
        if above_D is not None:
            flagged_D[its] = above_D
        for ends, found_D in zip((starts, stops), priced.spans(judge.usual)):
            ends += found_D.tolist()
    if given_D is not None:
        flagged_D = given_D
    unknowable = [None] * D
    is_judged = judge.reference is not None or judge.threshold is not None
    columns: dict[str, Any] = {
        "text": texts,
        "loss": loss_D,
        "bits": loss_D / LN_2,
        "percentile": percentile_D if is_judged else unknowable,
        "span": [f"{text}{END}"[i:j] for text, i, j in zip(texts, starts, stops)],
        "unknown": unknown_D,
        "flagged": flagged_D if judge.threshold or given_D is not None else unknowable,
    }
    if suggest:
        which: list[int] = np.flatnonzero(flagged_D).tolist()
        # What repeats is looked at once.
        once = {texts[d]: (starts[d], stops[d]) for d in which}
        suggester = Suggester(run.pricer)
        found = suggester.suggest([*once], *([ends[i] for ends in once.values()] for i in (0, 1)))
        meant = {text: one.text if one else None for text, one in zip(once, found)}
        columns["suggestion"] = [meant.get(text) for text in texts]
    return columns


def _spread(values: Any, given: TextColumn) -> list[Any]:
    """Return values with None where the column has a gap."""
    spread: list[Any] = [None] * given.length
    plain: list[Any] = values.tolist() if isinstance(values, np.ndarray) else values
    for place, value in zip(given.places, plain):
        spread[place] = value
    return spread
