"""A training in its folder: the loop, with its log, its checkpoints and its held-out documents.

In: what `prepare` has put together. Out: `Step`s and `HeldOut`s, one after the other. Nothing is
printed here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from microgpt.data import corpus
from microgpt.runs import checkpoint, usual
from microgpt.training import recipe
from microgpt.counting.ladder import Ladder, ladder, ngram
from microgpt.data.batch import lay_out
from microgpt.data.plan import Plan
from microgpt.training.best import Best
from microgpt.training.progress import Checkpoint, Progress
from microgpt.data.corpus import Corpus
from microgpt.runs.counts import save_counts
from microgpt.engines.contract import Engine
from microgpt.errors import DivergedError
from microgpt.evaluation import mean_loss
from microgpt.training.heldout import ENOUGH, HeldOut, HeldOutDocuments, Timetable
from microgpt.runs.log import Log, LogWriter, loss_sum
from microgpt.counting.mixture import Mixture
from microgpt.counting.ngram import NGram
from microgpt.runs.saver import Saver
from microgpt.runs.settings import Settings
from microgpt.wording import rates
from microgpt.training.tail import Tail
from microgpt.data.tokenizer import Tokenizer
from microgpt.training.loop import Step, train
from microgpt.wording import count

TAIL = 50
"""The closing mean is over so many steps."""


class Session:
    """A training. Iterate over it; `stop` it; read `ladder` off it.

    `prepare.new` and `prepare.resume` make one. It holds its folder until it is closed: use it in a
    `with`.

    Attributes:
        stack: what is let go of at the end.
        tail: the losses of the last 50 steps.
        last_heldout: the newest evaluation on them.
        finished: whether it has come to its end, and that is saved.
        why: what its recipe was chosen by, if it was.
        prepared: seconds it took to choose that, and to count.
    """

    def __init__(
        self,
        settings: Settings,
        tokens: Tokenizer,
        data: Corpus,
        engine: Engine,
        why: str | None = None,
        spent: float = 0.0,
    ) -> None:
        self.settings, self.tokenizer, self.corpus, self.engine = settings, tokens, data, engine
        self.training, self.model, self.why = settings.training, settings.model, why
        self.stack, self.folder = ExitStack(), Path()
        self.train_documents, self.heldout_documents = corpus.split(data, self.training.holdout)
        encoded = map(tokens.encode, self.train_documents)
        self.layout = lay_out(encoded, tokens.bos, self.model.block_size, self.training.long)
        self.plan = Plan(
            self.layout.batch, self.training.batch_size, self.training.seed, self.training.order
        )
        began = time.perf_counter()
        self.plan.batches(0, 1)  # shuffles, once for all steps
        if self.training.ngram:
            counts = NGram.of(self.layout.batch, tokens.vocab_size, tokens.bos, self.training.ngram)
            self.engine = Mixture(engine, counts)
        # Whatever had to be prepared, half of the time is for training.
        self.prepared = spent + time.perf_counter() - began
        self._spent = min(self.prepared, (self.training.seconds or math.inf) / 2)
        self.heldout = HeldOutDocuments(self.heldout_documents, tokens, self.model.block_size)
        self.timetable = Timetable(self.training, self.layout.batch, len(self.heldout))
        self.last_heldout: HeldOut | None = None
        self.finished = self._stopped = False
        self.tail = Tail(TAIL)
        self._evaluated = (0, self._spent)
        self._at: Step | None = None

    def open(self, folder: Path, stack: ExitStack, saved: Checkpoint | None = None) -> None:
        """Take a claimed folder for log and checkpoints; the stack closes what is opened.

        The training begins, or goes on where a checkpoint was saved.
        """
        self.folder = folder
        about = checkpoint.fingerprint(folder, self.settings, self.tokenizer)
        saved = saved or Checkpoint(self.engine.state(), progress=Progress())
        if isinstance(self.engine, Mixture):
            self.engine.weight = self.engine.weight if saved.weight is None else saved.weight
            save_counts(folder, self.engine.ngram, about)
        self.best, self.finished = Best.of(saved), saved.progress is None
        self.log = LogWriter(folder, self.settings.log_every, saved.state.updates, saved.progress)
        stack.callback(self.log.close)
        self._recall(self.log.before, saved)
        self.saver = Saver(
            folder, self.engine, self.plan, self.settings, self.log, self.best, about
        )

    def _recall(self, log: Log, saved: Checkpoint) -> None:
        """Take up what the log and the checkpoint of an earlier part tell."""
        for before, line in zip([{"step": 0}, *log.lines], log.lines):
            self.tail.add(line["step"] - before["step"], loss_sum(line))
        updates, progress = saved.state.updates, saved.progress
        if progress and updates:
            if progress.pending.positions:
                self.tail.add(updates - log.steps, progress.pending)
            self._at = Step(updates, progress.pending, progress.lr, progress.seconds)
            # When the last evaluation was is not told: at the latest now.
            self._evaluated = (updates, progress.seconds)
        if log.heldout:
            self.last_heldout = self.heldout.told(log.heldout[-1])

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()

    @property
    def updates(self) -> int:
        """Updates made so far."""
        return self.engine.state().updates

    @property
    def kept(self) -> int | None:
        """The step whose state was kept at the end, where that was not the last."""
        return self.last_heldout.kept if self.last_heldout else None

    def stop(self) -> None:
        """End at the next step where the engine stands still; that is then saved."""
        self._stopped = True

    def __iter__(self) -> Iterator[Step | HeldOut]:
        """Train, keep log and checkpoint, yield what happens.

        Raises:
            DivergedError: the loss is not finite; the last good checkpoint is kept and named.
            OSError: the disk is full, say; the last good checkpoint is kept.
        """
        if self.finished:
            return
        training, every = self.training, self.timetable.every
        spent = self._at.seconds if self._at else 0.0
        try:
            for step in train(
                self.engine,
                self.plan,
                training,
                seconds=max(spent, self._spent),
                align=self.settings.log_every,
                pause_every=every,
            ):
                self.tail.add(1, step.sum)
                self.log.step(step)
                self._at = step
                yield step
                if not step.settled:
                    continue
                if self.timetable.is_due(step.step, step.seconds - self._evaluated[1]):
                    # The first one decides how many, so that the others can be compared with it.
                    steps = every or step.step - self._evaluated[0]
                    sample = self.best.loss.positions if self.best.loss else None
                    heldout = self._evaluate(step, sample or self.timetable.positions(steps))
                    self.best.see(heldout.sum, self.engine)
                    yield heldout
                if step.step % self.settings.log_every == 0:
                    self.saver.now_and_then(step)
                if self._stopped:
                    break
            if self._at and (not self._stopped or self.updates == training.steps):
                yield from self._end(self._at)
            else:
                self.save()
        except DivergedError as error:
            self.log.flush()
            kept = f"{self.folder} (step {self.saver.updates})"
            blamed = rates(training, self.settings.asked)
            raise DivergedError(error.step, error.loss, blamed, kept) from None

    def _end(self, step: Step) -> Iterator[HeldOut]:
        """Choose the state to keep, measure it on all held-out documents, save it as the run's.

        Until the last line of this the checkpoint is of a training that has not ended: one that is
        interrupted here does all of it again.
        """
        self.saver.check(self.engine.state())
        if self.heldout:
            kept = None
            # Too few positions to tell which state is the best.
            if self.best.loss and self.best.loss.positions >= min(ENOUGH, self.heldout.positions):
                same = self.heldout.measure(self.engine, step.step, self.best.loss.positions)
                self.best.see(same.sum, self.engine)
                kept = self.best.step if self.best.step < step.step else None
            if kept:
                self.best.restore(self.engine)
            positions = self.timetable.last(step.step, is_fast=recipe.is_fast(self.engine.name))
            yield self._evaluate(step, positions, kept)
            documents = self.train_documents, self.heldout_documents
            usual.keep(
                self.folder, self.engine, self.tokenizer, self.settings, documents, positions
            )
        self.log.settle()
        self.save(finished=True)

    def ladder(self) -> Ladder:
        """Compare the model with counting, on the same documents.

        They are the held-out ones of the last evaluation; without any, those of the last 50 steps,
        which n-grams would know by heart.
        """
        counts, gpt = None, None
        counted = self.engine.ngram if isinstance(self.engine, Mixture) else None
        if self.last_heldout:
            measured = self.heldout.head(self.last_heldout.sum.positions)
            what = count(self.last_heldout.documents, "held-out document")
            loss, gpt = self.last_heldout.sum, self.last_heldout.gpt
            counts = counted or ngram(self.layout.batch, self.tokenizer, measured)
        else:
            n = self.tail.steps or min(TAIL, self.updates)
            measured = self.plan.batches(self.updates - n, n)
            # Where the log is lost they cost what they cost now; it is the GPT's loss either way.
            own = self.engine.engine if isinstance(self.engine, Mixture) else self.engine
            loss = self.tail.sum if self.tail.steps else mean_loss(own, measured)
            what = f"the documents of the last {count(n, 'step')}, not held out"
        rungs = ladder(self.layout.batch, measured, self.tokenizer, counts)
        return Ladder(what, rungs, loss, counts.n if counts else 0, gpt, mixes=counted is not None)

    def _evaluate(self, step: Step, positions: int, kept: int | None = None) -> HeldOut:
        """Measure on the first held-out documents."""
        heldout = self.heldout.measure(self.engine, step.step, positions, kept)
        if not math.isfinite(heldout.own.nats):
            raise DivergedError(step.step, heldout.own.mean, rates(self.training))
        self.last_heldout = heldout
        self.log.heldout(heldout)
        self._evaluated = (step.step, step.seconds)
        return self.last_heldout

    def save(self, *, finished: bool = False) -> None:
        """Write log and checkpoint; the checkpoint before stays until the new one is whole."""
        self.saver.save(self._at, finished=finished)
        self.finished = finished
