"""A point of a curve: a model measured after a step.

In: an engine, positions, the objective that it was trained with. Out: a `Point`, whose loss is nats
for all objectives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.config import ObjectiveName
from microgpt.data.batch import Batch
from microgpt.engines.contract import Engine
from microgpt.loss import OBJECTIVES, LossSum

SURE_AND_WRONG = 0.01
"""Below this p[target] a prediction counts as confident and wrong."""


@dataclass(frozen=True)
class Point:
    """The measurements of a model after a step, on the same positions for all objectives.

    Attributes:
        step: 0 before the first.
        loss: nats a position, whatever was minimised.
        accuracy: the share of positions where the likeliest token was the target.
        slope: the length (L2) of the gradient of the objective's mean, over all parameters.
        weight: the mean of w(p).
        wrong: the share of positions with p below `SURE_AND_WRONG`.
        wrong_weight: the mean of w(p) at those; None: there are none.
        stayed: of the positions that were wrong after a quarter of the steps, the share that are
            wrong now; None: there were none, or the quarter is not over yet.
    """

    step: int
    loss: float
    accuracy: float
    slope: float
    weight: float
    wrong: float
    wrong_weight: float | None
    stayed: float | None = None


def measure(
    engine: Engine, positions: Batch, objective: ObjectiveName, step: int
) -> tuple[Point, NDArray[np.bool_]]:
    """Measure a model; return also at which positions p is below `SURE_AND_WRONG`."""
    nats_N = positions.counted(engine.losses(positions))
    weights_N = np.array([OBJECTIVES[objective].weight(nats) for nats in nats_N.tolist()])
    wrong_N: NDArray[np.bool_] = nats_N > -math.log(SURE_AND_WRONG)
    squares = sum(float(np.square(d).sum()) for d in engine.gradients(positions).values())
    point = Point(
        step=step,
        loss=LossSum.of(nats_N).mean,
        accuracy=_hits(engine, positions) / len(nats_N),
        slope=math.sqrt(squares) / positions.positions,
        weight=float(weights_N.mean()),
        wrong=float(wrong_N.mean()),
        wrong_weight=float(weights_N[wrong_N].mean()) if wrong_N.any() else None,
    )
    return point, wrong_N


def _hits(engine: Engine, positions: Batch) -> int:
    """Count the positions where the likeliest token was the target."""
    hits_N = engine.logits(positions).argmax(axis=1) == positions.targets_N
    return int(positions.counted(hits_N).sum())
