"""One training of a sweep: its values, and what became of it.

In: what a study holds. Out: `Trial`s, and the best of them.
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
"""What two trials of the same values share."""


@dataclass(frozen=True)
class Trial:
    """One training of a sweep.

    Attributes:
        number: from 1, over all machines; what was drawn and not trained has one too.
        values: of the knobs, as trained with.
        outcome: what became of it.
        loss: held out, nats per position; of one given up, the last it reported; or nan.
        steps: made.
        seconds: of training.
    """

    number: int
    values: dict[str, Value]
    outcome: Outcome
    loss: float
    steps: int
    seconds: float


def best(trials: list[Trial]) -> Trial | None:
    """Return the trial of the lowest loss among those that came to their end.

    The first, if several cost the same: which one ended first must not matter.
    """
    done = [trial for trial in trials if trial.outcome == "done"]
    return min(done, key=lambda trial: (trial.loss, trial.number), default=None)


@dataclass(frozen=True)
class _Ended:
    """What stands beside a trial in the database."""

    outcome: Outcome
    steps: int
    seconds: float


def recorded(number: int, drawn: Mapping[str, Any], loss: float, about: Any) -> Trial:
    """Return a trial that a database holds.

    Raises:
        SweepError: `about` is not what a sweep writes.
    """
    try:
        ended = schema.convert(_Ended, about, f"trial {number}")
    except UsageError as error:
        raise SweepError(f"the sweep's study: damaged or foreign ({error}).") from None
    return Trial(number, rounded(drawn), loss=loss, **vars(ended))


def rounded(drawn: Mapping[str, Any]) -> dict[str, Value]:
    """Round to four digits: what is trained with is what a person can read and type."""
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in drawn.items()}


def key_of(values: Mapping[str, Value]) -> Key:
    """Return what two trials of the same values share."""
    return tuple(sorted(values.items()))
