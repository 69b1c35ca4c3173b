"""A training in memory: the loop, its held-out documents, the state that is kept at the end.

In: a task and an engine. Out: `Steps` and `HeldOut`s, one after the other. Nothing is printed or
saved here; `checkpoint` returns all that a training is, for whoever saves it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from microgpt.counting.ladder import Ladder, ladder, ngram
from microgpt.counting.mixture import Mixture
from microgpt.engines import about
from microgpt.engines.contract import Engine, Predictor, State
from microgpt.errors import DivergedError
from microgpt.loss import LossSum
from microgpt.training.best import Best
from microgpt.training.heldout import ENOUGH, HeldOut, Timetable
from microgpt.training.loop import Step, Steps, train
from microgpt.training.pace import Pace
from microgpt.training.progress import Checkpoint, Progress
from microgpt.training.tail import Tail
from microgpt.training.task import Task
from microgpt.wording import count, rates

TAIL = 50
"""The closing mean is over so many steps."""


class Trainer:
    """A training. Iterate over it; `stop` it; read `ladder` off it.

    Args:
        task: what it begins with.
        engine: opened for it, with the state it begins with or goes on from.
        spent: seconds spent on preparing.
        align: prefer to pause at multiples of this many steps.

    Attributes:
        mixture: the GPT mixed with counts, where it is.
        pace: decides what depends on time.
        tail: the losses of the last 50 steps.
        best: the state to keep if what comes is worse.
        at: the step made last.
        last_heldout: the newest evaluation.
        is_settled: whether it may be saved now: no evaluation of the last step is to come.
        has_ended: whether it has come to its end.
    """

    def __init__(
        self,
        task: Task,
        engine: Engine,
        spent: float = 0.0,
        align: int = 1,
    ) -> None:
        self.task, self.engine, self.spent = task, engine, spent
        counts = task.counts
        self.mixture = Mixture(engine, counts) if counts else None
        self.timetable = Timetable(task.training, task.layout.batch, len(task.heldout))
        self.pace = Pace(task.training, align, self.timetable.every)
        self.tail, self.best = Tail(TAIL), Best()
        self.at: Step | None = None
        self.last_heldout: HeldOut | None = None
        self.is_settled = self.has_ended = False

    @property
    def predictor(self) -> Predictor:
        """What is measured: the mixture, or the GPT where it is not mixed."""
        return self.mixture or self.engine

    @property
    def updates(self) -> int:
        """Updates made so far."""
        return self.engine.updates

    @property
    def kept(self) -> int | None:
        """The step whose state was kept at the end, where that was not the last."""
        return self.last_heldout.kept if self.last_heldout else None

    @property
    def last_positions(self) -> int:
        """How many held-out positions the last evaluation is worth."""
        return self.timetable.last(self.updates, is_fast=about(self.engine.name).is_fast)

    def resume(self, saved: Checkpoint) -> None:
        """Take up what a checkpoint tells beside the engine's state."""
        self.best, self.has_ended = Best.of(saved), saved.progress is None
        if self.mixture and saved.weight is not None:
            self.mixture.weight = saved.weight
        updates, progress = saved.state.updates, saved.progress
        if progress and updates:
            self.at = Step(updates, progress.pending, progress.lr, progress.seconds)

    def stop(self) -> None:
        """End at the next step where the engine stands still."""
        self.pace.stop()

    def __iter__(self) -> Iterator[Steps | HeldOut]:
        """Train and yield what happens.

        Raises:
            DivergedError: the loss is not finite.
        """
        if self.has_ended:
            return
        training, pace = self.task.training, self.pace
        pace.begin(self.spent, self.at.seconds if self.at else 0.0, self._closing())
        evaluated_at = self.at.step if self.at else 0
        for steps in train(self.engine, self.task.plan, training, pace):
            self.tail.add_steps(steps.sums)
            self.at = steps[-1]
            is_due = self._is_due(steps)
            self.is_settled = steps.settled and not is_due
            yield steps
            if is_due:
                # The first one decides how many, so that the others can be compared with it.
                since = self.timetable.every or steps.last - evaluated_at
                sample = self.best.loss.positions if self.best.loss else None
                heldout = self._measure(sample or self.timetable.positions(since))
                evaluated_at = steps.last
                self.best.see(heldout.sum, self.engine)
                self.is_settled = True
                yield heldout
            if steps.settled and pace.is_stopped:
                break
        if self.at and (not pace.is_stopped or self.updates == training.steps):
            yield from self._end(self.at)

    def _is_due(self, steps: Steps) -> bool:
        """Say whether to measure after these steps."""
        can_be = steps.settled and len(self.task.heldout) > 0
        return can_be and self.pace.evaluation_is_due(steps.last)

    def _closing(self) -> float:
        """Estimate the seconds of what follows the last step under a clock.

        Held-out documents are measured, and lines on as many positions again, for what is usual. A
        slow engine measures few, in proportion to its training.
        """
        task = self.task
        if not task.training.seconds or not task.heldout or not about(self.engine.name).is_fast:
            return 0.0
        few = task.heldout.head(ENOUGH)
        self.predictor.losses(few)  # the first time takes longer
        began = self.pace.now()
        self.predictor.losses(few)
        each = (self.pace.now() - began) / few.positions
        positions = min(self.last_positions, task.heldout.positions)
        return each * positions * (1 if task.dataset.stream else 2)

    def _end(self, last: Step) -> Iterator[HeldOut]:
        """Choose the state to keep, and measure it on all held-out documents."""
        self.is_settled = False
        self.check()
        best, heldout = self.best, self.task.heldout
        if heldout:
            kept = None
            # Too few positions to tell which state is the best.
            if best.loss and best.loss.positions >= min(ENOUGH, heldout.positions):
                same = heldout.measure(self.engine, self.mixture, last.step, best.loss.positions)
                best.see(same.sum, self.engine)
                kept = best.step if best.step < last.step else None
            if kept:
                best.restore(self.engine)
            yield self._measure(self.last_positions, kept)
        self.has_ended = True

    def _measure(self, positions: int, kept: int | None = None) -> HeldOut:
        """Measure on the first held-out documents."""
        step = self.updates
        found = self.task.heldout.measure(self.engine, self.mixture, step, positions, kept)
        if not math.isfinite(found.own.nats):
            raise DivergedError(step, found.own.mean, rates(self.task.training))
        self.last_heldout = found
        self.pace.evaluated()
        return found

    def check(self) -> State:
        """Return the state, if it is a good one: the loss of one more document tells.

        Raises:
            DivergedError: it is not.
        """
        state, training = self.engine.state(), self.task.training
        if not state.updates:
            return state
        following = self.task.plan.batches(state.updates, 1).head(1)
        loss = LossSum.of(self.predictor.losses(following)).mean
        if not math.isfinite(loss) or not all(
            np.isfinite(buffer).all() for buffer in state.buffers.values()
        ):
            # The loss is that of the step to come, where there is one.
            step = min(state.updates + 1, training.steps or state.updates + 1)
            raise DivergedError(step, loss, rates(training))
        return state

    def checkpoint(self, lines: int = 0, pending: LossSum | None = None) -> Checkpoint:
        """Return all that this training is at this moment.

        Args:
            lines: how many lines of a log tell of it.
            pending: the losses that no line has told of yet.

        Raises:
            DivergedError: the state is no good one.
        """
        state, best, progress = self.check(), self.best, None
        if not self.has_ended:
            lr, seconds = (self.at.lr, self.at.seconds) if self.at else (0.0, 0.0)
            told = (lines, pending or LossSum())
            progress = Progress(*told, lr, seconds, best.loss, best.step)
        weight = self.mixture.weight if self.mixture else None
        parameters = best.parameters if progress and best.step < state.updates else None
        return Checkpoint(state, weight, progress, parameters)

    def ladder(self) -> Ladder:
        """Compare the model with counting, on the same documents.

        They are the held-out ones of the last evaluation; without any, those of the last 50 steps,
        which n-grams would know by heart.
        """
        task, counts, gpt = self.task, None, None
        if self.last_heldout:
            measured = task.heldout.head(self.last_heldout.sum.positions)
            what = count(self.last_heldout.documents, "held-out document")
            loss, gpt = self.last_heldout.sum, self.last_heldout.gpt
            counts = task.counts or ngram(task.layout.batch, task.tokenizer, measured)
        else:
            n = self.tail.steps or min(TAIL, self.updates)
            measured = task.plan.batches(self.updates - n, n)
            # Where the log is lost they cost what they cost now; it is the GPT's loss either way.
            loss = self.tail.sum
            if not self.tail.steps:
                loss = LossSum.of(self.engine.losses(measured))
            what = f"the documents of the last {count(n, 'step')}, not held out"
        rungs = ladder(
            task.layout.batch, measured, task.tokenizer, counts, whole=task.counts is not None
        )
        n = counts.n if counts else 0
        return Ladder(what, rungs, loss, n, gpt, mixes=self.mixture is not None)
