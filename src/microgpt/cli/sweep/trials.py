"""The trials of a sweep as output: a redrawn line on a terminal, lines on a pipe, a final table.

In: the trials of a `Sweep` as they end. Out: text, or JSON.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.model import size
from microgpt.sweep.effects import Effects
from microgpt.sweep.knob import Value
from microgpt.sweep.loop import Sweep
from microgpt.sweep.trial import Trial, best
from microgpt.wording import count, figures

ROWS = 10
"""The most trials in a table."""


class TrialReporter(Protocol):
    """Shows trials; it is a context manager."""

    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, trial: Trial) -> None:
        """Show a trial that has ended."""
        ...


class TrialLines:
    """For a pipe: a line for each trial that is better than all before."""

    def __init__(self, sweep: Sweep) -> None:
        known = best(sweep.trials)
        self._best = known.loss if known else math.inf

    def __enter__(self) -> TrialLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, trial: Trial) -> None:
        """Show a trial that has ended, if it is the best so far."""
        if trial.outcome == "done" and trial.loss < self._best:
            self._best = trial.loss
            say(f"trial {trial.number}: loss {figures(trial.loss)}  {words(trial.values)}")


class TrialJsonLines:
    """For programs: every trial as a JSON object."""

    def __init__(self, _: Sweep) -> None: ...

    def __enter__(self) -> TrialJsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, trial: Trial) -> None:
        """Show a trial that has ended."""
        say_json(record(trial))


class TrialBar:
    """For a terminal: a progress bar with the number of trials and the best one.

    Args:
        sweep: the sweep.
        began, until: its beginning and its deadline, by `time.perf_counter`.
    """

    def __init__(self, sweep: Sweep, began: float, until: float) -> None:
        self._began, self._until = began, until
        self._counts = Counter(trial.outcome for trial in sweep.trials)
        self._best = best(sweep.trials)
        # Redrawn at intervals too, for the time left.
        self._live = Live(get_renderable=self._render, console=stdout(), refresh_per_second=8)

    def __enter__(self) -> TrialBar:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(*error)  # type: ignore[arg-type]

    def show(self, trial: Trial) -> None:
        """Show a trial that has ended."""
        self._counts[trial.outcome] += 1
        if trial.outcome == "done" and (self._best is None or trial.loss < self._best.loss):
            self._best = trial

    def _render(self) -> Table:
        now = time.perf_counter()
        left = max(0.0, self._until - now)
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        bar = ProgressBar(self._until - self._began, min(now, self._until) - self._began)
        counted = count(sum(self._counts.values()), "trial")
        lowest = f"best {figures(self._best.loss)} · " if self._best else ""
        grid.add_row(counted, bar, f"{lowest}{left:.0f} s left")
        values = words(self._best.values) if self._best else ""
        whole = Table.grid(expand=True)
        whole.add_column(no_wrap=True, overflow="crop")
        whole.add_row(grid)
        whole.add_row(Text(f"  {values}", "quiet", no_wrap=True, overflow="crop"))
        return whole


def words(values: Mapping[str, Value]) -> str:
    """Write the values of knobs on one line.

    >>> words({"lr": 0.01, "n_embd": 16})
    'lr 0.01 · n_embd 16'
    """
    return " · ".join(f"{name} {value}" for name, value in values.items())


def record(trial: Trial) -> dict[str, Any]:
    """Return a trial as a JSON object."""
    loss = trial.loss if math.isfinite(trial.loss) else None
    return {
        "trial": trial.number,
        "outcome": trial.outcome,
        "loss": loss,
        "knobs": trial.values,
        "steps": trial.steps,
        "seconds": trial.seconds,
    }


def counted(trials: Sequence[Trial]) -> str:
    """Write how many trials there are, and how many had each outcome."""
    counts = Counter(trial.outcome for trial in trials)
    names = {
        "done": "whole",
        "pruned": "given up early",
        "diverged": "diverged",
        "failed": "failed",
    }
    parts = [f"{counts[name]:,} {word}" for name, word in names.items() if counts[name]]
    return f"{count(len(trials), 'training')}: {', '.join(parts)}"


def moved(effects: Effects) -> list[str]:
    """Write the effect of each knob on the loss, or why there are too few trials for it.

    >>> print(*moved(Effects({}, 0.0, 12, 32)))
    How far each knob moves the loss is told from 32 trials or more; there are 12.
    """
    if not effects.of:
        return [
            f"How far each knob moves the loss is told from {effects.needed} trials or more; "
            f"there are {effects.trials}."
        ]
    shown = [f"{name} {e.nats:.3f} ± {e.error:.3f}" for name, e in effects.seen.items()]
    unseen = [name for name in effects.of if name not in effects.seen]
    lines: list[str] = []
    if shown:
        what = "Nats by which each knob moves the loss from its best to its worst, the others held"
        lines.append(f"{what}: {' · '.join(shown)}")
    if unseen:
        lines.append(f"Not to be told from chance: {', '.join(unseen)}")
    lines.append(
        f"What is left spreads by {effects.left:.3f}: chance, and what knobs do only together."
    )
    return lines


def best_table(sweep: Sweep, vocab_size: int, effects: Effects) -> Table:
    """Return a table of the best trials, with the preset's own below if it is not among them.

    The knobs with the largest effects come first; columns that do not fit a terminal are left out.
    """
    ended = (t for t in sweep.trials if t.outcome == "done")
    done = sorted(ended, key=lambda t: (t.loss, t.number))
    own = sweep.settings.of_the_preset()
    shown = done[:ROWS] + [t for t in done[ROWS:] if t.values == own][:1]
    knobs = effects.ordered(sweep.settings.space.knobs)
    columns = ["trial", "loss", *(knob.name for knob in knobs), "steps", "parameters"]
    rows: list[dict[str, str]] = []
    for trial in shown:
        model, _ = sweep.settings.configs(trial.values, vocab_size)
        values = {name: str(value) for name, value in trial.values.items()}
        name = "preset" if trial.values == own else str(trial.number)
        rows.append({
            "trial": name, "loss": figures(trial.loss), **values,
            "steps": f"{trial.steps:,}", "parameters": f"{size(model):,}",
        })  # fmt: skip
    made = table(*columns, left=0)
    for row in rows:
        made.add_row(*(row[name] for name in columns))
    return made
