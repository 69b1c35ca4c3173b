"""The reference engine: the model over lists of floats, or of Values when gradients are wanted.

In: batches. Out: losses, gradients, updates, in float64. Every intermediate number can be
inspected; the tests compare the other engines with this one.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from microgpt import model
from microgpt.autograd import Scalar, Value, without_collector
from microgpt.config import GPTConfig, ObjectiveName
from microgpt.data.batch import Batch, Batches
from microgpt.engines.about import About
from microgpt.engines.contract import SLOTS, Array, Floats, State, Tensors, Tokens
from microgpt.engines.memory import ByParameters
from microgpt.engines.scalar.operations import Matrix, Row, ScalarOps
from microgpt.engines.scalar.update import Update
from microgpt.errors import UsageError
from microgpt.loss import OBJECTIVES, LossSum
from microgpt.loss.sums import Sums
from microgpt.model.dropout import Dropping
from microgpt.model.operations import Change, unchanged
from microgpt.optim import Optimizer

# Bytes a parameter: a Value with its number and gradient, and Adam's two moments.
ABOUT = About("scalar", False, 200, f"Python {platform.python_version()}", True)


class ScalarEngine:
    """The contract in plain Python."""

    name, label, share = "scalar", "scalar engine", (0, 1)
    threads = 1

    def __init__(
        self,
        config: GPTConfig,
        optimizer: Optimizer,
        loss: ObjectiveName,
        change: Change = unchanged,
    ) -> None:
        self.config = config
        self._optimizer = optimizer
        self._objective = OBJECTIVES[loss]
        self._ops: ScalarOps = change(ScalarOps())
        self.load(State.fresh(np.zeros(model.size(config))))

    @property
    def memory(self) -> ByParameters:
        return ByParameters(ABOUT.bytes_per_parameter * model.size(self.config))

    def load(self, state: State) -> None:
        self._values = [Value(x) for x in state.parameters.tolist()]
        self._m, self._v = (list[float](state.slots[name].tolist()) for name in SLOTS)
        self.updates = state.updates
        self._nodes = self._matrices(self._values)

    def state(self) -> State:
        parameters = np.array([value.data for value in self._values])
        slots: dict[str, Array] = dict(zip(SLOTS, map(np.array, (self._m, self._v))))
        return State(parameters, slots, self.updates)

    def losses(self, batch: Batch) -> Floats:
        numbers = self._matrices([value.data for value in self._values])
        losses_N: Row = []
        for d in range(len(batch)):
            losses_N += self._losses(numbers, batch, d)
        return np.array(losses_N, dtype=np.float64)

    def gradients(self, batch: Batch) -> Tensors:
        self._backward(batch)
        return model.views(np.array([value.grad for value in self._values]), self.config)

    def logits(self, batch: Batch) -> Floats:
        numbers = self._matrices([value.data for value in self._values])
        logits_NV: Matrix = []
        for d in range(len(batch)):
            tokens_T, _ = batch.document(d)
            logits_NV += model.gpt(self._ops, self.config, numbers, tokens_T.tolist())
        return np.reshape(np.array(logits_NV, dtype=np.float64), (-1, self.config.vocab_size))

    def train(self, batches: Batches, lr_K: Floats) -> Sums:
        sums: list[LossSum] = []
        optimizer = self._optimizer
        for k, lr in enumerate(lr_K.tolist()):
            dropping = None
            if optimizer.dropout:
                dropping = Dropping(optimizer.dropout, optimizer.seed, self.updates + 1)
            sums.append(self._backward(batches.step(k), dropping))
            if not math.isfinite(sums[-1].nats):
                break
            self.updates += 1
            update = Update(optimizer, lr, self.updates, sums[-1].positions)
            update(self.config, self._values, self._m, self._v)
        nats_K = np.array([total.nats for total in sums])
        return Sums(nats_K, np.array([total.positions for total in sums], dtype=np.int64))

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

    def _losses(
        self,
        parameters: dict[str, Matrix],
        batch: Batch,
        d: int,
        dropping: Dropping | None = None,
    ) -> Row:
        tokens_T, targets_T = batch.document(d)
        if dropping:
            dropping = replace(dropping, first=int(batch.documents[d]))
        logits_TV = model.gpt(
            self._ops, self.config, parameters, tokens_T.tolist(), dropping=dropping
        )
        return self._ops.cross_entropy(logits_TV, targets_T.tolist())

    def _backward(self, batch: Batch, dropping: Dropping | None = None) -> LossSum:
        """Set every parameter's grad to the gradient of the objective's sum; return the nats."""
        for value in self._values:
            value.grad = 0.0
        losses_N: list[float] = []
        for d in range(len(batch)):
            with without_collector():
                losses_T = cast("list[Value]", self._losses(self._nodes, batch, d, dropping))
                nats_T = [loss.data for loss in losses_T]
                factors_T = [self._objective.weight(nats) for nats in nats_T]
                # The objective's gradient is a factor times cross-entropy's, at each position.
                Value(0.0, losses_T, factors_T).backward()
            losses_N += nats_T
        return LossSum.of(losses_N)


class ScalarDecoder:
    """Sequences decoded side by side, each with a cache of its past."""

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
