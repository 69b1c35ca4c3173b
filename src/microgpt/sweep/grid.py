"""A study of a grid: every combination of values as many times, nothing searched, nothing pruned.

In: the settings of a sweep that has seeds. Out: as of any `Study`.
"""

from __future__ import annotations

from typing import Any

from microgpt.sweep.knob import SEED, Value
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.storage import told
from microgpt.sweep.study import Study
from microgpt.sweep.trial import key_of, rounded


class GridStudy(Study):
    """The trials of a grid in a database; its arguments are those of `Study`."""

    def __init__(self, address: str, name: str, settings: SweepSettings, salt: str = "") -> None:
        super().__init__(address, name, settings, salt)
        seeds = range(settings.seed, settings.seed + (settings.seeds or 1))
        kinds: Any = self._optuna.distributions
        # One of many whole numbers, any of which may be too large for a float.
        self._distributions[SEED] = kinds.CategoricalDistribution([*seeds])
        self._study.pruner = self._optuna.pruners.NopPruner()
        self._grid = [rounded(values) for values in settings.grid]

    @told
    def ask(self) -> tuple[int, dict[str, Value]] | None:
        """Return the number of a new trial, and its values; None: the grid is complete.

        What another machine trains is left to it.
        """
        while True:
            tried = self._tried()
            left = [values for values in self._grid if key_of(values) not in tried]
            if not left:
                return None
            # Any of the next seed: two machines must not go for the same one again and again.
            point = self._blindly.choice([v for v in left if v[SEED] == left[0][SEED]])
            trial = self._begin(point)
            if key_of(point) not in self._tried(but=trial.number):
                self._running[trial.number + 1] = trial
                return trial.number + 1, point
            self._study.tell(trial, state=self._states.FAIL)
