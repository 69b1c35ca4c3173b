"""What a GPT says before it has learned anything, and whether it can begin to learn.

In: a config, a spread of the initial values, a text. Out: a `First`.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, replace

import numpy as np

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.engines import open_engine
from microgpt.engines.contract import State
from microgpt.loss import LossSum


@dataclass(frozen=True)
class First:
    """A model before its first update.

    Attributes:
        loss: the mean loss on the text, nats a position.
        slopes: the length (Euclidean norm) of the mean loss's gradient, by matrix.
    """

    loss: float
    slopes: dict[str, float]

    @property
    def slope(self) -> float:
        """The length of the gradient with respect to all parameters."""
        return math.hypot(*self.slopes.values())


def spread(config: GPTConfig, std: float) -> GPTConfig:
    """Return the same model with all initial values drawn from N(0, std).

    >>> {p.std for p in model.parameters(spread(GPTConfig(vocab_size=3, zero_init=True), 0.5))}
    {0.5}
    """
    return replace(config, init="normal", init_std=std, zero_init=False)


def first(config: GPTConfig, batch: Batch, seed: int = 42) -> First:
    """Draw a model's initial values, and read a text with it.

    Args:
        config: the model's shape, and how its initial values are drawn.
        batch: one text or several; all ids are known.
        seed: of the initial values.

    >>> from microgpt.data.batch import lay_out
    >>> config = GPTConfig(vocab_size=3, block_size=4, n_head=1, n_embd=4)
    >>> batch = lay_out([[0, 1]], bos=2, block_size=4).batch
    >>> zeros = first(spread(config, 0.0), batch)
    >>> round(zeros.loss, 4), zeros.slope  # ln 3; and no number will ever move
    (1.0986, 0.0)
    >>> first(spread(config, 0.08), batch).slope > 0
    True
    """
    engine = open_engine("auto", config)
    engine.load(State.fresh(model.initial(config, random.Random(seed))))
    slopes = {
        name: float(np.linalg.norm(d_weight)) / batch.positions
        for name, d_weight in engine.gradients(batch).items()
    }
    return First(LossSum.of(engine.losses(batch)).mean, slopes)
