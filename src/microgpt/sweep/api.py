"""A study in one call: every combination of some values, with several seeds, as a data frame.

In: data, values by setting. Out: a row for each training. `microgpt sweep --grid` does the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from microgpt import frames
from microgpt.config import TokenizerName, check_count
from microgpt.data import corpus
from microgpt.data.column import choose
from microgpt.data.corpus import MEMORY, Source
from microgpt.data.tokenizer.masks import parse
from microgpt.engines import best
from microgpt.engines.machine import processors
from microgpt.errors import SweepError, UsageError
from microgpt.runs.bar import bar
from microgpt.sweep import folder, rows
from microgpt.sweep.knob import Value
from microgpt.sweep.settings import SweepSettings, grid_steps
from microgpt.wording import figures


def study(
    data: str | Path | Iterable[Any] | None,
    grid: Mapping[str, Value | Sequence[Value]],
    seeds: int = 5,
    *,
    preset: str = "micro",
    steps: int | None = None,
    seconds: float | None = None,
    holdout: float = 0.1,
    seed: int = 42,
    tokenizer: TokenizerName = "characters",
    vocab_size: int | None = None,
    mask: str | Sequence[str] | None = None,
    column: str | None = None,
    engine: str | None = None,
    jobs: int | None = None,
    out: str | Path | None = None,
    progress: bool = False,
) -> Any:
    """Train every combination of some values, each with several seeds.

    All are measured on the same held-out documents. An interrupted study goes on where it stopped
    when it is called again with the same `out`; finished trainings are not repeated.

    Args:
        data: a file, or documents as `microgpt.train` takes them; None: the embedded names.
        grid: settings of `microgpt.train` by name, each with its values.
        seeds: trainings of each combination, with the seeds from `seed` up.
        preset: the recipe of all that is not in the grid.
        steps: updates of each training; None, and no `seconds`: the preset's.
        seconds: seconds of each training instead.
        holdout: the share of documents held out, to compare on, in (0, 1).
        seed: the first one.
        tokenizer: "characters", "bytes", "bpe", or the path of a `tokenizer.json`.
        vocab_size: how many token ids "bpe" has; None: 1,000.
        mask: kinds of text that are read as one symbol each, as `microgpt.train` takes them.
        column: of a .csv or .tsv file, or of a data frame.
        engine: what computes; None: "native" if it is there.
        jobs: trainings at once; None: one a processor.
        out: the study's folder; None: the first free of sweeps/NAME-1, sweeps/NAME-2, ...
        progress: whether to show a progress bar, in a terminal or a notebook.

    Returns:
        A frame of pandas, polars or Arrow, a row a training: `trial`, each setting of the grid,
        `seed`, `loss` (held out, nats a position; missing where it did not come to its end),
        `outcome` ("done", "diverged" or "failed"), `steps`, `seconds`.

    Raises:
        UsageError, DataError, SweepError: what is wrong, in one sentence.
        MissingExtra: Optuna, or a library for data frames, is not installed.

    Warns:
        UserWarning: what `microgpt.train` would say of the data, such as rows that cannot be read.
    """
    frames.check_installed()
    check_count("seeds", seeds)
    if jobs is not None:
        check_count("jobs", jobs)
    if data is None or isinstance(data, (str, Path)):
        source = Source(files=() if data is None else (str(data),), column=column)
        read = corpus.read(source)
    else:
        source, read = MEMORY, corpus.from_documents(choose(data, column))
    read.warn(stacklevel=2)
    if steps is None and seconds is None:
        steps = grid_steps(preset)
    settings = SweepSettings(
        preset=preset,
        tokenizer=tokenizer,
        vocab_size=vocab_size,
        mask=tuple(map(str, parse(mask))),
        source=source,
        fingerprint=read.fingerprint,
        engine=engine or best(),
        seconds=seconds,
        steps=steps,
        holdout=holdout,
        seed=seed,
        knobs=tuple(_knob(name, values) for name, values in grid.items()),
        seeds=seeds,
    )
    total = sum(1 for _ in settings.grid)
    opening = folder.opened(settings, read, None if out is None else Path(out))
    with opening as made, bar() if progress else nullcontext() as show:
        for trial in made.run(math.inf, jobs or processors()):
            if show:
                done = len(made.trials)
                show(done / total, f"{done} of {total} trainings · loss {figures(trial.loss)}")
        rows.write(made)
        found = rows.rows(made)
    if not found:
        raise SweepError("no training came to its end. Try lower learning rates, or fewer jobs.")
    return frames.frame(frames.columns_of(found, [*found[0]]))


def _knob(name: str, values: Value | Sequence[Value]) -> str:
    """Write the values of a setting as the command line has them."""
    if isinstance(values, (str, bool, int, float)):
        values = [values]
    each = [str(v).lower() if isinstance(v, bool) else str(v) for v in values]
    if not each:
        raise UsageError(f"grid {name} must list its values; got none.")
    return f"{name}={','.join(each)}"
