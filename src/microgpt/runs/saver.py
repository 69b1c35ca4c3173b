"""When a training is saved, and whether what would be saved is any good.

In: an engine, the log and the best state beside it. Out: checkpoints in the run's folder.

All that a training is lies in one file, replaced at once: parameters, moments, the best state, how
many lines of the log tell of it, and whether it has ended. Whatever else is on the disk (lines of
steps that came later, an evaluation of an end that was not reached) a resumed training takes away
and makes again, the same.
"""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np

from microgpt.runs import checkpoint
from microgpt.data.plan import Plan
from microgpt.training.best import Best
from microgpt.training.progress import Checkpoint, Progress
from microgpt.engines.contract import Engine, State
from microgpt.errors import DivergedError
from microgpt.evaluation import mean_loss
from microgpt.runs.log import LogWriter
from microgpt.counting.mixture import Mixture
from microgpt.runs.settings import Settings
from microgpt.wording import rates
from microgpt.training.loop import Step

# A checkpoint at most every so often, and never for more than 1 % of the time.
_SECONDS = 2.0
_SHARE = 0.01


class Saver:
    """Writes log and checkpoint, the log first.

    Args:
        folder: the run's.
        engine: what is saved.
        plan: the documents to come: the next one tells whether a state is any good.
        settings: the run's.
        log: the run's.
        best: the state to keep if what comes is worse.
        about: the fingerprint of `config.json`.

    Attributes:
        updates: how many the newest checkpoint has made.
    """

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        plan: Plan,
        settings: Settings,
        log: LogWriter,
        best: Best,
        about: str,
    ) -> None:
        self._folder, self._engine, self._plan = folder, engine, plan
        self._settings, self._log, self._best, self._about = settings, log, best, about
        self.updates = engine.state().updates
        self._at, self._cost = time.perf_counter(), 0.0

    def now_and_then(self, last: Step) -> None:
        """Save if it is time again."""
        if time.perf_counter() - self._at > max(_SECONDS, self._cost / _SHARE):
            self.save(last)

    def save(self, last: Step | None, *, finished: bool = False) -> None:
        """Save; the checkpoint before stays until the new one is whole.

        Args:
            last: the step made last, if there was one.
            finished: whether the training has ended, and the parameters are those to keep.

        Raises:
            DivergedError: the state is no good one.
            OSError: the disk is full, say.
        """
        began = time.perf_counter()
        # The log first: it must tell of every step that the checkpoint has made.
        self._log.flush()
        state = self._engine.state()
        self.check(state)
        best, progress = self._best, None
        if not finished:
            lr, seconds = (last.lr, last.seconds) if last else (0.0, 0.0)
            progress = Progress(
                self._log.lines, self._log.pending, lr, seconds, best.loss, best.step
            )
        weight = self._engine.weight if isinstance(self._engine, Mixture) else None
        has_moved = progress and best.step < state.updates
        parameters = best.parameters if has_moved else None
        kept = Checkpoint(state, weight, progress, parameters, self._about)
        checkpoint.save(self._folder, self._settings.model, kept)
        self.updates, self._at = state.updates, time.perf_counter()
        self._cost = self._at - began

    def check(self, state: State) -> None:
        """Raise DivergedError if the state is no good one: the loss of one more document tells."""
        if not state.updates:
            return
        training = self._settings.training
        following = self._plan.batches(state.updates, 1).head(1)
        loss = mean_loss(self._engine, following).mean
        buffers = (state.parameters, state.m, state.v)
        if not math.isfinite(loss) or not all(np.isfinite(x).all() for x in buffers):
            # The loss is that of the step to come, where there is one.
            step = min(state.updates + 1, training.steps or state.updates + 1)
            raise DivergedError(step, loss, rates(training))
