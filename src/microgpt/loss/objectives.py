"""The objectives that training can minimise: functions of p = p[target].

In: the nats of a position. Out: the value of an objective there, and the factor by which its
gradient with respect to the logits differs from cross-entropy's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Objective:
    """What training minimises: a function of p = p[target] alone.

    Its gradient with respect to the logits is a factor times cross-entropy's::

        d_logits = w(p) * (softmax(logits) - onehot(target))        w(p) = -p * d value / d p

    This line answers "why the negative log": where the model is confident and wrong (p -> 0),
    every w vanishes but that of ``-log p``. `value` and `weight` take the nats, ``-log p``: p and
    1 - p follow from these without cancellation. Whatever is minimised, nats are *reported*, so
    that trainings can be compared.

    Attributes:
        name: the value of `--loss`.
        formula: in p.
        value: the objective, as a function of a position's nats.
        weight: w(p), as a function of a position's nats.
        domain: of p and of the value.
        proper: whether it is a proper score, in a sentence.
        source: where the formula is from.

    >>> for objective in OBJECTIVES.values():
    ...     print(objective.formula, round(objective.weight(-math.log(0.01)), 4))
    -log p 1.0
    1 - p 0.01
    (1 - p)^2 0.0198
    """

    name: str
    formula: str
    value: Callable[[float], float]
    weight: Callable[[float], float]
    domain: str
    proper: str
    source: str


def _one(_nats: float) -> float:
    return 1.0


def _p(nats: float) -> float:
    return math.exp(-nats)


def _miss(nats: float) -> float:
    return -math.expm1(-nats)


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective(
            name="cross-entropy",
            formula="-log p",
            value=float,
            weight=_one,
            domain="p in (0, 1], value in [0, inf)",
            proper="a strictly proper score: only the true probabilities minimise it",
            source="Good 1952; of p[target] alone it is the only proper score, Bernardo 1979",
        ),
        Objective(
            name="linear",
            formula="1 - p",
            value=_miss,
            weight=_p,
            domain="p in [0, 1], value in [0, 1]",
            proper="no proper score: it is lowest when all is bet on the likeliest",
            source="the linear score of Gneiting and Raftery 2007, section 4.1",
        ),
        Objective(
            name="quadratic",
            formula="(1 - p)^2",
            value=lambda nats: _miss(nats) ** 2,
            weight=lambda nats: 2.0 * _p(nats) * _miss(nats),
            domain="p in [0, 1], value in [0, 1]",
            proper="a proper score for two outcomes only, where it is half the Brier score",
            source="Brier 1950 sums over all outcomes; this keeps the target's alone",
        ),
    )
}
