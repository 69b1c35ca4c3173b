"""The training loop: steps, one after the other, as they come.

In: an engine, a plan of batches, a config. Out: a `Step` each. Nothing is printed or saved here:
that belongs to whoever iterates.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from microgpt.config import TrainConfig
from microgpt.data.plan import Plan
from microgpt.engines.contract import Engine
from microgpt.errors import DivergedError
from microgpt.loss import LossSum
from microgpt.optim import learning_rate
from microgpt.wording import rates

CHUNK_SECONDS = 0.05
"""About how long an engine works between two looks at what came of it."""


@dataclass(frozen=True)
class Step:
    """What one update saw.

    Attributes:
        step: counted from 1.
        sum: the losses of its batch, before the update.
        lr: the learning rate.
        seconds: since the training began.
        settled: whether the engine stands exactly after this step: the moment to save or to stop.
    """

    step: int
    sum: LossSum
    lr: float
    seconds: float
    settled: bool = True

    @property
    def loss(self) -> float:
        """Nats per position."""
        return self.sum.mean

    @property
    def tokens(self) -> int:
        """Positions in its batch."""
        return self.sum.positions


def train(
    engine: Engine,
    plan: Plan,
    config: TrainConfig,
    seconds: float = 0.0,
    align: int = 1,
    pause_every: int | None = None,
    clock: Callable[[], float] | None = None,
) -> Iterator[Step]:
    """Train until the budget is spent, yielding every step.

    The engine is asked for as many steps at once as take about 50 ms, and for one at first. That
    one is made however little time there is.

    Args:
        engine: where it stands is where training goes on.
        plan: which documents each step sees.
        config: with the budget and the rate.
        seconds: spent before, by the training that this one resumes.
        align: prefer to be settled at multiples of this.
        pause_every: be settled at every multiple of this.
        clock: what seconds are counted by; None: `time.perf_counter`.

    Raises:
        DivergedError: a loss is not finite. The engine made no update from it.
    """
    clock = clock or time.perf_counter
    began = clock() - seconds
    step = engine.state().updates
    chunk, each = 1, 0.0
    while (config.steps is None or step < config.steps) and (
        config.seconds is None or clock() - began < config.seconds or not step
    ):
        stop = step + chunk
        if stop // align * align > step:
            stop = stop // align * align
        if pause_every is not None:
            stop = min(stop, (step // pause_every + 1) * pause_every)
        stop = min(stop, config.steps or stop)

        started = clock()
        lr_K = [
            learning_rate(config, k, started - began + each * (k - step - 1))
            for k in range(step + 1, stop + 1)
        ]
        sums = engine.train(plan.batches(step, stop - step), np.array(lr_K))
        now = clock()
        each = max((now - started) / len(sums), 1e-9)
        chunk = max(1, int(_budget(config, now - began) / each))
        for lr, total in zip(lr_K, sums):
            step += 1
            if not math.isfinite(total.nats):
                raise DivergedError(step, total.mean, rates(config))
            spent = now - began - each * (stop - step)
            yield Step(step, total, lr, spent, settled=step == stop)


def _budget(config: TrainConfig, seconds: float) -> float:
    """How long the next chunk may take."""
    if config.seconds is None:
        return CHUNK_SECONDS
    return min(CHUNK_SECONDS, config.seconds - seconds)
