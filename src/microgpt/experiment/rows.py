"""The rows of an experiment's table: each variant over all seeds, compared with the first.

In: what the attempts measured. Out: `TableRow`s, and the text of their cells.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from microgpt.experiment.attempt import Attempt
from microgpt.experiment.variants import Comparison

ABSURD = 1e6
"""A loss from here on is shown as "diverged", like one that is not finite."""

MEANING = {
    "step 1": "loss of the first step, before its update",
    "step 10": "of the tenth",
    "step 100": "of the hundredth",
    "ms a step": "milliseconds",
    "training": "loss on documents trained on, at the end",
    "held out": "loss on other documents",
    "n-grams": "loss of counts of the same documents, held out too",
    "ids": "of the vocabulary",
    "bytes a token": "with each end as one",
    "bits a byte": "the held-out loss in a unit that all tokenizers have",
    "loss": "of 1,000 samples under the model itself",
    "in the data": "the share of them that are documents trained on",
    "distinct": "how many different ones, as a share",
}
"""What the columns are; a loss is in nats a token."""

_FORMS = {
    "in the data": ".1%", "distinct": ".1%", "ids": ",.0f", "bytes a token": ".2f",
    "ms a step": ".3g",
}  # fmt: skip


@dataclass(frozen=True)
class TableRow:
    """A row of the table.

    Attributes:
        label: what differs.
        engine: what computed it.
        values: of each column, one number a seed.
        difference: from the row that it is compared with, seed by seed; empty: it is that row.
    """

    label: str
    engine: str
    values: dict[str, list[float]]
    difference: list[float]


def rows(comparison: Comparison, done: Iterable[Attempt]) -> Iterator[TableRow]:
    """Yield the rows of attempts, which are in the order of their variants."""
    values, engines, begins = dict[str, dict[str, list[float]]](), dict[str, str](), set[str]()
    for attempt in done:
        for label, measured in attempt.rows.items():
            own = values.setdefault(label, {})
            engines[label] = attempt.engine.name
            for column, value in measured.items():
                own.setdefault(column, []).append(value)
        if attempt.variant.begins:
            begins.add(attempt.label)
    first: list[float] = []
    for label, own in values.items():
        mine, difference = own.get(comparison.compared, []), list[float]()
        if not first or label in begins:
            first = mine
        else:
            difference = [value - base for value, base in zip(mine, first)]
        yield TableRow(label, engines[label], own, difference)


def headings(comparison: Comparison, label: str = "") -> list[str]:
    """Return the headings of the table."""
    return [label, *comparison.columns, *(["difference"] if comparison.compared else [])]


def explained(comparison: Comparison, seeds: int) -> Iterator[str]:
    """Yield sentences that say what the columns are."""
    yield "; ".join(f"{column}: {MEANING[column]}" for column in comparison.columns) + "."
    if comparison.compared:
        yield f"difference: of {comparison.compared}, from the last row above that has none."
    if seeds > 1:
        yield f"Medians over {seeds} seeds, with the least and the most."


def cells(comparison: Comparison, row: TableRow) -> list[str]:
    """Return the cells of a row: medians, with the least and the most of several seeds."""
    shown = [row.label]
    for column in comparison.columns:
        form = _FORMS.get(column, f".{comparison.decimals}f")
        shown.append(middle(row.values.get(column, []), form, spread=column in comparison.spread))
    if comparison.compared:
        shown.append(middle(row.difference, f"+.{comparison.decimals}f"))
    return shown


def middle(values: Sequence[float], form: str, *, spread: bool = True) -> str:
    """Write a median, with the least and the most if they differ; "": there are no values.

    >>> middle([2.0], ".1f"), middle([1.0, 3.0, 2.0], ".1f"), middle([float('nan')], ".1f")
    ('2.0', '2.0 (1.0 to 3.0)', 'diverged')
    >>> middle([2.0, float('inf'), 2.1], ".1f")
    'diverged (1 of 3)'
    """
    bad = sum(not abs(value) < ABSURD for value in values)
    if bad:
        return "diverged" + (f" ({bad} of {len(values)})" if len(values) > 1 else "")
    if not values:
        return ""
    low, half, high = (
        format(value, form) for value in (min(values), statistics.median(values), max(values))
    )
    return half if low == high or not spread else f"{half} ({low} to {high})"
