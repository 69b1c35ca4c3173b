"""A model's parameters for a file: in 16 bits if that costs next to nothing, else in 32.

In: a run, texts. Out: a `Weights`.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from microgpt.engines import open_engine
from microgpt.engines.contract import State
from microgpt.loss import LossSum
from microgpt.runs.run import Run
from microgpt.runs.sound import Sound
from microgpt.scoring.price import Pricer

Bits = Literal[16, 32]

MOST = 0.001
"""The most that 16 bits may cost, in nats a position."""

# Documents on which the cost is measured: some ten thousand positions.
_TEXTS = 2000


@dataclass(frozen=True)
class Weights:
    """A model's parameters.

    Attributes:
        bits: of each.
        data: all of them, little-endian, in the order of `model.parameters`; of several models, end
            to end.
        cost: what 16 bits add to the loss, nats a position; None: it was not measured.
    """

    bits: Bits
    data: bytes
    cost: float | None

    @property
    def text(self) -> str:
        """The data in base64."""
        return base64.b64encode(self.data).decode("ascii")


def weights(run: Run, texts: Sequence[str], bits: Bits | None = None) -> Weights:
    """Return a run's parameters.

    Args:
        run: the run.
        texts: to measure the cost of 16 bits on; without any, 32 bits are taken.
        bits: of each parameter; None: 16 if they cost less than `MOST`.
    """
    exact = run.engine.state().parameters.astype("<f4")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is not taken
        short = exact.astype("<f2")
    cost = _cost(run, short, texts[:_TEXTS]) if len(texts) and np.isfinite(short).all() else None
    if bits is None:
        bits = 16 if cost is not None and cost < MOST else 32
    return Weights(bits, (short if bits == 16 else exact).tobytes(), cost)


def _cost(run: Run, short: np.ndarray, texts: Sequence[str]) -> float:
    """Return how much higher the GPT's mean loss on texts is with the shorter parameters."""
    models = run.settings.training.models
    engine = open_engine(run.engine.name, run.settings.model, models=models)
    engine.load(State.fresh(short.astype(np.float64)))
    block = run.settings.model.block_size
    found: list[LossSum] = [
        Pricer(gpt, run.tokenizer, block).total(texts)
        for gpt in (run.gpt, Sound(engine, run.folder))
    ]
    return found[1].mean - found[0].mean
