"""Optuna's study of a sweep: what to try next, what to give up, and all that came of it.

In: settings, a database. Out: `Trial`s to be trained, and those that were. No other module knows
Optuna, and it is loaded when a study is opened.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from microgpt.errors import MissingExtra, SweepError
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.space import Knob, Value
from microgpt.sweep.storage import PAUSE, TRIES, connect, told
from microgpt.sweep.trainer import SHARES, Report

Outcome = Literal["done", "pruned", "diverged", "failed"]

# So many trials are drawn blindly.
_STARTUP = 16


@dataclass(frozen=True)
class Trial:
    """One training of a sweep.

    Attributes:
        number: counted from 1, over all machines.
        values: of the knobs, as trained with.
        outcome: what became of it.
        loss: held out, nats per position; of one given up, the last it reported; or nan.
        steps: made.
        seconds: of training.
    """

    number: int
    values: dict[str, Value]
    outcome: Outcome
    loss: float
    steps: int
    seconds: float


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
    def ask(self) -> tuple[int, dict[str, Value]]:
        """Return the number of a new trial, and its values."""
        trial = self._study.ask(self._distributions)
        self._running[trial.number + 1] = trial
        return trial.number + 1, _values(trial.params)

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
        steps, seconds = (report.steps, round(report.seconds, 3)) if report else (0, 0.0)
        trial.set_user_attr("microgpt", {"outcome": outcome, "steps": steps, "seconds": seconds})
        if outcome == "done" and report and math.isfinite(report.loss):
            self._study.tell(trial, report.loss)
        else:
            # One that diverged is worse than all others, and worth knowing; a failed one tells
            # nothing of its values.
            failed = outcome == "failed"
            self._study.tell(trial, state=states.FAIL if failed else states.PRUNED)
        loss = report.loss if report else math.nan
        return Trial(number, _values(trial.params), outcome, loss, steps, seconds)

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
            about: Mapping[str, Any] = trial.user_attrs.get("microgpt", {})
            if trial.state.is_finished() and about:
                loss = math.nan if trial.value is None else float(trial.value)
                found.append(Trial(trial.number + 1, _values(trial.params), loss=loss, **about))
        return found

    @told
    def importance(self) -> dict[str, float]:
        """Return how much each knob matters for being among the best, in shares of 1.

        Empty while there are too few trials to tell.

        Source: Watanabe, Bansal and Hutter, "PED-ANOVA: efficiently quantifying hyperparameter
        importance in arbitrary subspaces" (2023).
        """
        done = [trial for trial in self.trials() if trial.outcome == "done"]
        if len(done) < 2 * _STARTUP or len(self._distributions) < 2:
            return {}
        evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
        shares = self._optuna.importance.get_param_importances(self._study, evaluator=evaluator)
        return {str(name): float(share) for name, share in shares.items()}


def best(trials: list[Trial]) -> Trial | None:
    """Return the trial of the lowest loss among those that came to their end."""
    done = [trial for trial in trials if trial.outcome == "done"]
    return min(done, key=lambda trial: trial.loss, default=None)


def _values(drawn: Mapping[str, Any]) -> dict[str, Value]:
    """Round to four digits: what is trained with is what a person can read and type."""
    return {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in drawn.items()}
