"""The reference: the model over plain lists of floats, or of Values when slopes are wanted.

In: batches. Out: losses, gradients, updates, in float64. Here every number can be opened; the other
engines are held to this one.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import cast

import numpy as np

from microgpt import model
from microgpt.autograd import Scalar, Value, dot, exp, relu
from microgpt.batch import Batch, Batches
from microgpt.config import GPTConfig, ObjectiveName
from microgpt.engines.contract import Floats, State, Tensors, Tokens
from microgpt.errors import UsageError
from microgpt.loss import OBJECTIVES, LossSum, check_target, cross_entropy
from microgpt.optim import Adam

Row = list[Scalar]
Matrix = list[Row]
Memory = tuple[Matrix, Matrix]


class ScalarOps:
    """The seven operations over rows of scalars."""

    def embed(self, tokens_T: Sequence[int], wte_VD: Matrix, wpe_TD: Matrix, start: int) -> Matrix:
        return [
            [t + p for t, p in zip(wte_VD[token], wpe_TD[start + i])]
            for i, token in enumerate(tokens_T)
        ]

    def rmsnorm(self, x_TD: Matrix) -> Matrix:
        rows: Matrix = []
        for x_D in x_TD:
            scale = (dot(x_D, x_D) / len(x_D) + 1e-5) ** -0.5
            rows.append([x * scale for x in x_D])
        return rows

    def linear(self, x_TD: Matrix, weight: Matrix) -> Matrix:
        return [[dot(w, x) for w in weight] for x in x_TD]

    def causal_attention(
        self, q_TD: Matrix, k_TD: Matrix, v_TD: Matrix, n_head: int, memory: Memory | None
    ) -> Matrix:
        keys_SD, values_SD = memory or ([], [])
        K = len(q_TD[0]) // n_head
        rows: Matrix = []
        for q_D, k_D, v_D in zip(q_TD, k_TD, v_TD):
            # What is not there yet cannot be attended to: causality without a mask.
            keys_SD.append(k_D)
            values_SD.append(v_D)
            row: Row = []
            for h in range(0, n_head * K, K):
                q_K = q_D[h : h + K]
                weights_S = softmax([dot(q_K, k[h : h + K]) / K**0.5 for k in keys_SD])
                row += [
                    dot(weights_S, column) for column in zip(*[v[h : h + K] for v in values_SD])
                ]
            rows.append(row)
        return rows

    def relu(self, x_TF: Matrix, squared: bool) -> Matrix:
        rows = [[relu(x) for x in row] for row in x_TF]
        # Not ** 2: where that overflows Python raises, and a product is inf, which stops training.
        return [[x * x for x in row] for row in rows] if squared else rows

    def add(self, x_TD: Matrix, y_TD: Matrix) -> Matrix:
        return [[a + b for a, b in zip(x, y)] for x, y in zip(x_TD, y_TD)]

    def cross_entropy(self, logits_TV: Matrix, targets_T: Sequence[int]) -> Row:
        losses_T: Row = []
        for position, (logits_V, target) in enumerate(zip(logits_TV, targets_T)):
            check_target(target, len(logits_V), position)
            if isinstance(logits_V[0], Value):
                nodes_V = cast("list[Value]", logits_V)
                loss, d_logits_V = cross_entropy([z.data for z in nodes_V], target)
                losses_T.append(Value(loss, nodes_V, d_logits_V))
            else:
                losses_T.append(cross_entropy(cast("list[float]", logits_V), target)[0])
        return losses_T


def softmax(scores_S: Row) -> Row:
    """Return exp(score) over their sum, the largest score taken off first."""
    top = max([s.data if isinstance(s, Value) else s for s in scores_S])
    exps_S = [exp(s - top) for s in scores_S]
    # Not `sum`: since Python 3.12 it rounds floats otherwise than it can round Values.
    scale = reduce(lambda a, b: a + b, exps_S) ** -1
    return [e * scale for e in exps_S]


class ScalarEngine:
    """The contract in plain Python."""

    name = "scalar"
    threads = 1

    def __init__(self, config: GPTConfig, adam: Adam, loss: ObjectiveName) -> None:
        self.config = config
        self._adam = adam
        self._objective = OBJECTIVES[loss]
        self._ops = ScalarOps()
        self.load(State.fresh(np.zeros(model.size(config))))

    def load(self, state: State) -> None:
        self._values = [Value(x) for x in state.parameters.tolist()]
        self._m: list[float] = state.m.tolist()
        self._v: list[float] = state.v.tolist()
        self._updates = state.updates
        self._nodes = self._matrices(self._values)

    def state(self) -> State:
        parameters = np.array([value.data for value in self._values])
        return State(parameters, np.array(self._m), np.array(self._v), self._updates)

    def losses(self, batch: Batch) -> Floats:
        numbers = self._matrices([value.data for value in self._values])
        losses_N: Row = []
        for d in range(len(batch)):
            losses_N += self._losses(numbers, batch, d)
        return np.array(losses_N, dtype=np.float64)

    def gradients(self, batch: Batch) -> Tensors:
        self._backward(batch)
        return model.views(np.array([value.grad for value in self._values]), self.config)

    def train(self, batches: Batches, lr_K: Floats) -> list[LossSum]:
        sums: list[LossSum] = []
        for k, lr in enumerate(lr_K.tolist()):
            sums.append(self._backward(batches.step(k)))
            if not math.isfinite(sums[-1].nats):
                break
            self._update(lr, sums[-1].positions)
        return sums

    def decoder(self, rows: int) -> ScalarDecoder:
        numbers = self._matrices([value.data for value in self._values])
        return ScalarDecoder(self._ops, self.config, numbers, rows)

    def _matrices(self, flat: Sequence[Scalar]) -> dict[str, Matrix]:
        matrices: dict[str, Matrix] = {}
        start = 0
        for p in model.parameters(self.config):
            out, width = p.shape
            stops = range(start + width, start + p.size + 1, width)
            matrices[p.name] = [list(flat[stop - width : stop]) for stop in stops]
            start += out * width
        return matrices

    def _losses(self, parameters: dict[str, Matrix], batch: Batch, d: int) -> Row:
        tokens_T, targets_T = batch.document(d)
        logits_TV = model.gpt(self._ops, self.config, parameters, tokens_T.tolist())
        return self._ops.cross_entropy(logits_TV, targets_T.tolist())

    def _backward(self, batch: Batch) -> LossSum:
        """Set every parameter's grad to the slope of the objective's sum; return the nats."""
        for value in self._values:
            value.grad = 0.0
        losses_N: list[float] = []
        for d in range(len(batch)):
            with without_collector():
                losses_T = cast("list[Value]", self._losses(self._nodes, batch, d))
                nats_T = [loss.data for loss in losses_T]
                weights_T = [self._objective.weight(nats) for nats in nats_T]
                # The objective's slope is a weight times cross-entropy's, position by position.
                Value(0.0, losses_T, weights_T).backward()
            losses_N += nats_T
        return LossSum.of(losses_N)

    def _update(self, lr: float, positions: int) -> None:
        adam = self._adam
        self._updates += 1
        m_lacks, v_lacks = adam.corrections(self._updates)
        for i, value in enumerate(self._values):
            grad = value.grad / positions
            m = self._m[i] = adam.beta1 * self._m[i] + (1.0 - adam.beta1) * grad
            v = self._v[i] = adam.beta2 * self._v[i] + (1.0 - adam.beta2) * grad * grad
            value.data -= lr * (m / m_lacks) / ((v / v_lacks) ** 0.5 + adam.eps)


class ScalarDecoder:
    """Rows that each remember their own past."""

    def __init__(
        self, ops: ScalarOps, config: GPTConfig, parameters: dict[str, Matrix], rows: int
    ) -> None:
        self._ops, self._config, self._parameters = ops, config, parameters
        self._pasts = [model.Past([([], []) for _ in range(config.n_layer)]) for _ in range(rows)]

    def push(self, tokens_B: Tokens) -> Floats:
        logits_BV = np.zeros((len(self._pasts), self._config.vocab_size))
        for b, (token, past) in enumerate(zip(tokens_B, self._pasts)):
            if token < 0:
                continue
            if past.length == self._config.block_size:
                raise UsageError(
                    f"a row must hold at most block_size tokens; got {past.length + 1}, "
                    f"block_size={past.length}."
                )
            logits_TV = model.gpt(self._ops, self._config, self._parameters, [token], past)
            logits_BV[b] = cast("list[float]", logits_TV[0])
        return logits_BV


@contextmanager
def without_collector() -> Generator[None]:
    """Keep Python's cycle collector from walking the graph: it is large and has no cycles."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
