"""The trials of a grid as rows, and the files that a study leaves: a table, and a command.

In: a sweep. Out: rows; `trials.csv` and `study.sh` in its folder.
"""

from __future__ import annotations

import csv
import io
import math
from typing import Any

from microgpt.runs.command import files_of
from microgpt.runs.files import write_atomically
from microgpt.sweep.loop import Sweep
from microgpt.wording import as_flags, path_word

TABLE, AGAIN = "trials.csv", "study.sh"


def rows(sweep: Sweep) -> list[dict[str, Any]]:
    """Return a row for each trial: the values of its knobs and its seed, its loss, how it ended."""
    return [
        {
            "trial": trial.number,
            **trial.values,
            "loss": trial.loss if math.isfinite(trial.loss) else None,
            "outcome": trial.outcome,
            "steps": trial.steps,
            "seconds": trial.seconds,
        }
        for trial in sweep.trials
    ]


def write(sweep: Sweep) -> None:
    """Write both files into a sweep's folder."""
    found = rows(sweep)
    if found:
        text = io.StringIO()
        writer = csv.DictWriter(text, [*found[0]], lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
        write_atomically(sweep.folder / TABLE, text.getvalue().encode())
    script = f"#!/bin/sh\n# Trains this study again.\n{command(sweep)}\n"
    write_atomically(sweep.folder / AGAIN, script.encode())


def command(sweep: Sweep) -> str:
    """Return the command that trains a study again."""
    settings = sweep.settings
    files = map(path_word, files_of(settings.source))
    grid = f"--grid {' '.join(settings.knobs)}" if settings.knobs else ""
    told = {
        "seeds": settings.seeds, "preset": settings.preset, "steps": settings.steps,
        "seconds": settings.seconds, "holdout": settings.holdout, "seed": settings.seed,
        "tokenizer": settings.tokenizer, "vocab_size": settings.vocab_size,
        "mask": settings.mask or None, "engine": settings.engine,
        **settings.source.asked,
    }  # fmt: skip
    return " ".join(filter(None, ["microgpt sweep", *files, grid, *as_flags(told)]))
