"""The update over plain lists: Adam, and Muon for the layers' matrices. The formulas: `optim`.

In: parameters with the gradient of the sum of a batch's losses. Out: the parameters, updated in
place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from operator import mul

from microgpt import model
from microgpt.autograd import Value
from microgpt.config import GPTConfig
from microgpt.optim import ITERATIONS, POLYNOMIAL, SMALLEST_NORM, Optimizer


class Update:
    """One update of all parameters.

    Args:
        optimizer: the optimizer's constants.
        lr: Adam's learning rate.
        number: the number of the update, counted from 1.
        positions: how many the batch has; the gradient of the sum is divided by it.
    """

    def __init__(self, optimizer: Optimizer, lr: float, number: int, positions: int) -> None:
        self._optimizer, self._lr, self._positions = optimizer, lr, positions
        self._number = number

    def __call__(
        self, config: GPTConfig, values: Sequence[Value], m: list[float], v: list[float]
    ) -> None:
        """Update all parameters and their moments."""
        optimizer, start = self._optimizer, 0
        for p in model.parameters(config):
            stop = start + p.size
            if p.hidden:
                shrinks = 1.0 - self._lr * (optimizer.muon or 1.0) * optimizer.weight_decay
                for value in values[start:stop]:
                    value.data *= shrinks
            if p.hidden and optimizer.muon:
                self._muon(values, m, start, p.shape)
            else:
                self._adam(values, m, v, range(start, stop))
            start = stop

    def _adam(
        self, values: Sequence[Value], ms: list[float], vs: list[float], indices: range
    ) -> None:
        adam = self._optimizer
        m_correction, v_correction = adam.corrections(self._number)
        for i in indices:
            grad = values[i].grad / self._positions
            m = ms[i] = adam.beta1 * ms[i] + (1.0 - adam.beta1) * grad
            v = vs[i] = adam.beta2 * vs[i] + (1.0 - adam.beta2) * grad * grad
            m_hat, v_hat = m / m_correction, v / v_correction
            values[i].data -= self._lr * m_hat / (v_hat**0.5 + adam.eps)

    def _muon(
        self, values: Sequence[Value], ms: list[float], start: int, shape: tuple[int, int]
    ) -> None:
        rows, columns = shape
        momentum = self._optimizer.momentum
        ahead: list[float] = []
        for i in range(start, start + rows * columns):
            grad = values[i].grad / self._positions
            m = ms[i] = momentum * ms[i] + (1.0 - momentum) * grad
            ahead.append(momentum * m + (1.0 - momentum) * grad)
        lr = self._lr * self._optimizer.muon * max(1.0, rows / columns) ** 0.5
        matrix = [ahead[r * columns : (r + 1) * columns] for r in range(rows)]
        for i, step in enumerate(chain.from_iterable(orthogonal(matrix)), start):
            values[i].data -= lr * step


def orthogonal(x: list[list[float]]) -> list[list[float]]:
    """Orthogonalise a matrix: bring all its singular values near 1; see `optim.POLYNOMIAL`.

    >>> [[round(number, 2) for number in row] for row in orthogonal([[3.0, 0.0], [0.0, 1.0]])]
    [[0.75, 0.0], [0.0, 1.13]]
    """
    if len(x) > len(x[0]):
        return list(map(list, zip(*orthogonal(list(map(list, zip(*x)))))))
    norm = math.sqrt(sum(_dot(row, row) for row in x)) + SMALLEST_NORM
    x = [[number / norm for number in row] for row in x]
    a, b, c = POLYNOMIAL
    for _ in range(ITERATIONS):
        gram = [[_dot(r, s) for s in x] for r in x]
        mixed = [[b * g + c * _dot(row, column) for g, column in zip(row, gram)] for row in gram]
        columns = list(zip(*x))
        x = [
            [a * number + _dot(factors, column) for number, column in zip(row, columns)]
            for row, factors in zip(x, mixed)
        ]
    return x


def _dot(xs: Sequence[float], ys: Sequence[float]) -> float:
    return sum(map(mul, xs, ys))
