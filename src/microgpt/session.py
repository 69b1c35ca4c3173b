"""A training in its folder: the loop, with its log, its checkpoints and its held-out documents.

In: what `prepare` has put together. Out: `Step`s and `HeldOut`s, one after the other. Nothing is
printed here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from microgpt import batch, checkpoint, corpus
from microgpt.alphabet import printable
from microgpt.baselines import ladder
from microgpt.batch import Layout, Plan
from microgpt.checkpoint import Settings
from microgpt.config import GPTConfig, TrainConfig
from microgpt.corpus import Corpus
from microgpt.engines.contract import Engine
from microgpt.errors import DivergedError
from microgpt.evaluate import mean_loss
from microgpt.log import LogWriter
from microgpt.loss import LossSum
from microgpt.sample import Sample
from microgpt.tokenizer import Tokenizer
from microgpt.train import Step, train

TAIL = 50
"""The closing mean is over so many steps."""

# A checkpoint at most every so often, and never for more than 1 % of the time.
_SAVE_SECONDS = 2.0
_SAVE_SHARE = 0.01


@dataclass(frozen=True)
class HeldOut:
    """An evaluation on held-out documents, after a step."""

    step: int
    sum: LossSum
    documents: int


@dataclass(frozen=True)
class Ladder:
    """What a loss is worth: the baselines and the model on the same documents.

    Attributes:
        what: the documents, in words.
        baselines: by name, from the worst.
        model: this model's.
    """

    what: str
    baselines: dict[str, LossSum]
    model: LossSum


class Session:
    """A training. Iterate over it; `stop` it; read `ladder` off it.

    `prepare.new` and `prepare.resume` make one. It holds its folder until it is closed: use it in a
    `with`.

    Attributes:
        stack: what is let go of at the end.
        heldout: the held-out documents, laid out in an order drawn by the seed.
        last_heldout: the newest evaluation on them.
    """

    def __init__(self, settings: Settings, tokens: Tokenizer, data: Corpus, engine: Engine) -> None:
        self.settings, self.tokenizer, self.corpus, self.engine = settings, tokens, data, engine
        self.stack = ExitStack()
        self.folder = Path()
        self.train_documents, self.heldout_documents = corpus.split(data, self.training.holdout)
        self.layout = self._lay_out(self.train_documents, self.training.long)
        self.plan = Plan(
            self.layout.batch, self.training.batch_size, self.training.seed, self.training.order
        )
        heldout = self._lay_out(self.heldout_documents, "window").batch
        self.heldout = heldout.take(batch.shuffled(len(heldout), random.Random(self.training.seed)))
        self.last_heldout: HeldOut | None = None
        self._stopped = False
        self._tail: list[LossSum] = []
        self._evaluated = (0, 0.0)

    def open(self, folder: Path) -> None:
        """Take a claimed folder for log and checkpoints; save where there is no checkpoint yet."""
        self.folder = folder
        self.log = LogWriter(folder, self.settings.log_every, self.updates)
        self.stack.callback(self.log.close)
        self._tail = self.log.tail(TAIL)
        self._saved, self._saved_at, self._save_cost = self.updates, time.perf_counter(), 0.0
        if not self.updates:
            self._save()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    @property
    def training(self) -> TrainConfig:
        """The recipe."""
        return self.settings.training

    @property
    def model(self) -> GPTConfig:
        """The shape."""
        return self.settings.model

    @property
    def updates(self) -> int:
        """Updates made so far."""
        return self.engine.state().updates

    @property
    def tail(self) -> LossSum:
        """The losses of the last 50 steps."""
        return sum(self._tail, LossSum())

    def stop(self) -> None:
        """End at the next step where the engine stands still; that is then saved."""
        self._stopped = True

    def __iter__(self) -> Iterator[Step | HeldOut]:
        """Train, keep log and checkpoint, yield what happens.

        Raises:
            DivergedError: the loss is not finite; the last good checkpoint is kept and named.
            OSError: the disk is full, say; the last good checkpoint is kept.
        """
        every = self._evaluate_every
        step: Step | None = None
        try:
            for step in train(
                self.engine,
                self.plan,
                self.training,
                seconds=self.log.seconds,
                align=self.settings.log_every,
                pause_every=every,
            ):
                self._tail = [*self._tail[1 - TAIL :], step.sum]
                self.log.step(step)
                yield step
                if not step.settled:
                    continue
                if self._stopped:
                    break
                if self._evaluation_is_due(step):
                    yield self._evaluate(step, every or step.step - self._evaluated[0])
                if step.step % self.settings.log_every == 0:
                    self._save_now_and_then()
        except DivergedError as error:
            self.log.flush()
            kept = f"{self.folder} (step {self._saved})"
            raise DivergedError(error.step, error.loss, error.lr, kept) from None
        self.log.settle()
        if step is not None and len(self.heldout) and not self._stopped:
            # The closing evaluation is on as many positions as half of those trained on.
            yield self._evaluate(step, 2 * step.step)
        if step is not None:
            self._save()

    def ladder(self) -> Ladder:
        """Compare the model with counting, on the same documents.

        They are the held-out ones of the last evaluation; without any, those of the last 50 steps.
        """
        if self.last_heldout:
            measured = self.heldout.head(self.last_heldout.sum.positions)
            what, loss = f"{len(measured):,} held-out documents", self.last_heldout.sum
        else:
            n = len(self._tail)
            measured = self.plan.batches(self.updates - n, n)
            what, loss = f"the documents of the last {n} steps, not held out", self.tail
        return Ladder(what, ladder(self.layout.batch, measured, self.tokenizer), loss)

    def write_samples(self, drawn: Sequence[Sample]) -> None:
        """Write `samples.txt`, a sample a line."""
        text = "".join(f"{printable(sample.text)}\n" for sample in drawn)
        checkpoint.write_atomically(self.folder / checkpoint.SAMPLES, text.encode())

    def _lay_out(self, documents: Sequence[str], long: Literal["window", "cut"]) -> Layout:
        encoded = map(self.tokenizer.encode, documents)
        return batch.lay_out(encoded, self.tokenizer.bos, self.model.block_size, long)

    @property
    def _evaluate_every(self) -> int | None:
        """Steps between evaluations, where the budget is in steps: the clock must not decide."""
        training = self.training
        timed = training.steps is None or training.seconds is not None
        return None if timed or not len(self.heldout) else max(1, (training.steps or 0) // 10)

    def _evaluation_is_due(self, step: Step) -> bool:
        if not len(self.heldout) or step.step == self.training.steps:
            return False
        if self._evaluate_every:
            return step.step % self._evaluate_every == 0
        return step.seconds - self._evaluated[1] >= (self.training.seconds or 0.0) / 10

    def _evaluate(self, step: Step, steps: int) -> HeldOut:
        """Measure on held-out documents, on a quarter of the positions of so many steps."""
        data = self.layout.batch
        positions = steps * self.training.batch_size * data.positions // len(data) // 4
        measured = self.heldout.head(positions)
        total = mean_loss(self.engine, measured)
        self.log.heldout(step.step, total)
        self._evaluated = (step.step, step.seconds)
        self.last_heldout = HeldOut(step.step, total, len(measured))
        return self.last_heldout

    def _save_now_and_then(self) -> None:
        since = time.perf_counter() - self._saved_at
        if since > max(_SAVE_SECONDS, self._save_cost / _SAVE_SHARE):
            self._save()

    def _save(self) -> None:
        # The log first: it must tell of every step that the checkpoint has made.
        self.log.flush()
        began = time.perf_counter()
        state = self.engine.state()
        checkpoint.save(self.folder, self.model, state)
        self._saved, self._saved_at = state.updates, time.perf_counter()
        self._save_cost = self._saved_at - began
