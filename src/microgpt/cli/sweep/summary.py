"""What `microgpt sweep` prints before the first trial and after the last one."""

from __future__ import annotations

from collections import Counter
from typing import Any

from microgpt.cli.sweep import knobs
from microgpt.cli.sweep.trials import best_table, counted, moved, record
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import note, remark, say, say_json
from microgpt.cli.train.bar import Bar
from microgpt.cli.train.summary import word
from microgpt.counting.ladder import uniform
from microgpt.counting.named import kind_of
from microgpt.engines import why_not_native
from microgpt.errors import MissingExtra, SweepError
from microgpt.runs.folder import RUNS
from microgpt.runs.run import Run
from microgpt.sweep import best
from microgpt.sweep.loop import Sweep
from microgpt.sweep.picture import KNOBS
from microgpt.sweep.trial import Trial
from microgpt.wording import count, figures

# A training that takes longer than these seconds has a progress bar.
_PATIENCE = 2.0


def opening(sweep: Sweep, limit: float, jobs: int) -> None:
    """Print the data, the size of the trainings and the knobs."""
    settings = sweep.settings
    say(f"{settings.source.name} · {count(len(sweep.data.documents), 'document')}")
    each = f"{settings.seconds:g} s" if settings.seconds else count(settings.steps or 0, "step")
    names = ", ".join(knob.name for knob in settings.space.knobs)
    say(f"Trainings of {each}, {jobs} at once, {limit:g} s in all · {settings.engine} engine")
    say(f"Turning {names}")
    if settings.engine == "scalar" and (reason := why_not_native()):
        say(f"The native engine, thousands of times faster, is not there: {reason}.")
    if sweep.trials:
        say(f"Going on after {count(len(sweep.trials), 'trial')}.")
    say()


def no_result(sweep: Sweep) -> SweepError:
    """Return the error of a sweep without a finished trial."""
    counts = Counter(trial.outcome for trial in sweep.trials)
    what = ", ".join(f"{number} {outcome}" for outcome, number in counts.items()) or "none ended"
    return SweepError(
        f"no trial came to its end ({what}); they are kept in {sweep.folder}. "
        "Try a longer --budget, shorter trainings, or lower learning rates."
    )


def train_best(sweep: Sweep, trial: Trial, seconds: float | None, *, json: bool) -> Run | None:
    """Train the best trial as a run; None: it was interrupted."""
    session = best.session(sweep, trial, seconds)
    if session is None:
        return Run(sweep.folder / best.BEST)
    on_terminal = stdout().is_terminal and not stdout().is_dumb_terminal and not json
    with session:
        bar = (
            Bar(session) if on_terminal and max(trial.seconds, seconds or 0.0) > _PATIENCE else None
        )
        if bar:
            bar.__enter__()
        try:
            for event in session:
                if bar:
                    bar.show(event)
                if sweep.stopped:
                    session.stop()
        finally:
            if bar:
                bar.__exit__(None, None, None)
    return None if sweep.stopped else best.place(sweep, session)


def closing(
    sweep: Sweep, trial: Trial, run: Run, final: float | None, seconds: float, *, json: bool
) -> bool:
    """Print the result: the best trials, the effects of knobs, the picture, the run.

    Returns:
        Whether it is a success: the best loss is below that of blind guessing.
    """
    effects = sweep.study.effects()
    loss = sweep.trainer.measure(run.engine, run.mixture, run.settings.model)
    picture = sweep.folder / KNOBS
    try:
        knobs.check_installed()
        knobs.save(picture, sweep, effects)
    except MissingExtra as error:
        note(f"no picture: {error}")
    _, training = best.configs(sweep, trial, final)
    command = sweep.settings.words(trial.values, training, RUNS / sweep.folder.name)
    if json:
        counts = Counter(each.outcome for each in sweep.trials)
        values: dict[str, Any] = {
            "sweep": str(sweep.folder),
            "trials": len(sweep.trials),
            **{name: counts[name] for name in ("done", "pruned", "diverged", "failed")},
            "best": record(trial),
            "exhausted": sweep.exhausted,
            "effects": {name: vars(effect) for name, effect in effects.of.items()},
            "run": str(run.folder),
            "loss": loss,
            "command": command,
        }
        say_json(values)
        return _is_success(loss, run)
    say()
    say(f"{counted(sweep.trials)}; {seconds:.0f} s")
    if sweep.exhausted:
        say("There are no other values to try: nothing is trained twice.")
    say()
    stdout().print(best_table(sweep, run.settings.model.vocab_size, effects))
    say()
    for line in moved(effects):
        say(line)
    if picture.exists():
        say(f"Loss against each knob: {word(picture)}")
    unit = run.tokenizer.unit
    kind = kind_of(run.settings.training.models, run.mixed_with)
    mixed = f", {kind}" if run.mixed_with else ""
    where = f"nats a {unit} held out{mixed}"
    trained, tried = figures(loss), figures(trial.loss)
    say(f"The best, trained again as a run: {trained} {where}; as a trial {tried}.")
    chosen_on = count(sweep.trainer.positions, "position")
    say(f"These {chosen_on} chose it: other text may cost more. The same by hand:")
    say(f"    {command}")
    at = word(run.folder)
    say(
        f"Saved in {word(sweep.folder)}.   Next: microgpt sample {at} · "
        f"microgpt sweep --resume {word(sweep.folder)}"
    )
    return _is_success(loss, run)


def _is_success(loss: float, run: Run) -> bool:
    """Return whether a loss is below that of blind guessing; print a remark if it is not."""
    blind = uniform(run.settings.model.vocab_size)
    if loss < blind:
        return True
    remark(
        f"microgpt: the best training costs {figures(loss)} nats, and blind guessing "
        f"{figures(blind, 2)}. Try lower learning rates, or longer trainings."
    )
    return False
