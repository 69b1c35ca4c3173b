"""What a predictor promises, and an engine: a GPT that learns.

An engine computes; it decides nothing. Names, shapes, first numbers, order, rates and averages come
from the modules above, and a state saved by one engine goes on under another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch, Batches
from microgpt.loss.sums import Sums

Floats = NDArray[np.float64]
Array = NDArray[np.float64] | NDArray[np.float32]
"""Numbers in an engine's own precision."""
Tokens = Sequence[int] | NDArray[np.int64]
Tensors = dict[str, Floats]
A = TypeVar("A")


SLOTS = ("adam.m", "adam.v")
"""What an optimizer keeps beside each parameter: the mean of its gradients, which Muon keeps too,
and the mean of their squares."""


@dataclass(eq=False)
class State:
    """All that training changes, in the precision of the engine that it is of.

    Attributes:
        parameters: one flat buffer in the order of `model.parameters`.
        slots: by name of SLOTS, a buffer likewise.
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


@dataclass(frozen=True)
class About:
    """What an engine is; its own module says so.

    Attributes:
        name: as `--engine` has it.
        is_fast: whether it trains in seconds what plain Python takes hours for.
        bytes_per_parameter: of memory, with gradients, moments and copies.
        build: what its numbers depend on beside its version.
    """

    name: str
    is_fast: bool
    bytes_per_parameter: int
    build: str


class Decoder(Protocol):
    """Sequences that advance together, one token at a time, remembering their past."""

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return logits_BV of what comes next.

        A row whose token is negative rests: it reads nothing, and its logits are 0.
        """
        ...


class Predictor(Protocol):
    """Whatever gives the next token a probability: a GPT, counts, a mixture."""

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats at each position."""
        ...

    def logits(self, batch: Batch) -> Floats:
        """Return logits_NV of what comes next at each position; the targets are not read.

        All of them are held at once: the caller chooses how many.
        """
        ...

    def decoder(self, rows: int) -> Decoder:
        """Return a decoder of so many rows, all at the start of a document.

        It computes with the parameters of this moment; pushing more than block_size tokens into a
        row is a UsageError.
        """
        ...


class Engine(Predictor, Protocol):
    """A GPT that learns."""

    @property
    def name(self) -> str:
        """As `--engine` has it."""
        ...

    @property
    def threads(self) -> int:
        """How many threads it computes with."""
        ...

    @property
    def updates(self) -> int:
        """How many updates its parameters have had; cheap to ask."""
        ...

    def load(self, state: State) -> None:
        """Take over a state of any precision; it is copied."""
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

        `lr_K` are Adam's rates; Muon's are the optimizer's multiple of them. Only here is anything
        left out by dropout.

        A step whose sum is not finite makes no update and is the last one answered.
        """
        ...
