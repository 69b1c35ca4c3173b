"""`microgpt runs`: a table of runs, or the differences of two."""

from __future__ import annotations

import math
from typing import Annotated, Any

from microgpt.cli import flags
from microgpt.cli.flags import flag
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import note, say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.errors import MicroGPTError, UsageError
from microgpt.runs.folder import all_runs, find_run
from microgpt.runs.record import differences, record
from microgpt.runs.run import Run
from microgpt.training.trainer import TAIL
from microgpt.wording import ALONE, MIXED, figures


def runs(
    *names: Annotated[
        flags.Name, flag("No name: list the runs in runs/. Two names: show their differences.")
    ],
    json: flags.Json = False,
) -> None:
    """List the runs, or compare two.

    Example: microgpt runs runs/names-1 runs/names-2
    """
    if not names:
        _list(json=json)
    elif len(names) == 2:
        _compare(Run(find_run(names[0])), Run(find_run(names[1])), json=json)
    else:
        raise UsageError(f"runs must be given none or two names; got {len(names)}.")


def _list(*, json: bool) -> None:
    folders = all_runs()
    if not folders and not json:
        say("No runs in runs/ yet. Try: microgpt train")
        return
    rows = table(
        "run", "data", "preset", "parameters", "steps", "loss", "held out", MIXED, "error",
        "positions", "seconds", left=3,
        least=("preset", "data", "seconds", "positions", "parameters", "steps", "error"),
    )  # fmt: skip
    mixed = False
    for folder in folders:
        try:
            r = record(Run(folder))
        except MicroGPTError as error:
            note(str(error))
            continue
        if json:
            say_json(r)
            continue
        mixed = mixed or r["gpt"] is not None
        rows.add_row(
            r["run"], r["data"], r["preset"], f"{r['parameters']:,}", f"{r['steps']:,}",
            _loss(r["loss"]), _loss(r["heldout"] if r["gpt"] is None else r["gpt"]),
            "" if r["gpt"] is None else _loss(r["heldout"]), _loss(r["heldout_error"]),
            _count(r["heldout_positions"]), f"{r['seconds']:.1f}",
        )  # fmt: skip
    if not json:
        stdout().print(rows)
        say(f"loss: nats a character, the mean of the last {TAIL} steps", "quiet")
        say(
            "held out, error: the mean on so many held-out positions, and its standard error",
            "quiet",
        )
        if mixed:
            say(f"held out: of the {ALONE}, where there is a {MIXED} beside it", "quiet")


def _compare(a: Run, b: Run, *, json: bool) -> None:
    found = differences(a, b)
    if json:
        say_json({"runs": [str(a.folder), str(b.folder)], "differs": found})
        return
    rows = table("", str(a.folder), str(b.folder), "by", least=("by",))
    for name, values in found.items():
        rows.add_row(name, *map(_value, values), _change(*values))
    stdout().print(rows) if found else say("They differ in nothing.")


def _value(value: Any) -> str:
    return figures(value) if isinstance(value, float) else "-" if value is None else str(value)


def _change(a: Any, b: Any) -> str:
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        return ""
    if isinstance(a, bool) or isinstance(b, bool) or not math.isfinite(b - a):
        return ""
    return f"{b - a:+.4f}" if isinstance(b - a, float) else f"{b - a:+,}"


def _loss(value: float | None) -> str:
    return "-" if value is None else figures(value)


def _count(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"
