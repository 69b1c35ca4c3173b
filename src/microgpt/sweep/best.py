"""The best trial as a run: trained again, in the sweep's folder.

In: a sweep, a trial. Out: an ordinary run, `best/`. It is trained again because trials save no
models: there are many, and on several machines.
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
    """Prepare a training with a trial's settings; `place` moves the finished run to `best/`.

    Args:
        sweep: the sweep, in whose folder it trains.
        trial: the trial.
        seconds: the budget; None: as many steps as the trial made, which yields the same model.

    Returns:
        The training; None if `best/` is a run with exactly these settings already.
    """
    settings = sweep.settings
    model, training = configs(sweep, trial, seconds)
    if _is_there(sweep.folder / BEST, model, training):
        return None
    shutil.rmtree(_new(sweep), ignore_errors=True)
    shape = {name: value for name, value in vars(model).items() if name != "vocab_size"}
    return prepare.new(
        settings.source,
        preset_name=settings.preset,
        tokenizer=settings.tokenizer,
        vocab_size=settings.vocab_size,
        mask=settings.mask,
        engine=settings.engine,
        out=_new(sweep),
        **shape,
        **vars(training),
    )


def place(sweep: Sweep, trained: Session) -> Run:
    """Move the run just trained to `best/`, replacing an earlier one."""
    folder = sweep.folder / BEST
    shutil.rmtree(folder, ignore_errors=True)
    _new(sweep).rename(folder)
    run = Run(folder)
    trained.folder = folder
    checkpoint.write_samples(folder, run.sample(20))
    return run


def configs(sweep: Sweep, trial: Trial, seconds: float | None) -> tuple[GPTConfig, TrainConfig]:
    """Return the configs that a trial is trained again with, for its steps or for some seconds."""
    model, training = sweep.settings.configs(trial.values, sweep.trainer.tokens.vocab_size)
    steps = trial.steps if seconds is None else None
    return model, dataclasses.replace(training, seconds=seconds, steps=steps)


def _is_there(folder: Path, model: GPTConfig, training: TrainConfig) -> bool:
    try:
        found = Run(folder).settings
    except MicroGPTError:
        return False
    return (found.model, found.training) == (model, training)


def _new(sweep: Sweep) -> Path:
    return sweep.folder / f".{BEST}.new"
