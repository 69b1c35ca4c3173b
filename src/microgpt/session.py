"""A training in its folder: the loop, with its log, its checkpoints and its held-out documents.

In: what `prepare` has put together. Out: `Step`s and `HeldOut`s, one after the other. Nothing is
printed here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import numpy as np

from microgpt import batch, checkpoint, corpus
from microgpt.alphabet import printable
from microgpt.baselines import Ladder, ladder
from microgpt.batch import Layout, Plan
from microgpt.config import GPTConfig, TrainConfig
from microgpt.corpus import Corpus
from microgpt.engines.contract import Engine, State
from microgpt.errors import DivergedError
from microgpt.evaluate import mean_loss
from microgpt.heldout import HeldOut, HeldOutDocuments
from microgpt.log import Log, LogWriter, loss_sum
from microgpt.loss import LossSum
from microgpt.sample import Sample
from microgpt.settings import Settings
from microgpt.tokenizer import Tokenizer
from microgpt.train import Step, train

TAIL = 50
"""The closing mean is over so many steps."""

# A checkpoint at most every so often, and never for more than 1 % of the time.
_SAVE_SECONDS = 2.0
_SAVE_SHARE = 0.01


class Session:
    """A training. Iterate over it; `stop` it; read `ladder` off it.

    `prepare.new` and `prepare.resume` make one. It holds its folder until it is closed: use it in a
    `with`.

    Attributes:
        stack: what is let go of at the end.
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
        self.heldout = HeldOutDocuments(
            self.heldout_documents, tokens, self.model.block_size, self.training.seed
        )
        self.last_heldout: HeldOut | None = None
        self._stopped = False
        self._tail: list[tuple[int, LossSum]] = []
        self._evaluated = (0, 0.0)
        self._at: Step | None = None

    def open(self, folder: Path, stack: ExitStack, pending: LossSum | None = None) -> None:
        """Take a claimed folder for log and checkpoints; the stack closes what is opened."""
        self.folder = folder
        self.log = LogWriter(folder, self.settings.log_every, self.updates, pending)
        stack.callback(self.log.close)
        self._recall(self.log.before)
        self._saved, self._saved_at, self._save_cost = self.updates, time.perf_counter(), 0.0

    def _recall(self, log: Log) -> None:
        """Take up what the log of an earlier part tells."""
        for before, line in zip([{"step": 0}, *log.lines], log.lines):
            self._remember(line["step"] - before["step"], loss_sum(line))
        if log.lines:
            last = log.lines[-1]
            self._at = Step(last["step"], loss_sum(last), last["lr"], last["seconds"])
        if log.heldout:
            last = log.heldout[-1]
            total = loss_sum(last["heldout"])
            self.last_heldout = self.heldout.told(last["step"], total)
            # When that was is not told: at the latest now.
            self._evaluated = (last["step"], log.seconds)

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
    def tail(self) -> tuple[int, LossSum]:
        """The last 50 steps, or as many as there are, and the sum of their losses."""
        return sum(n for n, _ in self._tail), sum((total for _, total in self._tail), LossSum())

    def _remember(self, steps: int, total: LossSum) -> None:
        self._tail.append((steps, total))
        while sum(n for n, _ in self._tail[1:]) >= TAIL:
            del self._tail[0]

    def stop(self) -> None:
        """End at the next step where the engine stands still; that is then saved."""
        self._stopped = True

    def __iter__(self) -> Iterator[Step | HeldOut]:
        """Train, keep log and checkpoint, yield what happens.

        Raises:
            DivergedError: the loss is not finite; the last good checkpoint is kept and named.
            OSError: the disk is full, say; the last good checkpoint is kept.
        """
        training, every = self.training, self._evaluate_every
        try:
            for step in train(
                self.engine,
                self.plan,
                training,
                seconds=self.log.seconds,
                align=self.settings.log_every,
                pause_every=every,
            ):
                self._remember(1, step.sum)
                self.log.step(step)
                self._at = step
                yield step
                if not step.settled:
                    continue
                if self._evaluation_is_due(step):
                    yield self._evaluate(step, every or step.step - self._evaluated[0])
                if step.step % self.settings.log_every == 0:
                    self._save_now_and_then()
                if self._stopped:
                    break
            finished = not self._stopped or self.updates == training.steps
            if finished and self._at:
                yield from self._close(self._at)
            if finished:
                self.log.settle()
            self.save()
        except DivergedError as error:
            self.log.flush()
            kept = f"{self.folder} (step {self._saved})"
            raise DivergedError(error.step, error.loss, error.lr, kept) from None

    def _close(self, step: Step) -> Iterator[HeldOut]:
        """Measure once more, unless the log has it: on half as many positions as trained on."""
        if self.heldout and (not self.last_heldout or self.last_heldout.step != step.step):
            yield self._evaluate(step, 2 * step.step)

    def ladder(self) -> Ladder:
        """Compare the model with counting, on the same documents.

        They are the held-out ones of the last evaluation; without any, those of the last 50 steps.
        """
        if self.last_heldout:
            measured = self.heldout.head(self.last_heldout.sum.positions)
            what = f"{self.last_heldout.documents:,} held-out documents"
            loss = self.last_heldout.sum
        else:
            n, loss = self.tail
            measured = self.plan.batches(self.updates - n, n)
            what = f"the documents of the last {n} step{'s' * (n > 1)}, not held out"
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
        return None if timed or not self.heldout else max(1, (training.steps or 0) // 10)

    def _evaluation_is_due(self, step: Step) -> bool:
        if not self.heldout or step.step == self.training.steps:
            return False
        if self._evaluate_every:
            return step.step % self._evaluate_every == 0
        return step.seconds - self._evaluated[1] >= (self.training.seconds or 0.0) / 10

    def _evaluate(self, step: Step, steps: int) -> HeldOut:
        """Measure on held-out documents, on a quarter of the positions of so many steps."""
        data = self.layout.batch
        positions = steps * self.training.batch_size * data.positions // len(data) // 4
        self.last_heldout = self.heldout.measure(self.engine, step.step, positions)
        self.log.heldout(step.step, self.last_heldout.sum)
        self._evaluated = (step.step, step.seconds)
        return self.last_heldout

    def _save_now_and_then(self) -> None:
        since = time.perf_counter() - self._saved_at
        if since > max(_SAVE_SECONDS, self._save_cost / _SAVE_SHARE):
            self.save()

    def save(self) -> None:
        """Write log and checkpoint; the checkpoint before stays until the new one is whole."""
        # The log first: it must tell of every step that the checkpoint has made.
        self.log.flush()
        began = time.perf_counter()
        state = self.engine.state()
        self._check(state)
        checkpoint.save(self.folder, self.model, state, self.log.pending)
        self._saved, self._saved_at = state.updates, time.perf_counter()
        self._save_cost = self._saved_at - began

    def _check(self, state: State) -> None:
        """Raise DivergedError if the state is no good one: the loss of one more document tells."""
        if not state.updates:
            return
        following = self.plan.batches(state.updates, 1).head(1)
        loss = mean_loss(self.engine, following).mean
        buffers = (state.parameters, state.m, state.v)
        if not math.isfinite(loss) or not all(np.isfinite(x).all() for x in buffers):
            # The loss is that of the step to come, where there is one.
            step = min(state.updates + 1, self.training.steps or state.updates + 1)
            raise DivergedError(step, loss, self._at.lr if self._at else self.training.lr)
