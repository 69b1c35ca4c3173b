"""The mean loss of a text as a function of a model's parameters, which can be nudged one by one.

In: a config, parameters, a text's tokens and targets. Out: losses by a forward pass over numpy
arrays, and the gradient by a backward pass over `Value`s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from microgpt import engines, model
from microgpt.autograd import Value, without_collector
from microgpt.config import GPTConfig
from microgpt.inside.difference import difference, relative_error
from microgpt.inside.operations import ArrayOps, Floats
from microgpt.loss.many import Softmax


@dataclass(frozen=True)
class NudgedParameter:
    """A parameter with its gradient, and the answer of the loss to a nudge of it.

    Attributes:
        name: the matrix, the row and the column.
        index: among all parameters.
        value: of the parameter.
        gradient: by the backward pass.
        change: the central difference, by forward passes alone.
        error: the difference of the two, as a share.
    """

    name: str
    index: int
    value: float
    gradient: float
    change: float
    error: float


class TextLoss:
    """The mean loss of a text in float64, as a function of all parameters.

    The loss is computed over numpy arrays; the gradient by the scalar engine's operations on
    `Value`s. Only `model.gpt`, which says in which order, is common to both.

    Args:
        config: the model's shape.
        parameters: all of them, in the order of `model.parameters`.
        tokens_T: what is read, at most block_size.
        targets_T: what comes at each position; a negative one, which is unknown, has no part in the
            mean. At least one is known.

    >>> config = GPTConfig(vocab_size=3, block_size=4, n_layer=1, n_head=2, n_embd=4)
    >>> loss = TextLoss(config, np.full(model.size(config), 0.1), [2, 0], [0, -1])
    >>> found = loss.largest("lm_head", h=1e-4)
    >>> found.name, found.error < 1e-7
    ('lm_head[0, 0]', True)
    """

    def __init__(
        self,
        config: GPTConfig,
        parameters: NDArray[Any],
        tokens_T: Sequence[int],
        targets_T: Sequence[int],
    ) -> None:
        self._config, self._tokens_T = config, tokens_T
        self._parameters = np.array(parameters, np.float64)
        self._weights = model.views(self._parameters, config)
        self._known = [t for t, target in enumerate(targets_T) if target >= 0]
        self._targets = [targets_T[t] for t in self._known]

    @property
    def positions(self) -> int:
        """How many positions the mean is of."""
        return len(self._known)

    def nudged(self, index: int, by: float) -> float:
        """Return the loss with one parameter nudged."""
        before = self._parameters[index]
        self._parameters[index] = before + by
        logits_TV = model.gpt(ArrayOps(), self._config, self._weights, self._tokens_T)
        self._parameters[index] = before
        losses_N = Softmax(logits_TV[self._known]).losses(np.array(self._targets))
        return float(losses_N.mean())

    @cached_property
    def gradient(self) -> Floats:
        """The gradient with respect to all parameters, by the backward pass of `autograd`."""
        values = [Value(x) for x in self._parameters.tolist()]
        numbers = model.views(np.arange(len(values)), self._config)
        nodes: dict[str, list[list[Value]]] = {
            name: [[values[i] for i in row] for row in matrix.tolist()]
            for name, matrix in numbers.items()
        }
        ops = engines.scalar_operations()
        with without_collector():
            logits_TV = model.gpt(ops, self._config, nodes, self._tokens_T)
            losses_N = ops.cross_entropy([logits_TV[t] for t in self._known], self._targets)
            loss = reduce(add, cast("list[Value]", losses_N)) * (1.0 / len(losses_N))
            loss.backward()
        return np.array([value.grad for value in values])

    def largest(self, matrix: str, h: float) -> NudgedParameter:
        """Nudge the parameter of a matrix that has the largest gradient."""
        indices = model.views(np.arange(len(self._parameters)), self._config)[matrix]
        sizes = np.abs(self.gradient[indices])
        row, column = divmod(int(sizes.argmax()), sizes.shape[1])
        index = int(indices[row, column])
        gradient = float(self.gradient[index])
        change = difference(lambda nudge: self.nudged(index, nudge), h).central
        return NudgedParameter(
            f"{matrix}[{row}, {column}]", index, float(self._parameters[index]), gradient, change,
            relative_error(change, gradient),
        )  # fmt: skip
