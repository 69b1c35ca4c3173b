"""What every engine promises: nine operations, and the verbs above them.

An engine computes; it decides nothing. Names, shapes, first numbers, order, rates and averages come
from the modules above, and a state saved by one engine goes on under another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch, Batches
from microgpt.loss import LossSum
from microgpt.model.dropout import Dropping

Floats = NDArray[np.float64]
Tokens = Sequence[int] | NDArray[np.int64]
Tensors = dict[str, Floats]
A = TypeVar("A")


class Ops(Protocol[A]):
    """The words in which `model.gpt` is written."""

    def embed(self, tokens_T: Sequence[int], wte_VD: A, wpe_TD: A | None, start: int) -> A:
        """Add each token's row to its position's, if these have rows, counted from `start`."""
        ...

    def rmsnorm(self, x_TD: A, groups: int = 1) -> A:
        """Divide each row, or each of its groups, by sqrt(mean square + RMSNORM_EPSILON)."""
        ...

    def linear(self, x_TD: A, weight: A) -> A:
        """Multiply each row by a weight of (out, in)."""
        ...

    def rotate(self, x_TD: A, n_head: int, start: int) -> A:
        """Turn each head's pairs (i, i + K / 2) by `model.angles` of their position."""
        ...

    def causal_attention(self, q_TD: A, k_TD: A, v_TD: A, n_head: int, memory: Any) -> A:
        """Mix the values of this and earlier positions, by softmax(q k / sqrt(K)), head by head.

        `memory` holds a layer's earlier keys and values, and takes these in; None: there are none.
        """
        ...

    def relu(self, x_TF: A, squared: bool) -> A:
        """Replace what is negative by 0; square the rest if asked."""
        ...

    def dropout(self, x_TD: A, dropping: Dropping, place: int) -> A:
        """Replace what `dropping` does not keep by 0, and scale the rest."""
        ...

    def add(self, x_TD: A, y_TD: A) -> A:
        """Add two of the same shape."""
        ...

    def cross_entropy(self, logits_TV: A, targets_T: Sequence[int]) -> Any:
        """Return losses_T: `loss.cross_entropy` at each position of a document."""
        ...


@dataclass(eq=False)
class State:
    """All that training changes.

    Attributes:
        parameters: one flat buffer in the order of `model.parameters`.
        m: the mean of gradients, Adam's or Muon's, likewise.
        v: Adam's mean of squared gradients, likewise; of matrices that are Muon's, as it was.
        updates: how many updates have been made.
    """

    parameters: Floats
    m: Floats
    v: Floats
    updates: int = 0

    @classmethod
    def fresh(cls, parameters: Floats) -> State:
        """Return the state before the first update."""
        return cls(parameters, np.zeros_like(parameters), np.zeros_like(parameters))


class Decoder(Protocol):
    """Sequences that advance together, one token at a time, remembering their past."""

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return logits_BV of what comes next.

        A row whose token is negative rests: it reads nothing, and its logits are 0.
        """
        ...


class Engine(Protocol):
    """One way of computing the model."""

    @property
    def name(self) -> str:
        """As `--engine` has it."""
        ...

    @property
    def threads(self) -> int:
        """How many threads it computes with."""
        ...

    def load(self, state: State) -> None:
        """Take over parameters, moments and the number of updates; the state is copied."""
        ...

    def state(self) -> State:
        """Return a copy of all that training changes."""
        ...

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats at each position."""
        ...

    def gradients(self, batch: Batch) -> Tensors:
        """Return by name the gradients of the objective's sum over all positions.

        With the objective "cross-entropy" that is the sum of nats.
        """
        ...

    def train(self, batches: Batches, lr_K: Floats) -> list[LossSum]:
        """Make K updates; return each step's sum of nats, taken before its update.

        `lr_K` are Adam's rates; Muon's are the optimizer's multiple of them. Only here is anything
        left out by dropout.

        A step whose sum is not finite makes no update and is the last one answered.
        """
        ...

    def decoder(self, rows: int) -> Decoder:
        """Return a decoder of so many rows, all at the start of a document.

        It computes with the parameters of this moment; pushing more than block_size tokens into a
        row is a UsageError.
        """
        ...
