"""The training loop, in chunks of steps.

In: an engine, a plan of batches, the training's settings, a pace. Out: a `Steps` after each chunk.
Nothing is printed or saved here: the caller does that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from microgpt.config import TrainConfig
from microgpt.data.plan import Plan
from microgpt.engines.contract import Engine, Floats
from microgpt.errors import DivergedError
from microgpt.loss import LossSum
from microgpt.loss.sums import Sums
from microgpt.training.pace import Pace
from microgpt.wording import rates


@dataclass(frozen=True)
class Step:
    """The loss and learning rate of one update.

    Attributes:
        step: counted from 1.
        sum: the losses of its batch, before the update.
        lr: the learning rate.
        seconds: since the training began.
    """

    step: int
    sum: LossSum
    lr: float
    seconds: float

    @property
    def loss(self) -> float:
        """Nats per position."""
        return self.sum.mean


@dataclass(frozen=True, eq=False)
class Steps:
    """The losses and learning rates of a chunk of updates; the engine has made all of them.

    Attributes:
        first: the first step, counted from 1.
        sums: nats_K and positions_K of each step's batch, before its update.
        lr_K: the learning rates.
        seconds: since the training began, after the last step.
        each: seconds a step.
        settled: whether all steps of the chunk had finite losses; False: the next one has diverged.
    """

    first: int
    sums: Sums
    lr_K: Floats
    seconds: float
    each: float = 0.0
    settled: bool = True

    def __len__(self) -> int:
        return len(self.sums)

    @property
    def last(self) -> int:
        """The last step."""
        return self.first + len(self) - 1

    @property
    def seconds_K(self) -> Floats:
        """Seconds since the training began, after each step."""
        back_K: Floats = np.arange(len(self) - 1.0, -1.0, -1.0)
        return self.seconds - self.each * back_K

    def __iter__(self) -> Iterator[Step]:
        columns = (self.lr_K.tolist(), self.seconds_K.tolist())
        for step, (total, lr, seconds) in enumerate(zip(self.sums, *columns), self.first):
            yield Step(step, total, lr, seconds)

    def __getitem__(self, k: int) -> Step:
        return Step(
            self.first + k % len(self),
            self.sums[k],
            float(self.lr_K[k]),
            self.seconds - self.each * (len(self) - 1 - k % len(self)),
        )


def train(engine: Engine, plan: Plan, training: TrainConfig, pace: Pace) -> Iterator[Steps]:
    """Train until the budget is spent, yielding the steps of each chunk.

    Args:
        engine: with the state that training continues from.
        plan: the documents of each step.
        training: the recipe.
        pace: decides how many steps to make at once, their rates, and when the budget is spent.

    Raises:
        DivergedError: a loss is not finite. The engine has made no update from it; the earlier
            steps have been yielded.
    """
    step = engine.updates
    while not pace.is_over(step):
        lr_K = pace.chunk(step)
        sums = engine.train(plan.batches(step, len(lr_K), *engine.share), lr_K)
        each = pace.made(len(sums))
        finite = np.isfinite(sums.nats_K)
        good = len(sums) if finite.all() else int(finite.argmin())
        if good:
            at = pace.seconds - each * (len(sums) - good)
            settled = good == len(sums)
            yield Steps(step + 1, sums[:good], lr_K[:good], at, each, settled)
        step += good
        if good < len(sums):
            raise DivergedError(step + 1, sums[good].mean, rates(training))
