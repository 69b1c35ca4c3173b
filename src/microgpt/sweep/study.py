"""Optuna's study of a sweep: what to try next, what to give up, and all that came of it.

In: settings, a database. Out: `Trial`s to be trained, and those that were. No other module knows
Optuna, and it is loaded when a study is opened.
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

from microgpt.errors import MissingExtra, SweepError
from microgpt.sweep.effects import Course, Effects, effects
from microgpt.sweep.knob import Knob, Value
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.storage import PAUSE, TRIES, connect, told
from microgpt.sweep.trainer import SHARES, Report
from microgpt.sweep.trial import Key, Outcome, Trial, key_of, recorded, rounded

# So many trials are drawn blindly.
_STARTUP = 16
# What was tried already is drawn anew so often by what learns from trials, then blindly.
_REDRAWS = 2


def check_installed() -> None:
    """Raise MissingExtra unless Optuna is there."""
    try:
        import optuna
    except ImportError:
        raise MissingExtra(
            "sweep needs Optuna, which is not installed. Try: pip install 'microgpt-lm[sweep]'"
        ) from None
    # Its lines are not ours: what matters is told by whoever iterates, or raised.
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)


class Study:
    """A sweep's trials in a database that several machines may share.

    Args:
        address: of the database, as SQLAlchemy has it.
        name: of the study.
        settings: of the sweep.
        salt: what tells this process's draws from those of others, and of earlier ones.

    Raises:
        SweepError: the database cannot be reached, or has another sweep by this name.
        MissingExtra: Optuna, or the database's driver, is not installed.
    """

    def __init__(self, address: str, name: str, settings: SweepSettings, salt: str = "") -> None:
        check_installed()
        import optuna

        self.settings = settings
        self._optuna: Any = optuna
        self._storage = connect(address)
        try:
            self._study: Any = self._open(name, salt)
            self._agree(name)
        except BaseException:
            self.close()
            raise
        self._running: dict[int, Any] = {}
        # What the trials were of that have ended, by their number; None: nothing came of it.
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
        # What was drawn before must not be drawn again.
        seed = f"{self.settings.seed} {len(study.get_trials(deepcopy=False))} {salt}"
        digest = hashlib.blake2b(seed.encode(), digest_size=4).digest()
        self._blindly = random.Random(seed)
        study.sampler = samplers.TPESampler(
            seed=int.from_bytes(digest, "big"), n_startup_trials=_STARTUP
        )
        # A trial goes on while it is among the better half of all that came as far.
        study.pruner = pruners.SuccessiveHalvingPruner(min_resource=SHARES[0], reduction_factor=2)
        return study

    @told
    def _agree(self, name: str) -> None:
        """See that the study is ours: all trials must be of the same settings."""
        ours = self.settings.to_json()
        theirs: dict[str, Any] = {}
        for _ in range(TRIES):
            if theirs := self._study.user_attrs.get("microgpt", {}):
                break
            time.sleep(PAUSE)  # another machine may just be making it
        else:
            raise SweepError(f'study "{name}": foreign: it was not made by microgpt sweep.')
        for key in ours:
            # Files may have other names on another machine; their text is compared.
            if key != "source" and theirs.get(key) != ours[key]:
                raise SweepError(
                    f'study "{name}": {key} must be {theirs.get(key)}, as it was begun; '
                    f"got {ours[key]}. Try another --name."
                )

    def _distribution(self, knob: Knob) -> Any:
        kinds = self._optuna.distributions
        if knob.choices:
            return kinds.CategoricalDistribution(knob.choices)
        if knob.step is None:
            return kinds.FloatDistribution(knob.low, knob.high, log=knob.log)
        low, high = int(knob.low), int(knob.high)
        return kinds.IntDistribution(low, high, log=knob.log, step=knob.step)

    def close(self) -> None:
        """Let go of the database."""
        self._storage.remove_session()
        self._storage.engine.dispose()

    @told
    def ask(self) -> tuple[int, dict[str, Value]] | None:
        """Return the number of a new trial, and its values; None: there are no others to try.

        Nothing is tried twice, here or on another machine. Of a size in steps the same would come;
        of one in seconds the same but for how many steps the clock left it, and of two the luckier
        would win.
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
            # It says nothing new: what learns from trials must not take it for another one.
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        raise AssertionError  # never reached

    def _begin(self, point: dict[str, Value]) -> Any:
        """Begin a trial of these values; those that are not given are drawn."""
        drawing = self._study.sampler
        # Not put into a queue: of that two machines may take the same one.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", self._optuna.exceptions.ExperimentalWarning)
            self._study.sampler = self._optuna.samplers.PartialFixedSampler(point, drawing)
        try:
            return self._study.ask(self._distributions)
        finally:
            self._study.sampler = drawing

    def _tried(self, but: int = -1) -> set[Key]:
        """Return what was tried or is just being, by anyone, but in one trial."""
        running: set[Key] = set()
        for trial in self._study.get_trials(deepcopy=False):
            if trial.number in self._ended or trial.number == but:
                continue
            key = key_of(rounded(trial.params))
            if trial.state.is_finished():
                self._ended[trial.number] = key if "microgpt" in trial.user_attrs else None
            elif trial.state == self._optuna.trial.TrialState.RUNNING:
                running.add(key)
        return running | {key for key in self._ended.values() if key}

    @told
    def report(self, number: int, report: Report) -> bool:
        """Take a report in; return whether the trial is to be given up."""
        trial = self._running[number]
        trial.report(report.loss, report.percent)
        # The preset itself is what the others are compared with: it comes to its end.
        return trial.params != self._own and bool(trial.should_prune())

    @told
    def tell(self, number: int, outcome: Outcome, report: Report | None) -> Trial:
        """Take the end of a trial in: its last report and what became of it."""
        trial, states = self._running.pop(number), self._optuna.trial.TrialState
        if outcome in ("done", "pruned") and not (report and math.isfinite(report.loss)):
            outcome = "diverged"
        steps, seconds = (report.steps, round(report.seconds, 3)) if report else (0, 0.0)
        trial.set_user_attr("microgpt", {"outcome": outcome, "steps": steps, "seconds": seconds})
        if outcome == "done" and report:
            self._study.tell(trial, report.loss)
        else:
            # One that diverged is worse than all others, and worth knowing; a failed one tells
            # nothing of its values.
            failed = outcome == "failed"
            self._study.tell(trial, state=states.FAIL if failed else states.PRUNED)
        loss = report.loss if report else math.nan
        return Trial(number, rounded(trial.params), outcome, loss, steps, seconds)

    @told
    def abandon(self) -> None:
        """Tell of all that is running that nothing will come of it."""
        for trial in self._running.values():
            self._study.tell(trial, state=self._optuna.trial.TrialState.FAIL)
        self._running.clear()

    @told
    def sweep_up(self) -> None:
        """Mark as failed what a process was at that is no more. Only if there is no other."""
        running = self._optuna.trial.TrialState.RUNNING
        for trial in self._study.get_trials(deepcopy=False, states=(running,)):
            self._study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)

    @told
    def trials(self) -> list[Trial]:
        """Return all trials that have ended and say something, in order."""
        found: list[Trial] = []
        for trial in self._study.get_trials(deepcopy=False):
            about: Any = trial.user_attrs.get("microgpt")
            if trial.state.is_finished() and about:
                loss = math.nan if trial.value is None else float(trial.value)
                found.append(recorded(trial.number + 1, trial.params, loss, about))
        return found

    @told
    def effects(self) -> Effects:
        """Return how far each knob moves the loss."""
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
