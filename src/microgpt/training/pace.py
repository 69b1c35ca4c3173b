"""The one clock of a training: whatever depends on time is decided here.

In: a recipe, and what has just been done. Out: how many steps to make at once and at which rates,
whether it is time to measure, to save, to stop. Whoever trains asks, and does not look at a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from microgpt.config import TrainConfig
from microgpt.engines.contract import Floats
from microgpt.optim import learning_rate

CHUNK_SECONDS = 0.05
"""About how long an engine works between two looks at what came of it."""

SAVE_SECONDS, SAVE_SHARE = 2.0, 0.01
"""A checkpoint is written at most so often, and never for more than this share of the time."""


class Pace:
    """Decides how far to go, and when to pause.

    Args:
        training: the recipe, with the budget and the rate.
        align: prefer to pause at multiples of this many steps.
        evaluate_every: pause at each multiple of this, to measure; None: by the clock.
        clock: what seconds are counted by.

    Attributes:
        seconds: since the training began, when the last chunk had been made.
        is_stopped: whether somebody has asked to stop.
    """

    def __init__(
        self,
        training: TrainConfig,
        align: int = 1,
        evaluate_every: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._training, self._align, self.evaluate_every = training, align, evaluate_every
        self._clock = clock or time.perf_counter
        self.is_stopped, self._save_cost = False, 0.0
        self.begin()

    def begin(self, spent: float = 0.0) -> None:
        """Begin to count: from seconds spent before, by preparing or by a training resumed."""
        self._saved = self._started = self._clock()
        self._began = self._started - spent
        self.seconds = self._evaluated = spent
        self._chunk, self._each = 1, 0.0

    def is_over(self, step: int) -> bool:
        """Say whether the budget is spent after a step; one step is always made."""
        training = self._training
        if training.steps is not None and step >= training.steps:
            return True
        is_late = training.seconds is not None and self._now() >= training.seconds
        return is_late and step > 0

    def chunk(self, step: int) -> Floats:
        """Return the rates lr_K of the steps to make at once after a step.

        As many as take about 50 ms, and one at first.
        """
        training, stop = self._training, step + self._chunk
        if stop // self._align * self._align > step:
            stop = stop // self._align * self._align
        if self.evaluate_every is not None:
            stop = min(stop, (step // self.evaluate_every + 1) * self.evaluate_every)
        stop = min(stop, training.steps or stop)
        self._started = self._clock()
        begins = self._started - self._began
        if training.seconds is None:  # no step's rate depends on the clock
            return learning_rates(training, step + 1, stop)
        return np.array(
            [
                learning_rate(training, k, begins + self._each * (k - step - 1))
                for k in range(step + 1, stop + 1)
            ]
        )

    def made(self, steps: int) -> float:
        """Take note that so many steps have been made; return the seconds of each."""
        now = self._clock()
        self.seconds = now - self._began
        self._each = max((now - self._started) / steps, 1e-9)
        self._chunk = max(1, int(self._budget() / self._each))
        return self._each

    def evaluation_is_due(self, step: int) -> bool:
        """Say whether to measure after a step: by steps, or where the clock runs by seconds."""
        if step == self._training.steps:
            return False  # the last one is measured anyhow
        if self.evaluate_every:
            return step % self.evaluate_every == 0
        seconds = self._training.seconds or 0.0
        return self.seconds - self._evaluated >= seconds / (10 if seconds > 5 else 4)

    def evaluated(self) -> None:
        """Take note that it was measured after the last step."""
        self._evaluated = self.seconds

    def save_is_due(self, step: int) -> bool:
        """Say whether to save after a step."""
        if step % self._align:
            return False
        return self._clock() - self._saved > max(SAVE_SECONDS, self._save_cost / SAVE_SHARE)

    def saved(self, began: float) -> None:
        """Take note that a checkpoint has been written, which was begun at `now()`."""
        self._saved = self._clock()
        self._save_cost = self._saved - began

    def now(self) -> float:
        """Return the clock's time."""
        return self._clock()

    def stop(self) -> None:
        """Ask to stop at the next pause."""
        self.is_stopped = True

    def _now(self) -> float:
        return self._clock() - self._began

    def _budget(self) -> float:
        """Return how long the next chunk may take: no longer than is left."""
        if self._training.seconds is None:
            return CHUNK_SECONDS
        return min(CHUNK_SECONDS, self._training.seconds - self.seconds)


def learning_rates(training: TrainConfig, first: int, last: int) -> Floats:
    """Return the rates of the steps from first to last, of a budget in steps alone.

    >>> learning_rates(TrainConfig(steps=4, lr=0.01), 1, 4).tolist()
    [0.01, 0.0075, 0.005, 0.0025]
    """
    done_K = np.arange(first - 1, last, dtype=np.float64) / (training.steps or 1)
    return training.lr * (1.0 - done_K)
