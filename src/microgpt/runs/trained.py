"""A training from its beginning to its end, in one call, and the run that comes of it.

In: data, settings. Out: a `Run`. The command line says the same in words.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from microgpt.data.corpus import Source
from microgpt.runs import checkpoint, prepare
from microgpt.runs.run import Run
from microgpt.training import verdict


def train(
    data: str | Path | Sequence[str] | None = None,
    *,
    preset: str | None = None,
    out: str | Path | None = None,
    **settings: Any,
) -> Run:
    """Train on lines of text and return the run; nothing is printed.

    What is odd about a file, rows that cannot be read say, is a warning.

    Args:
        data: a file with a document a line, or documents; None: the embedded names.
        preset: where all numbers begin; None: as `microgpt train` does.
        out: the run's folder; None: the first free of runs/NAME-1, runs/NAME-2, ...
        settings: what is set differently, by the names of GPTConfig, TrainConfig and
            `prepare.new`: steps, seconds, lr, n_embd, engine, seed, ...

    Raises:
        UsageError, DataError, RunError: what is wrong, in one sentence.
        DivergedError: the loss is no longer finite.

    Warns:
        TrainingWarning: the loss ended above that of blind guessing, or the counts that the GPT is
            mixed with weigh more than it does.
    """
    source = Source() if data is None else data
    if isinstance(source, (str, Path)):
        source = Source(files=(str(source),))
    folder = None if out is None else Path(out)
    with prepare.new(source, preset_name=preset, out=folder, **settings) as session:
        for sentence in session.corpus.notes:
            warnings.warn(sentence, stacklevel=2)
        for _ in session:
            pass
        verdict.warn(session.trainer, session.settings.asked, stacklevel=3)
        run = Run(session.folder)
        checkpoint.write_samples(run.folder, run.sample(20))
    return run
