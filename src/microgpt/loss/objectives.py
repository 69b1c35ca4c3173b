"""What training may push down instead: functions of p = p[target], each a weight on one slope.

In: the nats of a position. Out: the value of an objective there, and the number that its slope on
the logits is cross-entropy's times.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Objective:
    """What training pushes down: a function of p = p[target] alone.

    Its slope on the logits is a number times cross-entropy's::

        d_logits = w(p) * (softmax(logits) - onehot(target))        w(p) = -p * d value / d p

    That one line is the answer to "why the negative log": where the model is sure and wrong
    (p -> 0), every w vanishes but that of ``-log p``. Both functions take the nats, ``-log p``,
    from which p and 1 - p are had without cancellation; whatever is pushed down, what is
    *reported* is nats, so that trainings can be compared.

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
