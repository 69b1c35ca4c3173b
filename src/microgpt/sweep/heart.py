"""Heartbeats of the machines that share a study: the trials of a dead machine are given up.

In: the running trials of this process. Out: a heartbeat of each in the database, by the database's
clock; trials of any machine without a recent heartbeat are marked as failed. Optuna stores and
compares heartbeats, but sends them only from its own loop, which `loop` replaces.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

BEAT, GRACE = 10, 60
"""Seconds between two heartbeats, and without a heartbeat until a trial is given up."""


class Heart:
    """Sends heartbeats.

    Args:
        study: Optuna's study.
        storage: its storage, which was opened with BEAT and GRACE.
        clock: in seconds.
    """

    def __init__(
        self, study: Any, storage: Any, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._study, self._storage, self._clock = study, storage, clock
        self._next = clock()

    def begin(self, trial: Any) -> None:
        """Send a trial's first heartbeat: only trials with one can be given up."""
        self._storage.record_heartbeat(trial._trial_id)

    def beat(self, running: Iterable[Any]) -> None:
        """Send the heartbeats that are due, and give up dead trials; usually do nothing.

        Args:
            running: the trials of this process.
        """
        import optuna

        if self._clock() < self._next:
            return
        self._next = self._clock() + BEAT
        for trial in running:
            self._storage.record_heartbeat(trial._trial_id)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(self._study)
