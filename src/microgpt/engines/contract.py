"""The contract of a predictor, and of an engine: a GPT that can be trained.

An engine computes; it decides nothing. Names, shapes, initial values, the order of documents and
learning rates are passed to it, so that an engine can resume from a state that another one saved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch, Batches
from microgpt.engines.memory import MemoryNeeds
from microgpt.loss.sums import Sums

Floats = NDArray[np.float64]
Array = NDArray[np.float64] | NDArray[np.float32]
"""Numbers in an engine's own precision."""
Tokens = Sequence[int] | NDArray[np.int64]
Tensors = dict[str, Floats]
A = TypeVar("A")


SLOTS = ("adam.m", "adam.v")
"""The optimizer's moments of each parameter: the running mean of its gradients, which Muon uses
too, and that of their squares."""


@dataclass(eq=False)
class State:
    """All that training changes, in the precision of the engine that returned it.

    Attributes:
        parameters: one flat buffer in the order of `model.parameters`.
        slots: a buffer of the same order for each name of SLOTS.
        updates: how many updates have been made.
    """

    parameters: Array
    slots: Mapping[str, Array]
    updates: int = 0

    @property
    def buffers(self) -> dict[str, Array]:
        """All numbers, by name: "parameters", and the slots."""
        return {"parameters": self.parameters, **self.slots}

    @classmethod
    def fresh(cls, parameters: Array) -> State:
        """Return the state before the first update."""
        return cls(parameters, {name: np.zeros_like(parameters) for name in SLOTS})


class Decoder(Protocol):
    """Sequences decoded side by side, one token at a time, each with a cache of its past."""

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return logits_BV of the next token.

        A row whose token is negative is skipped: it reads nothing, and its logits are 0.
        """
        ...


class Predictor(Protocol):
    """A model that gives every next token a probability: a GPT, an n-gram model, a mixture."""

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats at each position."""
        ...

    def logits(self, batch: Batch) -> Floats:
        """Return logits_NV of the next token at each position; the targets are not read.

        All N V numbers are in memory at once: the caller limits the size of the batch.
        """
        ...

    def decoder(self, rows: int) -> Decoder:
        """Return a decoder of `rows` rows, all at the start of a document.

        It computes with the parameters of this moment; pushing more than block_size tokens into a
        row is a UsageError.
        """
        ...


class Engine(Predictor, Protocol):
    """A GPT that can be trained."""

    @property
    def name(self) -> str:
        """The value of `--engine`."""
        ...

    @property
    def label(self) -> str:
        """What a message calls it, with its device if it has several."""
        ...

    @property
    def memory(self) -> MemoryNeeds:
        """The memory that it needs to train."""
        ...

    @property
    def threads(self) -> int:
        """How many threads it computes with."""
        ...

    @property
    def share(self) -> tuple[int, int]:
        """Whose share of each batch `train` takes: (rank, world). Alone: (0, 1), all of it."""
        ...

    @property
    def updates(self) -> int:
        """How many updates its parameters have had; reading it copies nothing."""
        ...

    def load(self, state: State) -> None:
        """Load a copy of a state of any precision."""
        ...

    def state(self) -> State:
        """Return a copy of all that training changes, in this engine's own precision."""
        ...

    def gradients(self, batch: Batch) -> Tensors:
        """Return by name the gradients of the objective's sum over all positions.

        With the objective "cross-entropy" that is the sum of nats.
        """
        ...

    def train(self, batches: Batches, lr_K: Floats) -> Sums:
        """Make K updates; return each step's sum of nats, taken before its update.

        `lr_K` are Adam's rates; Muon's are the optimizer's multiple of them. Dropout is applied
        here only.

        A step whose sum is not finite makes no update, and its sum is the last one returned.
        """
        ...
