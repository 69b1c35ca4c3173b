"""All trainings of an idea's experiment: each variant with each seed.

In: an idea's name, documents and settings, seeds, an engine. Out: attempts, in the order of the
table; how long they will take.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from microgpt.config import TrainConfig
from microgpt.engines import about, has_torch
from microgpt.errors import UsageError
from microgpt.experiment.attempt import Attempt
from microgpt.experiment.base import Base
from microgpt.experiment.variants import COMPARISONS, Variant

Opening = tuple[str, int | None, str | None]
"""An engine's name, threads and device."""

DOCUMENTS = 16
"""Documents a step, at least: after 1,000 steps of one, as in the original, what most parts of a
model do is too little to be seen beside the noise."""

# The first step of an engine takes longer; the next ones are timed.
_FIRST, _TIMED = 1, 3


def slowest(name: str, engine: str) -> str:
    """Return the slowest engine that an idea's experiment needs, if this one is asked for.

    Changed operations need the torch engine, or the scalar one where PyTorch is missing.

    >>> slowest("linear", "auto"), slowest("attention", "scalar")
    ('auto', 'scalar')
    """
    is_enough = not COMPARISONS[name].changes or engine not in ("auto", "native")
    return engine if is_enough or has_torch() else "scalar"


class Trainings:
    """The trainings of an idea.

    Args:
        name: the idea's.
        base: the documents and settings; a fast engine takes `DOCUMENTS` a step, at least.
        seeds: one training of each variant with each.
        engine: its name, threads and device.
    """

    def __init__(self, name: str, base: Base, seeds: Sequence[int], engine: Opening) -> None:
        self.comparison, self.seeds, self._engine = COMPARISONS[name], seeds, engine
        self.is_slow = not about(slowest(name, engine[0])).is_fast
        self.base = base if self.is_slow else base.at_least(DOCUMENTS)
        self.variants = [v for v in self.comparison.variants(self.base) if self._is_possible(v)]

    def _is_possible(self, variant: Variant) -> bool:
        """Return whether there is such a model: 8 heads cannot share a width of 4."""
        try:
            replace(self.base.config, **variant.model)
        except UsageError:
            return False
        return True

    @property
    def first(self) -> TrainConfig:
        """The training of the first variant, with which the others are compared."""
        return replace(self.base.training, **self.variants[0].training)

    def __len__(self) -> int:
        return len(self.variants) * len(self.seeds)

    def attempts(self) -> Iterator[Attempt]:
        """Yield each training before its first step."""
        for variant in self.variants:
            for seed in self.seeds:
                yield Attempt(self.base, variant, seed, self._engine, slow=self.is_slow)

    def estimate(self) -> tuple[int, float]:
        """Return the steps of all trainings, and about how many seconds they take."""
        steps, seconds = 0, 0.0
        for variant in self.variants:
            attempt = Attempt(self.base, variant, self.seeds[0], self._engine, slow=self.is_slow)
            steps += attempt.steps
            attempt.engine.train(attempt.plan.batches(0, _FIRST), np.zeros(_FIRST))
            start = time.perf_counter()
            attempt.engine.train(attempt.plan.batches(0, _TIMED), np.zeros(_TIMED))
            seconds += attempt.steps * (time.perf_counter() - start) / _TIMED
        return steps * len(self.seeds), seconds * len(self.seeds)
