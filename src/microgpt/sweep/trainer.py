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

from microgpt.config import GPTConfig, LongDocuments
from microgpt.counting.mixture import Mixture
from microgpt.counting.ngram import NGram
from microgpt.data import corpus
from microgpt.data.batch import Batch, lay_out
from microgpt.data.corpus import Corpus
from microgpt.data.plan import Plan, shuffled
from microgpt.engines.contract import Engine
from microgpt.errors import DataError
from microgpt.evaluation import mean_loss
from microgpt.loss import LossSum
from microgpt.runs import prepare
from microgpt.sweep.knob import Value
from microgpt.sweep.settings import SweepSettings
from microgpt.training import recipe
from microgpt.training.loop import train
from microgpt.training.presets import preset
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
        self.tokens = prepare.tokenizer_for(settings.tokenizer, data.documents, bos)
        self.train_documents, self.held_out = corpus.split(data, settings.holdout)
        if not self.held_out:
            raise DataError(
                f"holdout={settings.holdout:g} holds out none of "
                f"{count(len(data.documents), 'document')}, and a sweep compares trials on those. "
                "Try a larger --holdout, or more text."
            )
        self._encoded = [self.tokens.encode(text) for text in self.train_documents]
        self._measured = self._choose(settings.positions)
        self._early = self._choose(settings.positions // _EARLY_SHARE)
        self._first = lru_cache(16)(prepare.first_state)
        self._laid_out = lru_cache(16)(self._lay_out)
        self._counted = lru_cache(4)(self._count)

    def run(self, values: Mapping[str, Value]) -> Iterator[Report]:
        """Train with these values from the beginning; whoever stops iterating gives it up.

        Raises:
            UsageError: no model can have these values.
            DivergedError: the loss is not finite any more.
        """
        config, training = self.settings.configs(values, self.tokens.vocab_size)
        engine = recipe.open_for(self.settings.engine, config, training, threads=1)
        layout = self._laid_out("train", config.block_size, training.long)
        engine.load(self._first(config, training.seed, len(layout)))
        if training.ngram:
            engine = Mixture(
                engine, self._counted(config.block_size, training.long, training.ngram)
            )
        plan = Plan(layout, training.batch_size, training.seed, training.order)
        # What is measured on is laid out before the clock runs.
        self._laid_out("early", config.block_size, "window")
        due = list(SHARES)
        last = None
        # The clock decides nothing of a training that is counted in steps.
        pause = None if training.steps is None else max(1, training.steps // 20)
        for step in train(engine, plan, training, pause_every=pause, clock=CLOCK):
            last = step
            if not step.settled or (pause and step.step % pause):
                continue
            done = step.step / training.steps if training.steps else 0.0
            if training.seconds:
                done = max(done, step.seconds / training.seconds)
            passed = [share for share in due if 100 * done >= share]
            if passed and done < 1.0:
                loss = self.measure(engine, config, early=True)
                yield Report(passed[-1], loss, step.step, step.seconds)
                due = due[len(passed) :]
        if last is not None:
            yield Report(100, self.measure(engine, config), last.step, last.seconds)

    def measure(self, engine: Engine, config: GPTConfig, *, early: bool = False) -> float:
        """Measure on the held-out text that all trials are measured on, or on some of it."""
        which = "early" if early else "measured"
        batch = self._laid_out(which, config.block_size, "window")
        if isinstance(engine, Mixture):
            return LossSum.of(engine.fit(batch)[0].tolist()).mean
        return mean_loss(engine, batch).mean

    @property
    def positions(self) -> int:
        """On how many held-out positions `measure` measures what is at its end."""
        return sum(len(ids) + 1 for ids in self._measured)

    def _count(self, block_size: int, long: LongDocuments, n: int) -> NGram:
        """Count what a mixture is mixed with; it does not depend on the model."""
        layout = self._laid_out("train", block_size, long)
        return NGram.of(layout, self.tokens.vocab_size, self.tokens.bos, n)

    def _choose(self, positions: int) -> list[list[int]]:
        """Take held-out documents in an order drawn by the seed; the last one may be cut.

        Documents, not windows: a sweep over block sizes compares them on the same text.
        """
        chosen: list[list[int]] = []
        for d in shuffled(len(self.held_out), random.Random(self.settings.seed)):
            ids = self.tokens.encode(self.held_out[int(d)])[: positions - 1]
            chosen.append(ids)
            positions -= len(ids) + 1
            if positions < 2:
                break
        return chosen

    def _lay_out(self, which: str, block_size: int, long: LongDocuments) -> Batch:
        documents = {"train": self._encoded, "measured": self._measured, "early": self._early}
        return lay_out(documents[which], self.tokens.bos, block_size, long).batch
