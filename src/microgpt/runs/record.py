"""A run as one row: its settings and results by name; and what several runs differ in.

In: a run. Out: its data, size, steps, seconds and losses, and all settings of its training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from microgpt.data.tokenizer.sizes import ByteCounter
from microgpt.loss import LN_2
from microgpt.runs.run import Run
from microgpt.runs.settings import flat
from microgpt.training.trainer import TAIL

RESULTS = (
    "run", "data", "preset", "parameters", "steps", "loss",
    "heldout", "gpt", "heldout_error", "heldout_positions", "seconds",
)  # fmt: skip
"""The names of a run's results, in their order."""

LOSSES = ("loss", "heldout", "gpt", "heldout_error")
"""Those of them that are in nats a position."""


def record(run: Run) -> dict[str, Any]:
    """Return a run's results: its row in the list of runs.

    `heldout` is the last held-out loss; where counts are mixed in it is the mixture's, and `gpt` is
    that of the GPT alone.
    """
    log = run.log
    heldout: dict[str, Any] = log.heldout[-1]["heldout"] if log.heldout else {}
    values = (
        str(run.folder),
        run.settings.source.name,
        run.settings.preset,
        run.parameters,
        log.steps,
        log.tail(TAIL).mean if log.lines else None,
        *map(heldout.get, ("loss", "gpt", "standard_error", "positions")),
        log.seconds,
    )
    return dict(zip(RESULTS, values))


def row(run: Run) -> dict[str, Any]:
    """Return a run's results and all its settings.

    A setting that has the name of a result has its group in front: `training.steps` is the budget,
    `steps` how many were made.
    """
    results = record(run)
    own = {"unit": run.tokenizer.unit, "bits_per_byte": bits_per_byte(run)}
    return {**results, **own, **flat(run.settings.to_json(), taken=results)}


def bits_per_byte(run: Run) -> float | None:
    """Return the last held-out loss in bits a byte of UTF-8; None: it is not known."""
    if not run.log.heldout:
        return None
    heldout = run.log.heldout[-1]["heldout"]
    is_one_each = ByteCounter(run.tokenizer).is_one_each
    n_bytes = heldout["positions"] if is_one_each else heldout.get("bytes")
    return heldout["loss"] * heldout["positions"] / LN_2 / n_bytes if n_bytes else None


def reads(row: Mapping[str, Any]) -> tuple[str, int | None]:
    """Return what a run's tokens are: losses a position of others cannot be compared with its."""
    return row["unit"], row["vocab_size"] if row["unit"] == "token" else None


def differences(*runs: Run) -> dict[str, tuple[Any, ...]]:
    """Return the settings and results in which runs differ, each with the value of every run.

    Where they read different tokens, bits a byte come first.
    """
    rows = [row(run) for run in runs]
    first = ["bits_per_byte"] if len({*map(reads, rows)}) > 1 else []
    names = dict.fromkeys([*first, *(name for each in rows for name in each if name != "run")])
    values = {name: tuple(each.get(name) for each in rows) for name in names}
    return {name: its for name, its in values.items() if any(one != its[0] for one in its)}
