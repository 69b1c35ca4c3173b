"""The best trial as a run: trained once more, in the sweep's folder.

In: a sweep, a trial. Out: an ordinary run, `best/`. Trials keep no models: they are many, and on
several machines.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

from microgpt.config import GPTConfig, TrainConfig
from microgpt.errors import MicroGPTError
from microgpt.runs import checkpoint, prepare
from microgpt.runs.run import Run
from microgpt.runs.session import Session
from microgpt.sweep.loop import Sweep
from microgpt.sweep.trial import Trial

BEST = "best"


def session(sweep: Sweep, trial: Trial, seconds: float | None = None) -> Session | None:
    """Prepare the training of a trial's settings as a run; `place` puts it into its place.

    Args:
        sweep: in whose folder.
        trial: whose settings.
        seconds: train for so long; None: as many steps as the trial, which makes the same again.

    Returns:
        None if the run of just these settings is there already.
    """
    settings = sweep.settings
    model, training = configs(sweep, trial, seconds)
    if _is_there(sweep.folder / BEST, model, training):
        return None
    shutil.rmtree(_new(sweep), ignore_errors=True)
    told = {name: value for name, value in vars(model).items() if name != "vocab_size"}
    return prepare.new(
        settings.source,
        preset_name=settings.preset,
        tokenizer=settings.tokenizer,
        engine=settings.engine,
        out=_new(sweep),
        **told,
        **vars(training),
    )


def place(sweep: Sweep, trained: Session) -> Run:
    """Put the run just trained in the place of an earlier one."""
    folder = sweep.folder / BEST
    shutil.rmtree(folder, ignore_errors=True)
    _new(sweep).rename(folder)
    run = Run(folder)
    trained.folder = folder
    checkpoint.write_samples(folder, run.sample(20))
    return run


def configs(sweep: Sweep, trial: Trial, seconds: float | None) -> tuple[GPTConfig, TrainConfig]:
    """Return what the best trial is trained again with."""
    model, training = sweep.settings.configs(trial.values, sweep.trainer.tokens.vocab_size)
    steps = trial.steps if seconds is None else None
    return model, dataclasses.replace(training, seconds=seconds, steps=steps)


def _is_there(folder: Path, model: GPTConfig, training: TrainConfig) -> bool:
    try:
        told = Run(folder).settings
    except MicroGPTError:
        return False
    return (told.model, told.training) == (model, training)


def _new(sweep: Sweep) -> Path:
    return sweep.folder / f".{BEST}.new"
