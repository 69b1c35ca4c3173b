"""One training of a sweep: its values and its outcome.

In: a study's records. Out: `Trial`s, and the best of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from microgpt import schema
from microgpt.errors import SweepError, UsageError
from microgpt.sweep.knob import Value

Outcome = Literal["done", "pruned", "diverged", "failed"]

Key = tuple[tuple[str, Value], ...]
"""The values of a trial, hashable: equal for two trials of the same values."""


@dataclass(frozen=True)
class Trial:
    """One training of a sweep.

    Attributes:
        number: from 1, over all machines; repetitions, which are not trained, have numbers too.
        values: of the knobs, as trained with.
        outcome: how it ended.
        loss: the held-out loss, nats per position; of a pruned trial, the last one reported; NaN:
            none was.
        steps: how many steps were made.
        seconds: how long the training took.
    """

    number: int
    values: dict[str, Value]
    outcome: Outcome
    loss: float
    steps: int
    seconds: float


def best(trials: list[Trial]) -> Trial | None:
    """Return the finished trial of the lowest loss.

    Of equal losses, the one with the lowest number: the order in which trials end does not matter.
    """
    done = [trial for trial in trials if trial.outcome == "done"]
    return min(done, key=lambda trial: (trial.loss, trial.number), default=None)


@dataclass(frozen=True)
class _Ended:
    """A trial's user attribute in the database."""

    outcome: Outcome
    steps: int
    seconds: float


def recorded(number: int, drawn: Mapping[str, Any], loss: float, about: Any) -> Trial:
    """Return a trial from its record in the database.

    Raises:
        SweepError: `about` is not what a sweep writes.
    """
    try:
        ended = schema.convert(_Ended, about, f"trial {number}")
    except UsageError as error:
        raise SweepError(f"the sweep's study: damaged or foreign ({error}).") from None
    return Trial(number, rounded(drawn), loss=loss, **vars(ended))


def rounded(drawn: Mapping[str, Any]) -> dict[str, Value]:
    """Round numbers to four digits: a trial trains with the values that are printed."""
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in drawn.items()}


def key_of(values: Mapping[str, Value]) -> Key:
    """Return a trial's values, hashable."""
    return tuple(sorted(values.items()))
