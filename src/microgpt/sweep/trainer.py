"""One training after the other, on documents read and encoded once.

In: a sweep's settings, its documents; then values of the knobs. Out: a `Report` at some shares of
the training and at its end: the loss on the same held-out text, whatever the values.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from microgpt.config import GPTConfig
from microgpt.counting.mixture import Mixture
from microgpt.data.batch import Batch, lay_out
from microgpt.data.corpus import Corpus
from microgpt.data.shuffle import shuffled
from microgpt.data.tokenizer import known_ids
from microgpt.engines.contract import Engine
from microgpt.errors import DataError
from microgpt.loss import LossSum
from microgpt.sweep.knob import Value
from microgpt.sweep.settings import SweepSettings
from microgpt.training.loop import train
from microgpt.training.pace import Pace
from microgpt.training.presets import preset
from microgpt.training.task import Dataset, Task, first_state, tokenizer_for
from microgpt.wording import count

SHARES = (12, 25, 50)
"""After so many percent of a training a trial may be given up; about twice the one before."""

# The processor's time, where the system counts it finely: what else a machine is at must not decide
# which trial is the best one.
_FINE = time.get_clock_info("process_time").resolution < 1e-4
CLOCK = time.process_time if _FINE else time.perf_counter

# Of the held-out text, when a training is not at its end.
_EARLY_SHARE = 4


@dataclass(frozen=True)
class Report:
    """The loss of a training that stands still for a moment.

    Attributes:
        percent: of the training; 100 at its end.
        loss: held out, nats per position.
        steps: made so far.
        seconds: since it began.
    """

    percent: int
    loss: float
    steps: int
    seconds: float


class Trainer:
    """Trains what it is told, on one thread.

    Args:
        settings: of the sweep.
        data: its documents.

    Raises:
        DataError: nothing is held out, or nothing left to train on.
    """

    def __init__(self, settings: SweepSettings, data: Corpus) -> None:
        self.settings = settings
        bos = preset(settings.preset).bos
        self.tokens = tokenizer_for(settings.tokenizer, data.documents, bos)
        self._dataset = Dataset(data, self.tokens, settings.holdout)
        self.held_out = self._dataset.heldout_documents
        if not self.held_out:
            raise DataError(
                f"holdout={settings.holdout:g} holds out none of "
                f"{count(len(data.documents), 'document')}, and a sweep compares trials on those. "
                "Try a larger --holdout, or more text."
            )
        self._measured = self._choose(settings.positions)
        self._early = self._choose(settings.positions // _EARLY_SHARE)
        self._first = lru_cache(16)(first_state)
        self._laid_out = lru_cache(16)(self._lay_out)

    def run(self, values: Mapping[str, Value]) -> Iterator[Report]:
        """Train with these values from the beginning; whoever stops iterating gives it up.

        Raises:
            UsageError: no model can have these values.
            DivergedError: the loss is not finite any more.
        """
        config, training = self.settings.configs(values, self.tokens.vocab_size)
        task = Task(self._dataset, config, training)
        engine = task.open(self.settings.engine, threads=1)
        engine.load(self._first(config, training.seed, len(task.layout.batch)))
        mixture = Mixture(engine, task.counts) if task.counts else None
        # What is measured on is laid out, and the documents are shuffled, before the clock runs.
        self._laid_out(early=True, block_size=config.block_size)
        task.prepare()
        due = list(SHARES)
        last = None
        # The clock decides nothing of a training that is counted in steps.
        pause = None if training.steps is None else max(1, training.steps // 20)
        pace = Pace(training, evaluate_every=pause, clock=CLOCK)
        for steps in train(engine, task.plan, training, pace):
            last = steps
            if not steps.settled or (pause and steps.last % pause):
                continue
            done = steps.last / training.steps if training.steps else 0.0
            if training.seconds:
                done = max(done, steps.seconds / training.seconds)
            passed = [share for share in due if 100 * done >= share]
            if passed and done < 1.0:
                loss = self.measure(mixture or engine, config, early=True)
                yield Report(passed[-1], loss, steps.last, steps.seconds)
                due = due[len(passed) :]
        if last is not None:
            loss = self.measure(mixture or engine, config)
            yield Report(100, loss, last.last, last.seconds)

    def measure(self, model: Engine | Mixture, config: GPTConfig, *, early: bool = False) -> float:
        """Measure on the held-out text that all trials are measured on, or on some of it."""
        batch = self._laid_out(early=early, block_size=config.block_size)
        if isinstance(model, Mixture):
            return LossSum.of(model.fit(batch)[0].tolist()).mean
        return LossSum.of(model.losses(batch).tolist()).mean

    @property
    def positions(self) -> int:
        """On how many held-out positions `measure` measures what is at its end."""
        return sum(len(ids) + 1 for ids in self._measured)

    def _choose(self, positions: int) -> list[list[int]]:
        """Take held-out documents in an order drawn by the seed; the last one may be cut.

        Documents, not windows: a sweep over block sizes compares them on the same text.
        """
        chosen: list[list[int]] = []
        for d in shuffled(len(self.held_out), random.Random(self.settings.seed)):
            ids = known_ids(self.tokens, self.held_out[int(d)]).tolist()[: positions - 1]
            chosen.append(ids)
            positions -= len(ids) + 1
            if positions < 2:
                break
        return chosen

    def _lay_out(self, *, early: bool, block_size: int) -> Batch:
        documents = self._early if early else self._measured
        return lay_out(documents, self.tokens.bos, block_size).batch
