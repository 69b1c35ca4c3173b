"""`microgpt sweep --grid`: all combinations of some values, each with several seeds.

In: a `Sweep` whose settings have seeds. Out: trials as they end; a table of means, standard
deviations and differences; a picture.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from microgpt.cli.plot.picture import bands_picture
from microgpt.cli.sweep import knobs
from microgpt.cli.sweep.trials import TrialJsonLines, TrialReporter, counted, words
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.interruption import interruption
from microgpt.cli.terminal.pictures import write_picture
from microgpt.cli.terminal.say import note, remark, say, say_json
from microgpt.cli.terminal.streams import is_interactive
from microgpt.cli.terminal.tables import table
from microgpt.cli.train.summary import word
from microgpt.errors import MissingExtra, SweepError
from microgpt.runs.bands import bands
from microgpt.runs.table import is_number
from microgpt.sweep import rows
from microgpt.sweep.cells import GridCell, Paired, cells
from microgpt.sweep.loop import Sweep
from microgpt.sweep.picture import GRID
from microgpt.sweep.trial import Trial
from microgpt.wording import count, figures


def run_grid(
    made: Sweep, began: float, until: float, jobs: int, most: int | None, *, json: bool
) -> int:
    """Train what is left of a grid; say what came of it. Return the exit code."""
    total = sum(1 for _ in made.settings.grid)
    if not json:
        _opening(made, total, jobs)
    reporter = _reporter(made, total, json=json)
    with interruption(made.stop, "now; what has ended is kept") as asked, reporter:
        for trial in made.run(until, jobs, most):
            reporter.show(trial)
    found = cells(made.trials)
    if not any(cell.n for cell in found):
        if asked:
            remark(f"Stopped; no trial has ended. Go on with: {_resume(made)}")
            return 130
        raise SweepError(
            f"no trial came to its end ({counted(made.trials)}); they are kept in {made.folder}. "
            "Try a longer --budget, shorter trainings, or lower learning rates."
        )
    rows.write(made)
    picture = _draw(made)
    if json:
        say_json({
            "sweep": str(made.folder),
            "trials": len(made.trials),
            "of": total,
            "cells": [_record(cell) for cell in found],
            "command": rows.command(made),
        })  # fmt: skip
    else:
        _closing(made, found, total, time.perf_counter() - began, picture=picture)
    if asked:
        remark(f"Stopped; {count(len(made.trials), 'trial')} kept. Go on with: {_resume(made)}")
        return 130
    return 0


def _opening(made: Sweep, total: int, jobs: int) -> None:
    settings = made.settings
    say(f"{settings.source.name} · {count(len(made.data.documents), 'document')}")
    each = f"{settings.seconds:g} s" if settings.seconds else count(settings.steps or 0, "step")
    say(f"{count(total, 'training')} of {each}, {jobs} at once · {settings.engine} engine")
    named = " · ".join(f"{k.name} {', '.join(map(str, k.every))}" for k in settings.space.knobs)
    say(" · ".join(filter(None, [named, count(settings.seeds or 0, "seed")])))
    if made.trials:
        say(f"Going on after {count(len(made.trials), 'trial')}.")
    say()


def _closing(
    made: Sweep, found: Sequence[GridCell], total: int, seconds: float, *, picture: bool
) -> None:
    say()
    missing = total - len(made.trials)
    left = f"; {count(missing, 'training')} left" if missing > 0 else ""
    say(f"{counted(made.trials)}{left}; {seconds:.0f} s")
    say()
    names = [*(knob.name for knob in made.settings.space.knobs)]
    shown = table(
        *names, "mean", "sd", "n", "to the best", "interval", left=0,
        least=("interval", "n", "to the best"),
    )  # fmt: skip
    for cell in found:
        shown.add_row(
            *(_value(cell.values[name]) for name in names),
            _figure(cell.mean), _figure(cell.deviation), str(cell.n), *_compared(cell),
        )  # fmt: skip
    stdout().print(shown)
    unit = made.trainer.tokens.unit
    say(
        f"mean, sd: held-out loss (nats a {unit}) on the same {made.trainer.positions:,} "
        "positions, over n seeds",
        "quiet",
    )
    say(
        "to the best: mean of the differences seed by seed to the combination of the lowest mean; "
        "interval: where it lies, 95 times of 100, for each comparison by itself",
        "quiet",
    )
    say()
    say(f"The same again: {rows.command(made)}")
    files = f", {GRID}" if picture else ""
    say(f"Saved in {word(made.folder)} ({rows.TABLE}, {rows.AGAIN}{files}).")


def _compared(cell: GridCell) -> tuple[str, str]:
    """Return the difference to the best cell and its interval; of the best one nothing."""
    paired = cell.to_best
    if paired is None:
        return ("best" if cell.losses and not cell.unfinished else "", "")
    if not paired.n:
        return "-", ""
    if math.isnan(paired.low):
        return f"{paired.mean:+.4f}", ""
    return f"{paired.mean:+.4f}", f"{paired.low:+.4f} to {paired.high:+.4f}"


def _record(cell: GridCell) -> dict[str, Any]:
    paired: Paired | None = cell.to_best
    return {
        "values": cell.values,
        "mean": cell.mean,
        "sd": cell.deviation,
        "n": cell.n,
        "unfinished": cell.unfinished,
        "losses": {str(seed): loss for seed, loss in cell.losses.items()},
        "to_best": vars(paired) if paired else None,
    }


def _draw(made: Sweep) -> bool:
    """Draw the losses against the first knob of numbers, a line for each of the others' values."""
    found = [row for row in rows.rows(made) if row["outcome"] == "done"]
    names = [knob.name for knob in made.settings.space.knobs]
    axis = next((n for n in names if is_number(found[0][n])), None) if found else None
    if axis is None:
        return False
    try:
        knobs.check_installed()
    except MissingExtra as error:
        note(f"no picture: {error}")
        return False
    others = [name for name in names if name != axis]
    label = f"held-out loss (nats a {made.trainer.tokens.unit})"
    figure = bands_picture(bands(found, axis, "loss", others), axis, label, "seed")
    write_picture(made.folder / GRID, figure)
    return True


def _reporter(made: Sweep, total: int, *, json: bool) -> TrialReporter:
    if json:
        return TrialJsonLines(made)
    return _GridBar(made, total) if is_interactive() else _GridLines(made, total)


class _GridLines:
    """A line for each trial that ends: what a pipe gets."""

    def __init__(self, made: Sweep, total: int) -> None:
        self._ended: int = len(made.trials)
        self._total = total

    def __enter__(self) -> object:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, trial: Trial) -> None:
        """Take one trial in."""
        self._ended += 1
        ended = f"loss {figures(trial.loss)}" if trial.outcome == "done" else trial.outcome
        say(f"{self._ended} of {self._total}: {ended}  {words(trial.values)}")


class _GridBar(_GridLines):
    """How many trials have ended, and the last one: what a terminal gets."""

    def __init__(self, made: Sweep, total: int) -> None:
        super().__init__(made, total)
        self._last = ""
        self._live = Live(get_renderable=self._render, console=stdout(), refresh_per_second=8)

    def __enter__(self) -> object:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(*error)  # type: ignore[arg-type]

    def show(self, trial: Trial) -> None:
        """Take one trial in."""
        self._ended += 1
        ended = figures(trial.loss) if trial.outcome == "done" else trial.outcome
        self._last = f"{ended}  {words(trial.values)}"

    def _render(self) -> Table:
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_row(f"{self._ended} of {self._total}", ProgressBar(self._total, self._ended))
        grid.add_row("", self._last)
        return grid


def _resume(made: Sweep) -> str:
    return f"microgpt sweep --resume {word(made.folder)}"


def _figure(value: float) -> str:
    return "-" if math.isnan(value) else figures(value)


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
