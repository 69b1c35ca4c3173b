"""One update, taken apart: forward, loss, backward, update; on a copy of a model.

In: an engine with a state, a document. Out: the numbers of each phase. Shapes: N positions of the
document, V tokens.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.config import GPTConfig, TrainConfig
from microgpt.data.batch import Batch, Batches, lay_out
from microgpt.data.plan import Plan
from microgpt.data.tokenizer import Tokenizer, encode_all, known_ids
from microgpt.engines.contract import Engine, Floats, State
from microgpt.errors import DivergedError
from microgpt.loss.many import Softmax
from microgpt.loss.objectives import OBJECTIVES
from microgpt.loss.sums import LossSum
from microgpt.model import parameters, views

CURVE = 100
"""The most points in which many updates are reported."""


@dataclass(frozen=True, eq=False)
class Forward:
    """The forward pass, the losses, and the gradient that arrives at the logits.

    Attributes:
        batch: the document, or its windows.
        p_NV: the probability of each token.
        losses_N: -log p[target], nats.
        d_logits_NV: the gradient of the objective's mean: w(p) (p - onehot) / N.
    """

    batch: Batch
    p_NV: Floats
    losses_N: Floats
    d_logits_NV: Floats

    @property
    def loss(self) -> float:
        """Their mean."""
        return float(self.losses_N.mean())


@dataclass(frozen=True)
class Moved:
    """A matrix before and after an update.

    Attributes:
        name: of the matrix.
        shape: (out, in).
        gradient: the root mean square of its gradient, of the objective's mean.
        size: the root mean square of the matrix itself.
        change: the root mean square of its change; 0 before an update.
    """

    name: str
    shape: tuple[int, int]
    gradient: float
    size: float
    change: float = 0.0


@dataclass(frozen=True, eq=False)
class Updated:
    """What an update did.

    Attributes:
        moved: each matrix, in the order of `model.parameters`.
        before, after: the document's loss, nats a position.
        others_before, others_after: the loss of each of the other documents.
    """

    moved: list[Moved]
    before: float
    after: float
    others_before: Floats
    others_after: Floats


@dataclass(frozen=True)
class Watched:
    """Losses after some updates, nats a position.

    Attributes:
        updates: made since the model was copied.
        loss: of the document.
        others: of the other documents.
    """

    updates: int
    loss: float
    others: float


class OneStep:
    """Updates of a copy of a model, on one document at a time.

    Args:
        engine: opened for the training; it is loaded with `state`, and nobody else's.
        state: to begin from.
        tokenizer: encodes documents.
        model: the model's settings.
        training: whose objective and optimizer are used.
        others: documents whose losses are watched, too; at least one.

    Attributes:
        made: updates since `state`.

    """

    def __init__(
        self,
        engine: Engine,
        state: State,
        tokenizer: Tokenizer,
        model: GPTConfig,
        training: TrainConfig,
        others: Sequence[str],
    ) -> None:
        engine.load(state)
        self._engine, self._first, self._tokenizer = engine, state.updates, tokenizer
        self._model, self._training = model, training
        self._others = self._laid(others)

    @property
    def made(self) -> int:
        """Updates since the state that it began from."""
        return self._engine.updates - self._first

    def batch(self, text: str) -> Batch:
        """Lay out a document.

        Raises:
            UsageError: the model has never seen a character of it.
        """
        known_ids(self._tokenizer, text, "document")
        return self._laid([text])[0]

    def forward(self, batch: Batch) -> Forward:
        """Compute the forward pass of a document, its losses, and the gradient at the logits."""
        softmax, N = Softmax(self._engine.logits(batch)), np.arange(batch.positions)
        p_NV, losses_N = softmax.p_BV, softmax.losses(batch.targets_N)
        weight = OBJECTIVES[self._training.loss].weight
        d_logits_NV: Floats = np.array(p_NV)
        d_logits_NV[N, batch.targets_N] = np.expm1(-losses_N)  # p - 1, without cancellation
        d_logits_NV *= np.array([[weight(nats)] for nats in losses_N.tolist()]) / len(N)
        return Forward(batch, p_NV, losses_N, d_logits_NV)

    def gradients(self, batch: Batch) -> list[Moved]:
        """Return how large the gradient is in each matrix."""
        sums = self._engine.gradients(batch)
        weights = self._weights()
        return [
            Moved(p.name, p.shape, _rms(sums[p.name] / batch.positions), _rms(weights[p.name]))
            for p in parameters(self._model)
        ]

    def update(self, batch: Batch, lr: float) -> Updated:
        """Make one update on a document.

        Args:
            batch: the document.
            lr: Adam's learning rate, above 0; Muon's is the optimizer's multiple of it.

        Raises:
            DivergedError: a loss is not finite any more.
        """
        gradients, weights = self.gradients(batch), self._weights()
        before, others = self._mean(batch), self._each()
        self._train(_repeated(batch, 1), lr)
        now = self._weights()
        moved = [
            Moved(g.name, g.shape, g.gradient, g.size, _rms(now[g.name] - weights[g.name]))
            for g in gradients
        ]
        return Updated(moved, before, self._mean(batch), others, self._each())

    def again(
        self, batch: Batch, lr: float, times: int, plan: Plan | None = None
    ) -> Iterator[Watched]:
        """Make many updates; yield the losses now, and after each of at most 100 spans of them.

        Args:
            batch: the document whose loss is watched, and that is trained on without a plan.
            lr: Adam's learning rate.
            times: how many updates.
            plan: gives the documents to train on; None: this one, each time.

        Raises:
            DivergedError: a loss is not finite any more.
        """
        yield self._watched(batch)
        span, done = math.ceil(times / CURVE), 0
        while done < times:
            K = min(span, times - done)
            batches = plan.batches(self._engine.updates, K) if plan else _repeated(batch, K)
            self._train(batches, lr)
            done += K
            yield self._watched(batch)

    def _watched(self, batch: Batch) -> Watched:
        return Watched(self.made, self._mean(batch), self._mean(self._others[0]))

    def _train(self, batches: Batches, lr: float) -> None:
        sums = self._engine.train(batches, np.full(batches.n_steps, lr))
        loss = self._mean(batches.step(batches.n_steps - 1))
        if not (np.isfinite(sums.nats_K).all() and math.isfinite(loss)):
            raise DivergedError(self.made, loss, f"--lr {lr:g}")

    def _mean(self, batch: Batch) -> float:
        return LossSum.of(self._engine.losses(batch)).mean

    def _each(self) -> Floats:
        """Return the loss of each of the other documents, nats a position."""
        batch, document_W = self._others
        nats_W = np.add.reduceat(self._engine.losses(batch), batch.documents[:-1])
        positions_W = np.diff(batch.documents)
        return np.bincount(document_W, nats_W) / np.bincount(document_W, positions_W)

    def _laid(self, texts: Sequence[str]) -> tuple[Batch, NDArray[np.int64]]:
        """Lay out documents; return whose window each one is, too."""
        encoded = encode_all(self._tokenizer, texts)
        batch = lay_out(encoded, self._tokenizer.bos, self._model.block_size).batch
        windows_D = -(-np.diff(encoded.offsets) // self._model.block_size)
        return batch, np.repeat(np.arange(len(texts)), windows_D)

    def _weights(self) -> dict[str, Floats]:
        return views(self._engine.state().parameters.astype(np.float64), self._model)


def _repeated(batch: Batch, K: int) -> Batches:
    """Return the batches of K steps on the same document."""
    order = np.tile(np.arange(len(batch)), K)
    all_K = batch.take(order)
    steps = np.arange(K + 1) * len(batch)
    return Batches(all_K.tokens_N, all_K.targets_N, all_K.documents, steps)


def _rms(matrix: Floats) -> float:
    """Return the root mean square of a matrix."""
    return float(np.sqrt(np.square(matrix).mean()))
