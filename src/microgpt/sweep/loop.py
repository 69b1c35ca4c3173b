"""Trials, many at once, until the budget is spent.

In: a study, documents, a budget. Out: `Trial`s as they end. Nothing is printed here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from microgpt.data.corpus import Corpus
from microgpt.errors import SweepError
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.study import Study
from microgpt.sweep.trainer import Report, TrialTrainer
from microgpt.sweep.trial import Trial
from microgpt.sweep.worker import Failed, Message, Worker, Workers

# What a training takes beside its own seconds, before one has shown it; and how much of what one
# took is still expected after the next.
_BESIDE = 0.05
_KEEP = 0.9
# How long one may take that is over its time, and how often a stop is looked for.
_PATIENCE = 0.3
_LOOK = 0.2


class Sweep:
    """A sweep in its folder. Iterate over it; `stop` it.

    `folder.new` and `folder.resume` make one.

    Attributes:
        trials: all that have ended, earlier ones and other machines' included.
        exhausted: whether there is nothing left that was not tried.
    """

    def __init__(self, folder: Path, settings: SweepSettings, data: Corpus, study: Study) -> None:
        self.folder, self.settings, self.data, self.study = folder, settings, data, study
        self.trials = study.trials()
        self.stopped = self.exhausted = False
        self._reports: dict[int, Report] = {}
        self._began: dict[int, float] = {}
        # What a training takes beside the seconds it was given.
        self._beside = _BESIDE

    @cached_property
    def trainer(self) -> TrialTrainer:
        """What trains one trial in this process, and measures as the workers do."""
        return TrialTrainer(self.settings, self.data)

    def stop(self) -> None:
        """End at once; what has ended is kept, what has not is lost."""
        self.stopped = True

    def run(self, until: float, jobs: int, most: int | None = None) -> Iterator[Trial]:
        """Train until a moment of the clock `time.perf_counter`, or so many trials are there.

        Args:
            until: no trial is begun that would not end before.
            jobs: how many train at once.
            most: trials in all, those of before included; fewer if there are no others to try.

        Raises:
            SweepError: the database or a worker fails. What has ended is kept.
        """
        left = None if most is None else most - len(self.trials)
        if left is not None:
            jobs = min(jobs, left)
        if jobs < 1:
            return
        try:
            with Workers(self.settings, self.data, jobs) as workers:
                while not self.stopped:
                    left = self._begin(workers, until, left)
                    now = time.perf_counter()
                    if not workers.busy or now > until + _PATIENCE:
                        break
                    for worker, message in workers.messages(min(_LOOK, until + _PATIENCE - now)):
                        if trial := self._take(workers, worker, message):
                            self.trials.append(trial)
                            yield trial
        except SweepError:
            # What stopped us may have stopped a worker too.
            if not self.stopped:
                raise
        finally:
            self._began.clear()
            self.study.abandon()
        self.trials = self.study.trials()  # with what other machines have done

    def _begin(self, workers: Workers, until: float, left: int | None) -> int | None:
        """Give trials to all who wait, while they fit; return how many are left."""
        for worker in workers.waiting:
            now = time.perf_counter()
            late = now + (self.settings.seconds or 0.0) + self._beside > until
            if left == 0 or late or self.exhausted:
                break
            asked = self.study.ask()
            if asked is None:
                self.exhausted = True
                break
            number, values = asked
            self._began[number] = now
            workers.give(worker, number, values)
            left = None if left is None else left - 1
        return left

    def _take(self, workers: Workers, worker: Worker, message: Message) -> Trial | None:
        """Take in what a worker tells; return its trial if that has ended."""
        number = worker.trial
        if number is None:
            return None  # it was told to give up what it had just ended
        if isinstance(message, Report) and message.percent < 100:
            self._reports[number] = message
            if self.study.report(number, message):
                workers.give_up(worker)
            return None
        last = self._reports.pop(number, None)
        worker.trial = None
        took = time.perf_counter() - self._began.pop(number)
        if isinstance(message, Report):
            # The next ones must fit into what is left.
            beside = took - (self.settings.seconds or 0.0)
            self._beside = max(beside, _KEEP * self._beside)
            return self.study.tell(number, "done", message)
        if isinstance(message, Failed):
            return self.study.tell(number, "diverged" if message.diverged else "failed", last)
        return self.study.tell(number, "pruned", last)
