"""`microgpt sweep`: many short trainings at once, to find the settings with the lowest loss."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.flags import TRAINING, flag, whole
from microgpt.cli.sweep.grid import run_grid
from microgpt.cli.sweep.limits import AS_A_RUN, CLOSING, check_fits, duration
from microgpt.cli.sweep.summary import closing, no_result, opening, train_best
from microgpt.cli.sweep.trials import TrialBar, TrialJsonLines, TrialLines, TrialReporter
from microgpt.cli.terminal.interruption import interruption
from microgpt.cli.terminal.notes import noted
from microgpt.cli.terminal.say import remark
from microgpt.cli.terminal.streams import is_interactive, outliving
from microgpt.cli.train.summary import word
from microgpt.config import check_count
from microgpt.data import corpus
from microgpt.data.corpus import Source
from microgpt.data.tokenizer.masks import parse
from microgpt.engines import best as best_engine
from microgpt.engines.machine import processors
from microgpt.errors import UsageError
from microgpt.sweep import folder
from microgpt.sweep.knob import KNOBS
from microgpt.sweep.loop import Sweep
from microgpt.sweep.settings import SweepSettings, grid_steps
from microgpt.sweep.storage import check_installed
from microgpt.sweep.trial import best
from microgpt.wording import count, figures

_BUDGET = "60s"
_SECONDS = 0.5
# The defaults of a new sweep.
_PRESET = "micro"
_HOLDOUT = 0.1
_SEED = 42
_SEEDS = 5

_KNOB = (
    "Setting to vary: NAME=LOW..HIGH or NAME=A,B,C; one value fixes it. Any setting of train but "
    "steps, seconds, seed and holdout. May be given more than once. Default:"
    "\n" + "\n".join(f"{name}={values}" for name, values in KNOBS.items())
)


def sweep(
    *files: flags.File,
    grid: Annotated[
        list[str] | None,
        Parameter(
            help="Train all combinations of these values instead of searching: NAME=A,B,C, several "
            "after each other.",
            consume_multiple=True,
            negative=(),
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        whole(f"Trainings of each combination, each with another seed. Default: {_SEEDS}."),
    ] = None,
    budget: Annotated[
        str | None,
        flag(
            f"Time for the whole sweep: 60s, 2m, 1h. Default: {_BUDGET}; of a grid as long as it "
            "takes."
        ),
    ] = None,
    seconds: Annotated[
        float | None, flag(f"Seconds of each training. Default: {_SECONDS}.", TRAINING)
    ] = None,
    steps: Annotated[
        int | None, whole("Steps of each training, in place of seconds.", TRAINING)
    ] = None,
    knob: Annotated[list[str] | None, Parameter(help=_KNOB, negative=())] = None,
    trials: Annotated[int | None, whole("Most trainings in all.")] = None,
    jobs: Annotated[int | None, whole("Trainings at once. Default: one a core.")] = None,
    final: Annotated[
        str | None,
        flag("Time to train the best settings again at the end. Default: as long as the trial."),
    ] = None,
    out: Annotated[
        Path | None, flag("Folder of the sweep. Default: sweeps/NAME-1, -2, ...")
    ] = None,
    resume: Annotated[
        Path | None, flag("Resume an interrupted sweep, with its own settings.")
    ] = None,
    storage: Annotated[
        str | None,
        flag(
            "Address of a database, for several machines to sweep together: "
            "postgresql+psycopg://USER@HOST/NAME. Default: a file in the folder."
        ),
    ] = None,
    name: Annotated[
        str | None, flag("Name of the sweep in the database, by which other machines join it.")
    ] = None,
    preset: Annotated[
        str | None, flag(f"Recipe: the settings not varied. Default: {_PRESET}.", TRAINING)
    ] = None,
    seed: Annotated[
        int | None, whole("Random seed of the values tried, and of all trainings.", TRAINING)
    ] = None,
    holdout: Annotated[
        float | None,
        flag(f"Share of documents held out, for comparing. Default: {_HOLDOUT}.", TRAINING),
    ] = None,
    tokenizer: flags.Tokenizer = None,
    vocab_size: flags.VocabSize = None,
    mask: flags.Mask = None,
    reading: flags.Reading = flags.READING,
    engine: flags.Engine = None,
    json: flags.Json = False,
) -> int:
    """Find the settings with the lowest loss, by many short trainings at once; resumable.

    All trainings are compared on the same held-out documents. Those that fall behind are pruned; no
    values are tried twice. The best settings are trained again as a run.

    With --grid every combination of values is trained to its end, with several seeds: a table has
    means, standard deviations, and differences with intervals.

    Example: microgpt sweep names.txt --budget 60s --knob lr=1e-3..1e-1 --knob n_embd=16,32

    Example: microgpt sweep names.txt --grid lr=0.003,0.01,0.03 n_embd=16,32,64 --seeds 5
    """
    began = time.perf_counter()
    check_installed()
    is_grid = grid is not None or seeds is not None
    limit = None if budget is None else duration("budget", budget)
    last = None if final is None else duration("final", final)
    for what, number in (("jobs", jobs), ("trials", trials), ("seeds", seeds)):
        if number is not None:
            check_count(what, number)
    source = reading.source(*files)
    if resume is None:
        if "-" in files:
            raise UsageError("a sweep must have a file, to read it again; got standard input.")
        if storage and not name:
            raise UsageError("--storage must come with --name: machines join a sweep by its name.")
        if is_grid and (knob or final):
            what = "knob" if knob else "final"
            raise UsageError(f"{what} must stand without --grid: a grid says its values itself.")
        data = noted(corpus.read(source))
        if not is_grid and seconds is None and steps is None:
            seconds = _SECONDS
        if is_grid and seconds is None and steps is None:
            steps = grid_steps(preset or _PRESET)
        settings = SweepSettings(
            preset=preset or _PRESET,
            tokenizer=tokenizer or "characters",
            vocab_size=vocab_size,
            mask=tuple(map(str, parse(mask))),
            source=source,
            fingerprint=data.fingerprint,
            engine=engine or best_engine(),
            seconds=seconds,
            steps=steps,
            holdout=_HOLDOUT if holdout is None else holdout,
            seed=_SEED if seed is None else seed,
            knobs=tuple(grid or knob or ()),
            seeds=(seeds or _SEEDS) if is_grid else None,
        )
        if not is_grid:
            check_fits(settings, limit or duration("budget", _BUDGET), last)
        opened = folder.new(settings, data, out=out, storage=storage, name=name)
    else:
        others = {
            "seconds": seconds, "steps": steps, "knob": knob, "out": out, "name": name,
            "preset": preset, "seed": seed, "holdout": holdout, "tokenizer": tokenizer,
            "vocab_size": vocab_size, "mask": mask, "engine": engine, "grid": grid, "seeds": seeds,
            "data": None if source == Source() else source,
        }  # fmt: skip
        if given := [what for what, value in others.items() if value is not None]:
            raise UsageError(
                f"--resume must stand without {given[0]}: the sweep knows. "
                "Only budget, trials, jobs, final and storage may change."
            )
        opened = folder.resume(resume, storage=storage)
    goes_on = "the sweep goes on to its end. Ctrl-C stops it; what has ended is kept."
    with opened as made, outliving(goes_on):
        at_once = jobs or processors()
        if made.settings.seeds is not None:
            until = math.inf if limit is None else began + limit
            return run_grid(made, began, until, at_once, trials, json=json)
        limit = limit or duration("budget", _BUDGET)
        check_fits(made.settings, limit, last)
        return _run(made, began, limit, last, trials, at_once, json=json)


def _run(
    made: Sweep,
    began: float,
    limit: float,
    last: float | None,
    most: int | None,
    jobs: int,
    *,
    json: bool,
) -> int:
    until = began + limit - CLOSING - (last or AS_A_RUN * (made.settings.seconds or 0.0))
    if not json:
        opening(made, limit, jobs)
    reporter = _reporter(made, began, until, json=json)
    is_success = True
    with interruption(made.stop, "now; what has ended is kept") as asked:
        with reporter:
            for trial in made.run(until, jobs, most):
                reporter.show(trial)
        chosen = best(made.trials)
        if not asked:
            if chosen is None:
                raise no_result(made)
            trained = train_best(made, chosen, last, json=json)
            if trained is not None:
                seconds = time.perf_counter() - began
                is_success = closing(made, chosen, trained, last, seconds, json=json)
    if not asked:
        return 0 if is_success else 1
    so_far = f" The best so far: loss {figures(chosen.loss)}." if chosen else ""
    remark(
        f"Stopped; {count(len(made.trials), 'trial')} kept.{so_far} "
        f"Go on with: microgpt sweep --resume {word(made.folder)}"
    )
    return 130


def _reporter(made: Sweep, began: float, until: float, *, json: bool) -> TrialReporter:
    if json:
        return TrialJsonLines(made)
    return TrialBar(made, began, until) if is_interactive() else TrialLines(made)
