"""Optuna's study of a sweep: which values to try, which trials to prune, all results.

In: settings, a database. Out: values to train with, and finished `Trial`s. Only this module and
`storage` use Optuna, which is imported when a study is opened.
"""

from __future__ import annotations

import hashlib
import math
import random
import time
import warnings
from collections.abc import Mapping
from functools import partial
from itertools import count
from typing import Any

from microgpt.errors import SweepError
from microgpt.sweep.effects import Course, Effects, effects
from microgpt.sweep.heart import Heart
from microgpt.sweep.knob import Knob, Value
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.storage import PAUSE, TRIES, check_installed, connect, told
from microgpt.sweep.trainer import SHARES, Report
from microgpt.sweep.trial import Key, Outcome, Trial, key_of, recorded, rounded

# The first trials are drawn at random.
_STARTUP = 16
# How often the sampler may propose values already tried, before new ones are drawn at random.
_REDRAWS = 2


class Study:
    """A sweep's trials in a database that several machines may share.

    Args:
        address: of the database, in SQLAlchemy's form.
        name: of the study.
        settings: of the sweep.
        salt: a name of this machine if others share the study; it makes the draws differ.

    Raises:
        SweepError: the database cannot be reached, or has another sweep by this name.
        MissingExtra: Optuna, or the database's driver, is not installed.
    """

    def __init__(self, address: str, name: str, settings: SweepSettings, salt: str = "") -> None:
        check_installed()
        import optuna

        self.settings = settings
        self._optuna: Any = optuna
        self._states: Any = optuna.trial.TrialState
        self._storage = connect(address, beats=bool(salt))
        try:
            self._study: Any = self._open(name, salt)
            self._agree(name)
            self._heart = Heart(self._study, self._storage) if salt else None
        except BaseException:
            self.close()
            raise
        self._running: dict[int, Any] = {}
        # The values of ended trials, by their number; None: the trial has no result.
        self._ended: dict[int, Key | None] = {}
        self._own = settings.of_the_preset()
        self._distributions = {knob.name: self._distribution(knob) for knob in settings.space.knobs}

    @told
    def _open(self, name: str, salt: str) -> Any:
        samplers, pruners = self._optuna.samplers, self._optuna.pruners
        create, exists = self._optuna.create_study, self._optuna.exceptions.DuplicatedStudyError
        try:
            study: Any = create(storage=self._storage, study_name=name)
        except exists:
            study = self._optuna.load_study(storage=self._storage, study_name=name)
        else:
            study.set_user_attr("microgpt", self.settings.to_json())
            if values := self.settings.of_the_preset():
                study.enqueue_trial(values)
        # A resumed sweep must not repeat its draws: the number of trials is part of the seed.
        seed = f"{self.settings.seed} {len(study.get_trials(deepcopy=False))} {salt}"
        digest = hashlib.blake2b(seed.encode(), digest_size=4).digest()
        self._blindly = random.Random(seed)
        study.sampler = samplers.TPESampler(
            seed=int.from_bytes(digest, "big"), n_startup_trials=_STARTUP
        )
        # A trial continues while it is in the better half of all that have come as far.
        study.pruner = pruners.SuccessiveHalvingPruner(min_resource=SHARES[0], reduction_factor=2)
        return study

    @told
    def _agree(self, name: str) -> None:
        """Raise SweepError unless the study's trials have these settings."""
        theirs: dict[str, Any] = {}
        for _ in range(TRIES):
            if theirs := self._study.user_attrs.get("microgpt", {}):
                break
            time.sleep(PAUSE)  # another machine may just be making it
        else:
            raise SweepError(f'study "{name}": foreign: it was not made by microgpt sweep.')
        self.settings.check_same(theirs, name)

    def _distribution(self, knob: Knob) -> Any:
        kinds = self._optuna.distributions
        if knob.choices:
            return kinds.CategoricalDistribution(knob.choices)
        if knob.step is None:
            return kinds.FloatDistribution(knob.low, knob.high, log=knob.log)
        low, high = int(knob.low), int(knob.high)
        return kinds.IntDistribution(low, high, log=knob.log, step=knob.step)

    def close(self) -> None:
        """Close the connection to the database."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    @told
    def ask(self) -> tuple[int, dict[str, Value]] | None:
        """Return the number of a new trial, and its values; None: all values have been tried.

        No values are tried twice, on this machine or another: the result would be the same (with a
        budget in steps), or differ by chance only (with one in seconds).
        """
        space = self.settings.space
        for draw in count():
            point: dict[str, Value] | None = {}
            if draw >= _REDRAWS:
                point = space.draw(self._blindly, partial(_is_new, self._tried()))
                if point is None:
                    return None
            trial = self._begin(point)
            values = rounded(trial.params)
            if _is_new(self._tried(but=trial.number), values):
                self._running[trial.number + 1] = trial
                return trial.number + 1, values
            # A repetition: marked as failed, so that the sampler ignores it.
            self._study.tell(trial, state=self._states.FAIL)
        raise AssertionError  # never reached

    def _begin(self, point: dict[str, Value]) -> Any:
        """Begin a trial with these values; the sampler draws the missing ones."""
        drawing = self._study.sampler
        with warnings.catch_warnings():
            # Not by Optuna's queue: two machines might take the same trial from it.
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            # Optuna's loop would send heartbeats by itself; ours sends its own.
            warnings.filterwarnings("ignore", "Heartbeat of storage is supposed to be used with")
            self._study.sampler = self._optuna.samplers.PartialFixedSampler(point, drawing)
            try:
                trial = self._study.ask(self._distributions)
            finally:
                self._study.sampler = drawing
        if self._heart:
            self._heart.begin(trial)
        return trial

    def _tried(self, but: int = -1) -> set[Key]:
        """Return the values of all trials, ended or running on any machine, except one trial."""
        running: set[Key] = set()
        for trial in self._study.get_trials(deepcopy=False):
            if trial.number in self._ended or trial.number == but:
                continue
            key = key_of(rounded(trial.params))
            if trial.state.is_finished():
                self._ended[trial.number] = key if "microgpt" in trial.user_attrs else None
            elif trial.state == self._states.RUNNING:
                running.add(key)
        return running | {key for key in self._ended.values() if key}

    @told
    def beat(self) -> None:
        """Send heartbeats to the other machines if they are due; call this every second or so."""
        if self._heart:
            self._heart.beat(self._running.values())

    @told
    def report(self, number: int, report: Report) -> bool:
        """Record a report; return whether the trial is to be pruned."""
        trial = self._running[number]
        try:
            trial.report(report.loss, report.percent)
        except self._optuna.exceptions.UpdateFinishedTrialError:
            return True  # another machine has given it up
        # The preset's own values are never pruned: the others are compared with them.
        return trial.params != self._own and bool(trial.should_prune())

    @told
    def tell(self, number: int, outcome: Outcome, report: Report | None) -> Trial | None:
        """Record the end of a trial; return it, or None if another machine has given it up."""
        trial = self._running.pop(number)
        if outcome in ("done", "pruned") and not (report and math.isfinite(report.loss)):
            outcome = "diverged"
        steps, seconds = (report.steps, round(report.seconds, 3)) if report else (0, 0.0)
        ended = {"outcome": outcome, "steps": steps, "seconds": seconds}
        try:
            trial.set_user_attr("microgpt", ended)
        except self._optuna.exceptions.UpdateFinishedTrialError:
            return None
        if outcome == "done" and report:
            self._study.tell(trial, report.loss)
        else:
            # The sampler learns from a diverged trial, which counts as pruned; a failed one says
            # nothing about its values.
            state = self._states.FAIL if outcome == "failed" else self._states.PRUNED
            self._study.tell(trial, state=state)
        loss = report.loss if report else math.nan
        return Trial(number, rounded(trial.params), outcome, loss, steps, seconds)

    @told
    def abandon(self) -> None:
        """Mark all running trials of this process as failed."""
        for trial in self._running.values():
            self._study.tell(trial, state=self._states.FAIL, skip_if_finished=True)
        self._running.clear()

    @told
    def sweep_up(self) -> None:
        """Mark the trials that a killed process left running as failed; no other may be running."""
        for trial in self._study.get_trials(deepcopy=False, states=(self._states.RUNNING,)):
            self._study.tell(trial.number, state=self._states.FAIL)

    @told
    def trials(self) -> list[Trial]:
        """Return all ended trials that have a result, in order."""
        found: list[Trial] = []
        for trial in self._study.get_trials(deepcopy=False):
            about: Any = trial.user_attrs.get("microgpt")
            if trial.state.is_finished() and about:
                loss = math.nan if trial.value is None else float(trial.value)
                found.append(recorded(trial.number + 1, trial.params, loss, about))
        return found

    @told
    def effects(self) -> Effects:
        """Return the effect of each knob on the loss."""
        courses: list[Course] = []
        for trial in self._study.get_trials(deepcopy=False):
            about: Mapping[str, Any] = trial.user_attrs.get("microgpt", {})
            outcome = about.get("outcome")
            if trial.state.is_finished() and outcome in ("done", "pruned", "diverged"):
                losses: dict[int, float] = dict(trial.intermediate_values)
                if outcome == "done":
                    losses[100] = float(trial.value)
                courses.append(Course(rounded(trial.params), losses, outcome == "diverged"))
        return effects(self.settings.space.knobs, courses)


def _is_new(tried: set[Key], values: Mapping[str, Value]) -> bool:
    return key_of(rounded(values)) not in tried
