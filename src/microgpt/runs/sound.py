"""The model of a run that was read: what it answers are numbers, or it is one sentence.

In: a predictor, whose run it is. Out: a predictor that answers the same. The parameters of a
training that has run away may all be finite and yet too large to compute with; nobody shall take
what comes of them for a score.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from microgpt.data.batch import Batch
from microgpt.engines.contract import Decoder, Floats, Predictor, Tokens
from microgpt.errors import RunError, UsageError

In = TypeVar("In")


class Sound:
    """A predictor that raises a RunError where a loss or a logit is not finite.

    Args:
        predictor: what computes.
        folder: the run's, for the message.
    """

    def __init__(self, predictor: Predictor, folder: Path) -> None:
        self._predictor, self._folder = predictor, folder

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats."""
        return finite(self._predictor.losses, batch, self._folder)

    def logits(self, batch: Batch) -> Floats:
        """Return logits_NV."""
        return finite(self._predictor.logits, batch, self._folder)

    def decoder(self, rows: int) -> SoundDecoder:
        """Return a decoder that is as careful."""
        return SoundDecoder(self._predictor.decoder(rows), self._folder)


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
