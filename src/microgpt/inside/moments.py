"""An optimizer's update, followed number by number: Adam's moments, Muon's singular values.

In: gradients, constants. Out: what `optim` defines, each number on the way; and the same updates by
an engine, to compare.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.config import GPTConfig
from microgpt.data.batch import Batch, Batches
from microgpt.engines.contract import Engine
from microgpt.inside.operations import Floats
from microgpt.model import views
from microgpt.optim import ITERATIONS, POLYNOMIAL, SMALLEST_NORM, Optimizer


@dataclass(frozen=True)
class Moment:
    """One update of one parameter by Adam.

    Attributes:
        update: its number, counted from 1.
        gradient: g, of the batch's mean loss.
        m: the running mean of the gradients.
        v: the running mean of their squares.
        m_hat, v_hat: both over their bias corrections.
        step: lr m_hat / (sqrt(v_hat) + eps), which is subtracted.
        value: of the parameter after it.
    """

    update: int
    gradient: float
    m: float
    v: float
    m_hat: float
    v_hat: float
    step: float
    value: float


def adam(
    optimizer: Optimizer, gradients: Sequence[float], lr: float, value: float = 0.0
) -> list[Moment]:
    """Update one parameter by Adam, once for each gradient.

    Args:
        optimizer: beta1, beta2 and eps.
        gradients: of the mean loss, at each update.
        lr: the learning rate.
        value: of the parameter before the first update.

    >>> simple = Optimizer(beta1=0.5, beta2=0.75)
    >>> [round(one.step, 4) for one in adam(simple, [1.0, 1.0, -1.0], lr=0.1)]
    [0.1, 0.1, -0.0143]
    >>> [round(one.step, 4) for one in adam(simple, [0.001, 0.001, -0.001], lr=0.1)]
    [0.1, 0.1, -0.0143]
    """
    m = v = 0.0
    moments: list[Moment] = []
    for t, g in enumerate(gradients, 1):
        m = optimizer.beta1 * m + (1.0 - optimizer.beta1) * g
        v = optimizer.beta2 * v + (1.0 - optimizer.beta2) * g * g
        m_correction, v_correction = optimizer.corrections(t)
        m_hat, v_hat = m / m_correction, v / v_correction
        step = lr * m_hat / (math.sqrt(v_hat) + optimizer.eps)
        value -= step
        moments.append(Moment(t, g, m, v, m_hat, v_hat, step, value))
    return moments


def singular_values(matrix: NDArray[np.floating]) -> list[list[float]]:
    """Return a matrix's singular values over its norm, and after each of Muon's iterations.

    The iterations are made on the matrix, by products alone; the singular values are measured.

    >>> first, *_, last = singular_values(np.diag([3.0, 1.0]))
    >>> [round(s, 2) for s in first], [round(s, 2) for s in last]
    ([0.95, 0.32], [1.13, 0.75])
    """
    rows, columns = matrix.shape
    wide: Floats = np.asarray(np.transpose(matrix) if rows > columns else matrix, np.float64)
    x: Floats = wide / (float(np.linalg.norm(wide)) + SMALLEST_NORM)
    found: list[list[float]] = [np.linalg.svd(x, compute_uv=False).tolist()]
    a, b, c = POLYNOMIAL
    for _ in range(ITERATIONS):
        gram = x @ np.transpose(x)
        x = a * x + (b * gram + c * gram @ gram) @ x
        found.append(np.linalg.svd(x, compute_uv=False).tolist())
    return found


@dataclass(frozen=True, eq=False)
class Followed:
    """Updates by an engine on one batch, again and again, and what they did to some parameters.

    Attributes:
        loss_K: the mean loss before each update.
        gradients_KP: of the mean loss, before each update.
        values_KP: of the parameters before the first update, and after each.
        change: the first update of all parameters, by matrix.
    """

    loss_K: Floats
    gradients_KP: Floats
    values_KP: Floats
    change: Mapping[str, Floats]


def follow(
    engine: Engine, config: GPTConfig, batch: Batch, lr: float, updates: int, places: Sequence[int]
) -> Followed:
    """Train an engine on one batch, and note some gradients and parameters.

    Args:
        engine: with the state to begin from, opened without dropout.
        config: the model's shape.
        batch: its documents.
        lr: the learning rate of each update.
        updates: how many.
        places: of the parameters to follow, among all.
    """
    each = Batches(batch.tokens_N, batch.targets_N, batch.documents, np.array([0, len(batch)]))
    before = engine.state().parameters.astype(np.float64)
    values, change = [before[[*places]]], np.zeros_like(before)
    losses: list[float] = []
    gradients: list[Floats] = []
    for k in range(updates):
        gradients.append(gradient(engine, batch)[[*places]])
        losses.append(engine.train(each, np.array([lr]))[0].mean)
        after = engine.state().parameters.astype(np.float64)
        values.append(after[[*places]])
        if k == 0:
            change = after - before
    matrices = views(change, config)
    return Followed(np.array(losses), np.array(gradients), np.array(values), matrices)


def gradient(engine: Engine, batch: Batch) -> Floats:
    """Return the gradient of a batch's mean loss with respect to all parameters, in their order."""
    sums = engine.gradients(batch)
    return np.concatenate([sums[name].ravel() for name in sums]) / batch.positions
