"""A predictor that raises an error instead of returning numbers that are not finite.

In: a predictor, a name for it. Out: a predictor with the same results. The parameters of a
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
        predictor: the predictor to check.
        name: the model's name in messages: its run's folder, if it has one.
    """

    def __init__(self, predictor: Predictor, name: str | Path) -> None:
        self._predictor, self._name = predictor, name

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats."""
        return finite(self._predictor.losses, batch, self._name)

    def logits(self, batch: Batch) -> Floats:
        """Return logits_NV."""
        return finite(self._predictor.logits, batch, self._name)

    def decoder(self, rows: int) -> SoundDecoder:
        """Return a decoder that raises a RunError likewise."""
        return SoundDecoder(self._predictor.decoder(rows), self._name)


class SoundDecoder:
    """A decoder that raises a RunError where a logit is not finite."""

    def __init__(self, decoder: Decoder, name: str | Path) -> None:
        self._decoder, self._name = decoder, name

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return logits_BV."""
        return finite(self._decoder.push, tokens_B, self._name)


def finite(compute: Callable[[In], Floats], read: In, name: str | Path) -> Floats:
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
        f"{name}: its parameters are too large to compute with: the training has run away. "
        "Train anew, with a smaller learning rate."
    )
