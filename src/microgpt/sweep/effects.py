"""The effect of each knob on the loss, the others held fixed.

In: trials, with the losses they reported. Out: an `Effect` for each knob, in nats, with its error.

A sweep samples its space unevenly: it searches where losses were low, and prunes trials that fall
behind. Statistics of the best trials, or of the finished ones, would be biased. Therefore an
additive model is fitted to all trials, with one coefficient for each choice, or quarter of a range,
of each knob. A pruned trial counts with an extrapolated loss: its last one plus the median change
of the finished trials from there to the end.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt.sweep.knob import Knob, Value

LEAST = 32
"""Effects need this many trials, and three for each coefficient that is fitted."""

_FOR_EACH = 3
_QUARTERS = 4
# The fewest trials of a choice to compare it; the standard errors beyond which an effect is real.
_OF_A_CHOICE = 4
_ERRORS = 3.0
# Huber's constant: a trial with a larger residual, in standard deviations, has a smaller weight.
_HUBER = 1.345
_ROUNDS = 30

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Effect:
    """How far a knob moves the loss.

    Attributes:
        nats: from its best choice or quarter to its worst, per position, the other knobs held.
        error: the standard error of that.
    """

    nats: float
    error: float

    @property
    def seen(self) -> bool:
        """Whether it exceeds three standard errors."""
        return self.nats > _ERRORS * self.error


@dataclass(frozen=True)
class Effects:
    """The effects of a sweep's knobs.

    Attributes:
        of: by knob, the largest first, where two values can be compared; empty: too few trials.
        left: the residual standard deviation: chance, and interactions of knobs.
        trials: how many trials were fitted.
        needed: how many are needed.
    """

    of: Mapping[str, Effect]
    left: float
    trials: int
    needed: int

    @property
    def seen(self) -> dict[str, Effect]:
        """The effects that exceed three standard errors, the largest first."""
        return {name: effect for name, effect in self.of.items() if effect.seen}

    def ordered(self, knobs: Sequence[Knob]) -> list[Knob]:
        """Sort knobs: the largest effect first, those that may be chance last."""
        places = {name: place for place, name in enumerate(self.seen)}
        return sorted(knobs, key=lambda knob: places.get(knob.name, len(places)))


@dataclass(frozen=True)
class Course:
    """One trial's learning curve.

    Attributes:
        values: of the knobs.
        losses: by percent of the training; 100 only if it was finished.
        diverged: whether it diverged; then it counts with the highest loss of all trials.
    """

    values: Mapping[str, Value]
    losses: Mapping[int, float]
    diverged: bool = False


def effects(knobs: Sequence[Knob], courses: Sequence[Course]) -> Effects:
    """Estimate each knob's effect on the loss, the others held fixed.

    The additive model is fitted by Huber's robust least squares; the standard errors allow for
    residuals of unequal variance (HC3).

    Source: Huber and Ronchetti, "Robust Statistics" (2009), section 7; MacKinnon and White, "Some
    heteroskedasticity-consistent covariance matrix estimators" (1985).
    """
    compared, loss_M = _ended(courses)
    levels = {knob.name: [_level(knob, c.values[knob.name]) for c in compared] for knob in knobs}
    columns: dict[tuple[str, int], Floats] = {
        (name, level): np.array([float(each == level) for each in of_it])
        for name, of_it in levels.items()
        for level in sorted(set(of_it))[1:]
    }
    needed = max(LEAST, _FOR_EACH * (1 + len(columns)))
    if len(compared) < needed:
        return Effects({}, math.nan, len(compared), needed)
    x_MC = np.stack([np.ones(len(compared)), *columns.values()], axis=1)
    fitted_C, covariance_CC, left = _fit(x_MC, loss_M)
    place = {key: at for at, key in enumerate(columns, 1)}
    found: dict[str, Effect] = {}
    for name, of_it in levels.items():
        common = [level for level, number in Counter(of_it).items() if number >= _OF_A_CHOICE]
        if len(common) < 2:
            continue

        def height(level: int, name: str = name) -> float:
            at = place.get((name, level))
            return 0.0 if at is None else float(fitted_C[at])

        ends = max(common, key=height), min(common, key=height)
        contrast_C = np.zeros(len(fitted_C))
        for sign, level in zip((1.0, -1.0), ends):
            if at := place.get((name, level)):
                contrast_C[at] = sign
        variance = float(contrast_C @ covariance_CC @ contrast_C)
        nats = height(ends[0]) - height(ends[1])
        found[name] = Effect(nats, math.sqrt(max(0.0, variance)))
    ordered = sorted(found.items(), key=lambda item: -item[1].nats)
    return Effects(dict(ordered), left, len(compared), needed)


def _ended(courses: Sequence[Course]) -> tuple[list[Course], Floats]:
    """Return the trials to fit, and the final loss of each, extrapolated for pruned ones."""
    done = [c for c in courses if math.isfinite(c.losses.get(100, math.nan)) and not c.diverged]
    shares = {share for c in courses for share in c.losses} - {100}
    fall = {
        share: float(np.median(falls))
        for share in shares
        if (falls := [c.losses[100] - c.losses[share] for c in done if share in c.losses])
    }
    losses: dict[int, float] = {}
    for i, course in enumerate(courses):
        last = max(course.losses, default=0)
        if course.diverged or not (last == 100 or last in fall):
            continue
        loss = course.losses[last] + fall.get(last, 0.0)
        if math.isfinite(loss):
            losses[i] = loss
    if losses:
        worst = max(losses.values())
        losses |= {i: worst for i, course in enumerate(courses) if course.diverged}
    return [courses[i] for i in losses], np.array([*losses.values()], dtype=np.float64)


def _level(knob: Knob, value: Value) -> int:
    """Number the choices of a knob, or the quarters of its range.

    >>> [_level(Knob("lr", 0.001, 0.1), lr) for lr in (0.001, 0.009, 0.011, 0.1)]
    [0, 1, 2, 3]
    >>> _level(Knob("n_embd", choices=(16, 32)), 32)
    1
    """
    if knob.choices:
        return knob.choices.index(value)
    scale = math.log if knob.log else float
    low, high = scale(knob.low), scale(knob.high)
    share = (scale(float(value)) - low) / (high - low)
    return min(max(int(_QUARTERS * share), 0), _QUARTERS - 1)


def _fit(x_MC: Floats, y_M: Floats) -> tuple[Floats, Floats, float]:
    """Return the coefficients of a robust fit, their covariance, and the residual deviation."""
    weight_M = np.ones(len(y_M))
    pull_CM: Any = None
    residual_M, spread = y_M, 0.0
    coefficients_C = np.zeros(x_MC.shape[1])
    for _ in range(_ROUNDS):
        root_M = np.sqrt(weight_M)
        pull_CM = np.linalg.pinv(x_MC * root_M[:, None])
        coefficients_C = pull_CM @ (y_M * root_M)
        residual_M = y_M - x_MC @ coefficients_C
        spread = 1.4826 * float(np.median(np.abs(residual_M)))
        far_M = np.maximum(np.abs(residual_M), 1e-300)
        weight_M = np.minimum(1.0, _HUBER * spread / far_M) if spread else np.ones(len(y_M))
    root_M = np.sqrt(weight_M)
    leverage_M = np.minimum(np.einsum("mc,cm->m", x_MC * root_M[:, None], pull_CM), 0.9)
    noise_M = root_M * residual_M / (1.0 - leverage_M)
    return coefficients_C, (pull_CM * noise_M**2) @ pull_CM.T, spread
