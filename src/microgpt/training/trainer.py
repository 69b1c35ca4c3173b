"""A training in memory: the loop, its evaluations, and the choice of the final state.

In: a task and an engine. Out: events, `Steps` and `HeldOut`, in order. Nothing is printed or saved
here: `checkpoint` returns all that must be saved to resume the training.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from microgpt.counting.ladder import Ladder, ladder, ngram
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
"""The number of last steps whose mean loss is reported at the end."""


class Trainer:
    """A training: iterating over it trains and yields events.

    Args:
        task: the documents and the settings.
        engine: opened for the task, with the state to train from.
        spent: seconds spent on preparing.
        align: chunks end at multiples of this many steps, if they are long enough.

    Attributes:
        mixture: the GPT mixed with counts; None: it is not mixed.
        pace: decides what depends on time.
        tail: the losses of the last 50 steps.
        best: the state with the lowest held-out loss so far.
        at: the last step made; None: none.
        last_heldout: the last evaluation; None: none.
        is_settled: whether the training may be saved now: no evaluation of the last step is due.
        has_ended: whether the training is complete.
    """

    def __init__(
        self,
        task: Task,
        engine: Engine,
        spent: float = 0.0,
        align: int = 1,
    ) -> None:
        self.task, self.engine, self.spent = task, engine, spent
        self.mixture = task.mixture(engine)
        self.timetable = Timetable(task.training, task.layout.batch, len(task.heldout))
        self.pace = Pace(task.training, align, self.timetable.every)
        self.tail, self.best = Tail(TAIL), Best()
        self.at: Step | None = None
        self.last_heldout: HeldOut | None = None
        self.is_settled = self.has_ended = False

    @property
    def predictor(self) -> Predictor:
        """The predictor that is evaluated: the mixture, or the GPT if it is not mixed."""
        return self.mixture or self.engine

    @property
    def updates(self) -> int:
        """Updates made so far."""
        return self.engine.updates

    @property
    def kept(self) -> int | None:
        """The step of the final state, if that is not the last step's; else None."""
        return self.last_heldout.kept if self.last_heldout else None

    @property
    def last_positions(self) -> int:
        """The most held-out positions that the closing evaluation measures."""
        return self.timetable.last(self.updates, is_fast=about(self.engine.name).is_fast)

    def resume(self, saved: Checkpoint) -> None:
        """Restore what a checkpoint holds beside the engine's state, which is loaded already."""
        self.best, self.has_ended = Best.of(saved), saved.progress is None
        if self.mixture and saved.fitted:
            self.mixture.take(saved.fitted)
        updates, progress = saved.state.updates, saved.progress
        if progress and updates:
            self.at = Step(updates, progress.pending, progress.lr, progress.seconds)

    def stop(self) -> None:
        """Stop after the current chunk of steps."""
        self.pace.stop()

    def __iter__(self) -> Iterator[Steps | HeldOut]:
        """Train, and yield `Steps` after each chunk and `HeldOut` after each evaluation.

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
                # All evaluations measure as many positions as the first, to be comparable.
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
        """Return whether to evaluate after these steps."""
        can_be = steps.settled and len(self.task.heldout) > 0
        return can_be and self.pace.evaluation_is_due(steps.last)

    def _closing(self) -> float:
        """Estimate the seconds from the last step to the end of a timed training; else 0.

        Held-out documents are evaluated, and the reference losses measured on as many positions. A
        slow engine measures few, in proportion to its training.
        """
        task = self.task
        if not task.training.seconds or not task.heldout or not about(self.engine.name).is_fast:
            return 0.0
        few = task.heldout.head(ENOUGH)
        self.predictor.losses(few)  # the first time takes longer
        began = self.pace.now()
        self.predictor.losses(few)
        each = (self.pace.now() - began) / few.n_counted
        positions = min(self.last_positions, task.heldout.positions)
        return each * positions * (1 if task.dataset.stream else 2)

    def _end(self, last: Step) -> Iterator[HeldOut]:
        """Choose the final state, and evaluate it on all held-out documents."""
        self.is_settled = False
        self.check()
        best, heldout = self.best, self.task.heldout
        if heldout:
            kept = None
            # With fewer positions than this a state may have the lowest loss by chance.
            if best.loss and best.loss.positions >= min(ENOUGH, heldout.positions):
                same = heldout.measure(self.engine, self.mixture, last.step, best.loss.positions)
                best.see(same.sum, self.engine)
                kept = best.step if best.step < last.step else None
            if kept:
                best.restore(self.engine)
            yield self._measure(self.last_positions, kept)
        self.has_ended = True

    def _measure(self, positions: int, kept: int | None = None) -> HeldOut:
        """Evaluate on the first held-out documents, those with this many positions."""
        step = self.updates
        found = self.task.heldout.measure(self.engine, self.mixture, step, positions, kept)
        if not math.isfinite(found.own.nats):
            raise DivergedError(step, found.own.mean, rates(self.task.training))
        self.last_heldout = found
        self.pace.evaluated()
        return found

    def check(self) -> State:
        """Return the state if it is finite: it must give the next document a finite loss.

        Raises:
            DivergedError: a parameter, a moment or that loss is not finite.
        """
        state, training = self.engine.state(), self.task.training
        if not state.updates:
            return state
        following = self.task.plan.batches(state.updates, 1).head(1)
        loss = LossSum.of(self.predictor.losses(following)).mean
        if not math.isfinite(loss) or not all(
            np.isfinite(buffer).all() for buffer in state.buffers.values()
        ):
            # The loss measured is that of the next step, unless the last one was made.
            step = min(state.updates + 1, training.steps or state.updates + 1)
            raise DivergedError(step, loss, rates(training))
        return state

    def checkpoint(self, lines: int = 0, pending: LossSum | None = None) -> Checkpoint:
        """Return all that must be saved to resume the training at this moment.

        Args:
            lines: how many lines the log has.
            pending: the losses of steps that are in no line of the log yet.

        Raises:
            DivergedError: the state is not finite.
        """
        state, best, progress = self.check(), self.best, None
        if not self.has_ended:
            lr, seconds = (self.at.lr, self.at.seconds) if self.at else (0.0, 0.0)
            logged = (lines, pending or LossSum())
            progress = Progress(*logged, lr, seconds, best.loss, best.step)
        fitted = self.mixture.fitted if self.mixture else None
        parameters = best.parameters if progress and best.step < state.updates else None
        return Checkpoint(state, fitted, progress, parameters)

    def ladder(self) -> Ladder:
        """Return the losses of the model and of the baselines on the same documents.

        These are the held-out documents of the last evaluation. If none are held out, they are the
        documents of the last 50 steps, without an n-gram, which would have memorised them.
        """
        task, counts, gpt = self.task, None, None
        if self.last_heldout:
            measured = task.heldout.head(self.last_heldout.sum.positions)
            what = count(self.last_heldout.documents, "held-out document")
            loss, gpt = self.last_heldout.sum, self.last_heldout.gpt
            counts = task.rung or ngram(task.layout.texts, task.tokenizer, measured)
        else:
            n = self.tail.steps or min(TAIL, self.updates)
            measured = task.plan.batches(self.updates - n, n)
            # Without the log the losses at those steps are unknown: measure them now. Either way
            # they are the GPT's own.
            loss = self.tail.sum
            if not self.tail.steps:
                loss = LossSum.of(self.engine.losses(measured))
            what = f"the documents of the last {count(n, 'step')}, not held out"
        rungs = ladder(
            task.layout.texts, measured, task.tokenizer, counts, whole=task.rung is not None
        )
        n, models = counts.n if counts else 0, task.training.models
        return Ladder(what, rungs, loss, n, gpt, self.mixture is not None, models=models)
