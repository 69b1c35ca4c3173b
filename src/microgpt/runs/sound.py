"""A predictor that raises an error instead of returning numbers that are not finite.

In: a predictor, its run's folder. Out: a predictor with the same results. The parameters of a
diverged training may all be finite and yet too large to compute with: its losses and logits would
be infinite or NaN, and must not be taken for results.
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
        """Return a decoder that raises a RunError likewise."""
        return SoundDecoder(self._predictor.decoder(rows), self._folder)


class SoundDecoder:
    """Sequences decoded side by side, whose logits are finite."""

    def __init__(self, decoder: Decoder, folder: Path) -> None:
        self._decoder, self._folder = decoder, folder

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return logits_BV."""
        return finite(self._decoder.push, tokens_B, self._folder)


def finite(compute: Callable[[In], Floats], read: In, folder: Path) -> Floats:
    """Compute, and raise a RunError unless all results are finite."""
    try:
        # The sum alone is checked, which is fast: it is not finite if one of the numbers is not.
        with np.errstate(all="ignore"):
            numbers = compute(read)
            total = float(numbers.sum())
        if math.isfinite(total):
            return numbers
    except UsageError:
        raise
    except (ArithmeticError, ValueError):
        pass  # raised by the scalar engine where numpy would yield infinity or NaN
    raise RunError(
        f"{folder}: its parameters are too large to compute with: the training has run away. "
        "Train anew, with a smaller learning rate."
    )
