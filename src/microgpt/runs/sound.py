"""The engine of a run that was read: what it answers are numbers, or it is one sentence.

In: an engine, whose run it is. Out: an engine that answers the same. The parameters of a training
that has run away may all be finite and yet too large to compute with; nobody shall take what comes
of them for a score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from microgpt.data.batch import Batch, Batches
from microgpt.engines.contract import Decoder, Engine, Floats, State, Tensors, Tokens
from microgpt.errors import RunError, UsageError
from microgpt.loss import LossSum

In = TypeVar("In")


class Sound:
    """An engine that raises a RunError where a loss or a logit is not finite.

    Args:
        engine: what computes.
        folder: the run's, for the message.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine, self._folder = engine, folder

    @property
    def name(self) -> str:
        """The engine's."""
        return self._engine.name

    @property
    def threads(self) -> int:
        """The engine's."""
        return self._engine.threads

    def load(self, state: State) -> None:
        """Take over a state."""
        self._engine.load(state)

    def state(self) -> State:
        """Return a copy of all that training changes."""
        return self._engine.state()

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats."""
        return finite(self._engine.losses, batch, self._folder)

    def gradients(self, batch: Batch) -> Tensors:
        """Return the engine's."""
        return self._engine.gradients(batch)

    def train(self, batches: Batches, lr_K: Floats) -> list[LossSum]:
        """Train the engine."""
        return self._engine.train(batches, lr_K)

    def decoder(self, rows: int) -> SoundDecoder:
        """Return a decoder that is as careful."""
        return SoundDecoder(self._engine.decoder(rows), self._folder)


class SoundDecoder:
    """Rows that advance together, and whose logits are finite."""

    def __init__(self, decoder: Decoder, folder: Path) -> None:
        self._decoder, self._folder = decoder, folder

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return logits_BV."""
        return finite(self._decoder.push, tokens_B, self._folder)


def finite(compute: Callable[[In], Floats], read: In, folder: Path) -> Floats:
    """Compute, and raise a RunError unless all that comes out is finite."""
    try:
        # One number that is not finite makes the sum not finite, and is found by it in no time.
        with np.errstate(all="ignore"):
            numbers = compute(read)
            total = float(numbers.sum())
        if math.isfinite(total):
            return numbers
    except UsageError:
        raise
    except (ArithmeticError, ValueError):
        pass  # plain Python's way of saying it
    raise RunError(
        f"{folder}: its parameters are too large to compute with: the training has run away. "
        "Train anew, with a smaller learning rate."
    )
