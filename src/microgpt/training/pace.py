"""The one clock of a training: everything that depends on time is decided here.

In: the training's settings; calls that record steps, evaluations and saves. Out: how many steps to
make at once, their learning rates, whether to evaluate, save or stop now. No other part of a
training reads a clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from microgpt.config import TrainConfig
from microgpt.engines.contract import Floats
from microgpt.optim import learning_rate

CHUNK_SECONDS = 0.05
"""The duration of a chunk of steps to aim at."""

SAVE_SECONDS, SAVE_SHARE = 2.0, 0.01
"""The least seconds between two checkpoints; the largest share of the time to spend on saving."""


class Pace:
    """Decides how many steps to make at once, and when to evaluate, save and stop.

    Args:
        training: the settings, with the budget and the learning rate.
        align: chunks end at multiples of this many steps, if they are long enough.
        evaluate_every: steps between evaluations, at which chunks end; None: the clock decides.
        clock: returns seconds; None: `time.perf_counter`.

    Attributes:
        seconds: from the beginning of the training to the end of the last chunk.
        until: the seconds at which the last step ends, if the budget is in seconds; else infinite.
        is_stopped: whether `stop` was called.
    """

    def __init__(
        self,
        training: TrainConfig,
        align: int = 1,
        evaluate_every: int | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._asked = self._training = training
        self._align, self.evaluate_every = align, evaluate_every
        self._clock = clock or time.perf_counter
        self.is_stopped, self._save_cost, self.until = False, 0.0, math.inf
        self.begin()

    def begin(self, prepared: float = 0.0, before: float = 0.0, closing: float = 0.0) -> None:
        """Start the clock.

        A budget in seconds covers preparing, training and closing; at least half of it is for
        training.

        Args:
            prepared: seconds spent on preparing.
            before: the seconds that a resumed training took before it was interrupted.
            closing: the estimated seconds of the work after the last step.
        """
        budget = self._asked.seconds
        if budget is not None:
            prepared = min(prepared, budget / 2)
            self.until = max(budget - closing, budget / 2 + prepared)
            self._training = replace(self._asked, seconds=self.until)
        spent = max(prepared, before)
        self._saved = self._started = self._clock()
        self._began = self._started - spent
        self.seconds = self._evaluated = spent
        self._chunk, self._each = 1, 0.0

    def is_over(self, step: int) -> bool:
        """Return whether the budget is spent after a step; at least one step is always made."""
        training = self._training
        if training.steps is not None and step >= training.steps:
            return True
        is_late = training.seconds is not None and self._now() >= training.seconds
        return is_late and step > 0

    def done(self, step: int) -> float:
        """Return the share of the training that is done after a step, from 0 to 1."""
        of_steps = step / (self._asked.steps or math.inf)
        return max(of_steps, min(self.seconds / self.until, 1.0))

    def chunk(self, step: int) -> Floats:
        """Return the learning rates lr_K of the next chunk of steps, after a step.

        A chunk takes about 50 ms; the first one is a single step.
        """
        training, stop = self._training, step + self._chunk
        if stop // self._align * self._align > step:
            stop = stop // self._align * self._align
        if self.evaluate_every is not None:
            stop = min(stop, (step // self.evaluate_every + 1) * self.evaluate_every)
        stop = min(stop, training.steps or stop)
        self._started = self._clock()
        begins = self._started - self._began
        if training.seconds is None:  # no learning rate depends on the clock
            return learning_rates(training, step + 1, stop)
        return np.array(
            [
                learning_rate(training, k, begins + self._each * (k - step - 1))
                for k in range(step + 1, stop + 1)
            ]
        )

    def made(self, steps: int) -> float:
        """Record that a chunk of steps has been made; return the seconds of each step."""
        now = self._clock()
        self.seconds = now - self._began
        self._each = max((now - self._started) / steps, 1e-9)
        self._chunk = max(1, int(self._budget() / self._each))
        return self._each

    def evaluation_is_due(self, step: int) -> bool:
        """Return whether to evaluate after a step."""
        if step == self._training.steps:
            return False  # the closing evaluation follows
        if self.evaluate_every:
            return step % self.evaluate_every == 0
        seconds = self._training.seconds or 0.0
        return self.seconds - self._evaluated >= seconds / (10 if seconds > 5 else 4)

    def evaluated(self) -> None:
        """Record that an evaluation was made after the last step."""
        self._evaluated = self.seconds

    def save_is_due(self, step: int) -> bool:
        """Return whether to save after a step."""
        if step % self._align:
            return False
        return self._clock() - self._saved > max(SAVE_SECONDS, self._save_cost / SAVE_SHARE)

    def saved(self, began: float) -> None:
        """Record that a checkpoint has been written; `began` is what `now()` returned before it."""
        self._saved = self._clock()
        self._save_cost = self._saved - began

    def now(self) -> float:
        """Return the clock's time."""
        return self._clock()

    def stop(self) -> None:
        """Ask to stop after the current chunk."""
        self.is_stopped = True

    def _now(self) -> float:
        return self._clock() - self._began

    def _budget(self) -> float:
        """Return how many seconds the next chunk may take: at most those left of the budget."""
        if self._training.seconds is None:
            return CHUNK_SECONDS
        return min(CHUNK_SECONDS, self._training.seconds - self.seconds)


def learning_rates(training: TrainConfig, first: int, last: int) -> Floats:
    """Return the learning rates of the steps from first to last, with a budget in steps alone.

    >>> learning_rates(TrainConfig(steps=4, lr=0.01), 1, 4).tolist()
    [0.01, 0.0075, 0.005, 0.0025]
    """
    done_K = np.arange(first - 1, last, dtype=np.float64) / (training.steps or 1)
    return training.lr * (1.0 - done_K)
