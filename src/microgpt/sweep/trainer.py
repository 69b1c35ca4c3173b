"""The trainings of a sweep's trials, on documents read and encoded once.

In: a sweep's settings, its documents; then values of the knobs. Out: a `Report` at some points of
the training and at its end: the loss on held-out documents, the same for all trials.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from microgpt.config import GPTConfig
from microgpt.counting.mixture import Mixture
from microgpt.data.batch import Batch, whole
from microgpt.data.corpus import Corpus
from microgpt.data.encoded import Encoded
from microgpt.data.measured import overlapped
from microgpt.data.shuffle import shuffled
from microgpt.data.tokenizer import known_ids
from microgpt.data.tokenizer.masks import parse
from microgpt.engines.contract import Predictor
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
"""Percentages of a training at which a trial may be pruned; each about twice the one before."""

# The process's own time, if the system measures it finely, so that other programs' load does not
# affect which trial is the best.
_FINE = time.get_clock_info("process_time").resolution < 1e-4
CLOCK = time.process_time if _FINE else time.perf_counter

# Before the end of a training, one in this many held-out positions is measured.
_EARLY_SHARE = 4


@dataclass(frozen=True)
class Report:
    """The held-out loss at some point of a training.

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


class TrialTrainer:
    """Trains trials one after the other, on one thread.

    Args:
        settings: of the sweep.
        data: its documents.

    Raises:
        DataError: no document is held out, or none is left to train on.
    """

    def __init__(self, settings: SweepSettings, data: Corpus) -> None:
        self.settings = settings
        bos = preset(settings.preset).bos
        masks, size = parse(settings.mask), settings.vocab_size
        self.tokens = tokenizer_for(settings.tokenizer, data, bos, masks, size, settings.holdout)
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
        """Train with these values from the beginning; to prune the trial, stop iterating.

        Raises:
            UsageError: the configs refuse these values.
            DivergedError: the loss is not finite.
        """
        config, training = self.settings.configs(values, self.tokens.vocab_size)
        task = Task(self._dataset, config, training)
        engine = task.open(self.settings.engine, threads=1)
        engine.load(self._first(config, training.seed, len(task.layout.batch), training.models))
        mixture = task.mixture(engine)
        # Laying out the held-out text and shuffling the documents does not count as training time.
        self._laid_out(early=True, block_size=config.block_size)
        task.prepare()
        due = list(SHARES)
        last = None
        # With a budget in steps the clock decides nothing: reports come at fixed steps.
        pause = None if training.steps is None else max(1, training.steps // 20)
        pace = Pace(training, evaluate_every=pause, clock=CLOCK)
        for steps in train(engine, task.plan, training, pace):
            last = steps
            if not steps.settled or (pause and steps.last % pause):
                continue
            done = pace.done(steps.last)
            passed = [share for share in due if 100 * done >= share]
            if passed and done < 1.0:
                loss = self.measure(engine, mixture, config, early=True)
                yield Report(passed[-1], loss, steps.last, steps.seconds)
                due = due[len(passed) :]
        if last is not None:
            loss = self.measure(engine, mixture, config)
            yield Report(100, loss, last.last, last.seconds)

    def measure(
        self,
        gpt: Predictor,
        mixture: Mixture | None,
        config: GPTConfig,
        *,
        early: bool = False,
    ) -> float:
        """Return the loss on the held-out documents; if `early`, on a quarter of them."""
        batch = self._laid_out(early=early, block_size=config.block_size)
        losses_N = mixture.fit(batch)[0] if mixture else batch.counted(gpt.losses(batch))
        return LossSum.of(losses_N).mean

    @property
    def positions(self) -> int:
        """How many held-out positions the final `measure` covers."""
        return sum(len(ids) + 1 for ids in self._measured)

    def _choose(self, positions: int) -> list[list[int]]:
        """Choose held-out documents in a random order, by the seed; the last one may be cut.

        Whole documents, not windows, so that all block sizes are compared on the same text.
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
        return overlapped(whole(Encoded.of(documents, self.tokens.bos)), block_size)
