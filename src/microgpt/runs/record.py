"""A run as one JSON object, and the differences of two runs.

In: a run. Out: its data, size, steps, seconds and losses.
"""

from __future__ import annotations

from typing import Any, cast

from microgpt.model import size
from microgpt.runs.run import Run
from microgpt.training.trainer import TAIL

# Fields in which two runs of one recipe may differ, or that all runs share.
_ASIDE = ("versions", "format", "asked")


def record(run: Run) -> dict[str, Any]:
    """Return a run's row in a table of runs; `gpt` is a mixture's GPT's own held-out loss."""
    log = run.log
    heldout: dict[str, Any] = log.heldout[-1]["heldout"] if log.heldout else {}
    return {
        "run": str(run.folder),
        "data": run.settings.source.name,
        "preset": run.settings.preset,
        "parameters": size(run.settings.model),
        "steps": log.steps,
        "loss": log.tail(TAIL).mean if log.lines else None,
        "heldout": heldout.get("loss"),
        "gpt": heldout.get("gpt"),
        "heldout_error": heldout.get("standard_error"),
        "heldout_positions": heldout.get("positions"),
        "seconds": log.seconds,
    }


def differences(a: Run, b: Run) -> dict[str, tuple[Any, Any]]:
    """Return the settings and results in which two runs differ, each with both values."""
    left, right = ({**_flat(run.settings.to_json()), **record(run)} for run in (a, b))
    pairs = {name: (left.get(name), right.get(name)) for name in left | right if name != "run"}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _flat(data: dict[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in data.items():
        if name in _ASIDE:
            continue
        flat.update(cast("dict[str, Any]", value) if isinstance(value, dict) else {name: value})
    return flat
