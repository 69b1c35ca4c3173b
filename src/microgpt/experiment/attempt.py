"""One training of a variant, with one seed.

In: documents and settings, what differs, a seed. Out: the steps as they are made; then the rows
that the variant measures. A loss that is not finite ends the training; its measures are NaN.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from random import Random

import numpy as np

from microgpt.data.batch import Batch
from microgpt.data.shuffle import shuffled
from microgpt.engines import has_torch
from microgpt.engines.contract import Engine, Predictor
from microgpt.experiment.base import FEW_POSITIONS, Base
from microgpt.experiment.measures import Rows
from microgpt.experiment.variants import Variant
from microgpt.loss import LossSum
from microgpt.model.operations import Change, unchanged
from microgpt.training.pace import learning_rates
from microgpt.training.task import Task

MOST = 1 << 15
"""The most held-out positions to measure on."""

# Held-out positions for one document trained on that is measured at the end.
_EACH = 64
# PyTorch's steps on a narrower model are so short that a second thread makes them longer.
_NARROW = 128


class Attempt:
    """A variant and a seed.

    Args:
        base: the documents and settings that the variant changes.
        variant: what differs.
        seed: of the documents' order and the initial values.
        engine: its name, threads and device.
        slow: whether to measure on as few positions as the scalar engine can.

    Raises:
        UsageError, MissingExtra: there is no such model, tokenizer or engine here.
    """

    def __init__(
        self,
        base: Base,
        variant: Variant,
        seed: int,
        engine: tuple[str, int | None, str | None] = ("auto", None, None),
        *,
        slow: bool = False,
    ) -> None:
        on = base.read_as(variant.tokenizer, variant.vocab_size) if variant.tokenizer else base
        config = replace(base.config, vocab_size=on.tokenizer.vocab_size, **variant.model)
        training = replace(base.training, **{**variant.training, "seed": seed})
        self.variant, self.label, self._opening = variant, variant.label, engine
        self.task = Task(on.dataset, config, training)
        self.plan = self.task.plan
        if variant.documents:
            few = shuffled(len(self.plan.data), Random(seed))[: variant.documents]
            self.plan = replace(self.plan, data=self.plan.data.take(few))
        self.positions = FEW_POSITIONS if slow else MOST
        self.documents = self.task.heldout
        self.engine = self._opened(variant.change)
        self.engine.load(self.task.first_state())
        self.loss_K: list[float] = []
        self._seconds: list[float] = []

    @property
    def steps(self) -> int:
        """How many steps it is trained for."""
        return self.task.training.steps or 1

    @property
    def seconds(self) -> float:
        """Seconds a step."""
        return statistics.median(self._seconds)

    def train(self) -> Iterator[int]:
        """Train; yield how many steps were made, until the last or until a loss is not finite."""
        training, at = self.task.training, 0
        while at < self.steps:
            # In short calls: Ctrl-C is handled between two of them.
            piece = min(self.steps - at, self.steps // 50 + 1)
            lr_K = learning_rates(training, at + 1, at + piece)
            batches, start = self.plan.batches(at, piece), time.perf_counter()
            sums = self.engine.train(batches, lr_K)
            self._seconds.append((time.perf_counter() - start) / piece)
            self.loss_K += [total.mean for total in sums]
            at += piece
            yield piece
            if not math.isfinite(self.loss_K[-1]):
                return

    @cached_property
    def rows(self) -> Rows:
        """What the variant measures after the training."""
        with np.errstate(all="ignore"):
            return self.variant.measure(self)

    def mean(self, batch: Batch, predictor: Predictor | None = None) -> float:
        """Return the mean loss on some documents; NaN if the training has diverged."""
        if not math.isfinite(self.loss_K[-1]):
            return math.nan
        return LossSum.of(batch.counted((predictor or self.engine).losses(batch))).mean

    @property
    def held_out(self) -> Batch:
        """The held-out documents to measure on, the same for all seeds."""
        return self.documents.head(self.positions)

    @cached_property
    def trained_on(self) -> Batch:
        """Some documents that were trained on, those of the last steps."""
        steps = -(-self.positions // _EACH // self.plan.batch_size)
        first = max(0, self.steps - steps)
        return self.plan.batches(first, self.steps - first)

    def opened_unchanged(self) -> Engine:
        """Open an engine with the present numbers and the model's own operations."""
        engine = self._opened(unchanged)
        engine.load(self.engine.state())
        return engine

    def _opened(self, change: Change) -> Engine:
        name, threads, device = self._opening
        name = self.variant.engine or name
        if change is not unchanged and name in ("auto", "native"):
            name = "torch" if has_torch() else "scalar"
        if name == "torch" and self.task.model.n_embd < _NARROW:
            threads = threads or 1
        return self.task.open(name, threads, device, change=change)
