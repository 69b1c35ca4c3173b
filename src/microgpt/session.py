"""A training in its folder: the loop, with its log, its checkpoints and its held-out documents.

In: what `prepare` has put together. Out: `Step`s and `HeldOut`s, one after the other. Nothing is
printed here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from microgpt import checkpoint, corpus
from microgpt.alphabet import printable
from microgpt.baselines import Ladder, ladder, ngram
from microgpt.batch import Plan, lay_out
from microgpt.best import Best
from microgpt.config import GPTConfig, TrainConfig
from microgpt.corpus import Corpus
from microgpt.disk import write_atomically
from microgpt.engines.contract import Engine
from microgpt.errors import DivergedError
from microgpt.heldout import ENOUGH, HeldOut, HeldOutDocuments, Timetable
from microgpt.log import Log, LogWriter, loss_sum
from microgpt.loss import LossSum
from microgpt.mixture import Mixture
from microgpt.ngram import NGram
from microgpt.sample import Sample
from microgpt.saver import Saver
from microgpt.settings import Settings
from microgpt.tokenizer import Tokenizer
from microgpt.train import Step, train

TAIL = 50
"""The closing mean is over so many steps."""


class Session:
    """A training. Iterate over it; `stop` it; read `ladder` off it.

    `prepare.new` and `prepare.resume` make one. It holds its folder until it is closed: use it in a
    `with`.

    Attributes:
        stack: what is let go of at the end.
        last_heldout: the newest evaluation on them.
        kept: the step whose state was kept at the end, where that was not the last.
        why: what its recipe was chosen by, if it was.
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
        self.why = why
        self.stack = ExitStack()
        self.folder = Path()
        self.train_documents, self.heldout_documents = corpus.split(data, self.training.holdout)
        encoded = map(tokens.encode, self.train_documents)
        self.layout = lay_out(encoded, tokens.bos, self.model.block_size, self.training.long)
        self.plan = Plan(
            self.layout.batch, self.training.batch_size, self.training.seed, self.training.order
        )
        began = time.perf_counter()
        if self.training.ngram:
            counts = NGram.of(self.layout.batch, tokens.vocab_size, tokens.bos, self.training.ngram)
            self.engine = Mixture(engine, counts)
        self._spent = spent + time.perf_counter() - began
        self.heldout = HeldOutDocuments(
            self.heldout_documents, tokens, self.model.block_size, self.training.seed
        )
        self.timetable = Timetable(self.training, self.layout.batch, len(self.heldout))
        self.last_heldout: HeldOut | None = None
        self.kept: int | None = None
        self._stopped = False
        self._tail: list[tuple[int, LossSum]] = []
        self._evaluated = (0, 0.0)
        self._at: Step | None = None

    def open(
        self,
        folder: Path,
        stack: ExitStack,
        pending: LossSum | None = None,
        weight: float | None = None,
    ) -> None:
        """Take a claimed folder for log and checkpoints; the stack closes what is opened."""
        self.folder = folder
        if isinstance(self.engine, Mixture):
            self.engine.weight = self.engine.weight if weight is None else weight
            checkpoint.save_counts(folder, self.engine.ngram.arrays())
        self.best = Best(folder, self.model)
        self.log = LogWriter(folder, self.settings.log_every, self.updates, pending)
        stack.callback(self.log.close)
        self._recall(self.log.before)
        self.saver = Saver(folder, self.engine, self.plan, self.settings, self.log, self.best)

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
            self.kept = last["heldout"].get("kept")
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
        training, every = self.training, self.timetable.every
        try:
            for step in train(
                self.engine,
                self.plan,
                training,
                seconds=max(self.log.seconds, self._spent),
                align=self.settings.log_every,
                pause_every=every,
            ):
                self._remember(1, step.sum)
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
                    self.saver.now_and_then(self._at)
                if self._stopped:
                    break
            finished = not self._stopped or self.updates == training.steps
            if finished and self._at:
                yield from self._close(self._at)
            if finished:
                self.log.settle()
            self.save(finished=finished)
        except DivergedError as error:
            self.log.flush()
            kept = f"{self.folder} (step {self.saver.updates})"
            raise DivergedError(error.step, error.loss, error.lr, kept) from None

    def _close(self, step: Step) -> Iterator[HeldOut]:
        """Measure once more, unless the log has it: on half as many positions as trained on.

        If an earlier state costs less on the documents that it was measured on, it is kept.
        """
        if not self.heldout or (self.last_heldout and self.last_heldout.step == step.step):
            return
        # What a few say decides nothing.
        if self.best.loss and self.best.loss.positions >= min(ENOUGH, self.heldout.positions):
            same = self.heldout.measure(self.engine, step.step, self.best.loss.positions)
            self.best.see(same.sum, self.engine)
            self.kept = self.best.step if self.best.step < step.step else None
        if self.kept:
            self.best.restore(self.engine)
        yield self._evaluate(step, self.timetable.positions(2 * step.step))

    def ladder(self) -> Ladder:
        """Compare the model with counting, on the same documents.

        They are the held-out ones of the last evaluation; without any, those of the last 50 steps,
        which n-grams would know by heart.
        """
        counts: NGram | None = None
        if self.last_heldout:
            measured = self.heldout.head(self.last_heldout.sum.positions)
            what = f"{self.last_heldout.documents:,} held-out documents"
            loss = self.last_heldout.sum
            counted = getattr(self.engine, "ngram", None)
            counts = counted or ngram(self.layout.batch, self.tokenizer, measured)
        else:
            n, loss = self.tail
            measured = self.plan.batches(self.updates - n, n)
            what = f"the documents of the last {n} step{'s' * (n > 1)}, not held out"
        rungs = ladder(self.layout.batch, measured, self.tokenizer, counts)
        return Ladder(what, rungs, loss, counts.n if counts else 0)

    def write_samples(self, drawn: Sequence[Sample]) -> None:
        """Write `samples.txt`, a sample a line."""
        text = "".join(f"{printable(sample.text)}\n" for sample in drawn)
        write_atomically(self.folder / checkpoint.SAMPLES, text.encode())

    def _evaluate(self, step: Step, positions: int) -> HeldOut:
        """Measure on the first held-out documents."""
        self.last_heldout = self.heldout.measure(self.engine, step.step, positions)
        self.log.heldout(step.step, self.last_heldout.sum, self.kept)
        self._evaluated = (step.step, step.seconds)
        return self.last_heldout

    def save(self, *, finished: bool = False) -> None:
        """Write log and checkpoint; the checkpoint before stays until the new one is whole."""
        self.saver.save(self._at, finished=finished)
