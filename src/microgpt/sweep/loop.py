"""The loop of a sweep: trials on all workers, until the budget is spent.

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

# A trial's overhead beside its training, in seconds, before it was measured; and the decay of the
# measured maximum with each trial.
_BESIDE = 0.05
_KEEP = 0.9
# Seconds that a trial may run over the deadline; and between two checks for a stop.
_PATIENCE = 0.3
_LOOK = 0.2


class Sweep:
    """A sweep in its folder: iterating over `run` trains and yields trials.

    `folder.new` and `folder.resume` make one.

    Attributes:
        trials: all ended trials, with those of earlier sessions and other machines.
        exhausted: whether all points of the space have been tried.
    """

    def __init__(self, folder: Path, settings: SweepSettings, data: Corpus, study: Study) -> None:
        self.folder, self.settings, self.data, self.study = folder, settings, data, study
        self.trials = study.trials()
        self.stopped = self.exhausted = False
        self._reports: dict[int, Report] = {}
        self._began: dict[int, float] = {}
        # A trial's overhead in seconds, as measured.
        self._beside = _BESIDE

    @cached_property
    def trainer(self) -> TrialTrainer:
        """A trainer in this process, which measures as the workers do."""
        return TrialTrainer(self.settings, self.data)

    def stop(self) -> None:
        """End at once: finished trials are saved, running ones are lost."""
        self.stopped = True

    def run(self, until: float, jobs: int, most: int | None = None) -> Iterator[Trial]:
        """Train until a deadline, or until there are `most` trials; yield trials as they end.

        Args:
            until: the deadline, by `time.perf_counter`: no trial begins that would end after it.
            jobs: how many trials train at once.
            most: trials in all, earlier ones included; fewer if the space is exhausted.

        Raises:
            SweepError: the database or a worker fails. Finished trials are saved.
        """
        left = None if most is None else most - len(self.trials)
        if left is not None:
            jobs = min(jobs, left)
        if jobs < 1:
            return
        try:
            with Workers(self.settings, self.data, jobs) as workers:
                while not self.stopped:
                    self.study.beat()
                    left = self._begin(workers, until, left)
                    now = time.perf_counter()
                    if not workers.busy or now > until + _PATIENCE:
                        break
                    for worker, message in workers.messages(min(_LOOK, until + _PATIENCE - now)):
                        if trial := self._take(workers, worker, message):
                            self.trials.append(trial)
                            yield trial
        except SweepError:
            # The signal that stopped this process may have ended a worker too.
            if not self.stopped:
                raise
        finally:
            self._began.clear()
            self.study.abandon()
        self.trials = self.study.trials()  # with those of other machines

    def _begin(self, workers: Workers, until: float, left: int | None) -> int | None:
        """Give a trial to each idle worker while the time allows; return how many are left."""
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
        """Handle a worker's message; return its trial if it has ended with a result."""
        number = worker.trial
        if number is None:
            return None  # the answer to a request to prune a trial that had just ended
        if isinstance(message, Report) and message.percent < 100:
            self._reports[number] = message
            if self.study.report(number, message):
                workers.give_up(worker)
            return None
        last = self._reports.pop(number, None)
        worker.trial = None
        took = time.perf_counter() - self._began.pop(number)
        if isinstance(message, Report):
            # The overhead decides whether another trial fits before the deadline.
            beside = took - (self.settings.seconds or 0.0)
            self._beside = max(beside, _KEEP * self._beside)
            return self.study.tell(number, "done", message)
        if isinstance(message, Failed):
            return self.study.tell(number, "diverged" if message.diverged else "failed", last)
        return self.study.tell(number, "pruned", last)
