"""Runs and their logs as data frames.

In: folders with runs. Out: a frame of pandas, polars or Arrow.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from microgpt import frames
from microgpt.runs.folder import RUNS
from microgpt.runs.log import Log
from microgpt.runs.table import Row, gather

_OF_A_LOG = (
    "run",
    "step",
    "loss",
    "positions",
    "lr",
    "seconds",
    "heldout",
    "gpt",
    "standard_error",
)


def runs(folder: str | Path | Sequence[str | Path] = RUNS) -> Any:
    """Return the runs in a folder as a data frame, a row a run, the newest last.

    A run that cannot be read is left out, with a warning.

    Args:
        folder: that runs are in, at any depth, or a run; or several of these.

    Returns:
        A frame of pandas, polars or Arrow, the first that is installed. Its columns are results
        (run, data, preset, parameters, steps, loss, heldout, ...) and all settings, by the names
        that `microgpt runs --columns` takes. Losses are in nats a position.

    Raises:
        RunError: there is no such folder, or no run in it.
        MissingExtra: no library for data frames is installed.
    """
    rows = gather(_several(folder), _warn)
    return frames.frame(frames.columns_of(rows, [*{name: None for row in rows for name in row}]))


def logs(folder: str | Path | Sequence[str | Path] = RUNS) -> Any:
    """Return the logs of all runs in a folder in one data frame, a row a line.

    Args:
        folder: that runs are in, at any depth, or a run; or several of these.

    Returns:
        A frame of pandas, polars or Arrow. A line of training has run, step, loss (nats a
        position), positions, lr and seconds; one of an evaluation has run, step, heldout, gpt,
        standard_error and positions. What a line lacks is missing.

    Raises:
        RunError: there is no such folder, no run in it, or a log is damaged.
        MissingExtra: no library for data frames is installed.
    """
    rows: list[Row] = []
    for one in gather(
        _several(folder), _warn, lambda run: {"run": str(run.folder), "log": run.log}
    ):
        log: Log = one["log"]
        rows += [{"run": one["run"], **line} for line in log.lines]
        for line in log.heldout:
            measured = dict(line["heldout"])
            heldout = {"run": one["run"], "step": line["step"], "heldout": measured.pop("loss")}
            rows.append(heldout | measured)
    return frames.frame(frames.columns_of(rows, _OF_A_LOG))


def _several(folder: str | Path | Sequence[str | Path]) -> Sequence[str | Path]:
    return [folder] if isinstance(folder, (str, Path)) else folder


def _warn(sentence: str) -> None:
    warnings.warn(sentence, stacklevel=4)
