"""`microgpt runs`: a table of runs, what several differ in, or the command that made one."""

from __future__ import annotations

import csv as csv_module
import json as json_module
import math
import sys
from collections.abc import Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.flags import flag
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import note, say, say_json
from microgpt.cli.terminal.tables import table
from microgpt.errors import UsageError
from microgpt.runs.command import command as command_of
from microgpt.runs.folder import find_run, is_run
from microgpt.runs.record import RESULTS, differences, reads, row
from microgpt.runs.run import Run
from microgpt.runs.table import Row, check_columns, gather, select
from microgpt.training.trainer import TAIL
from microgpt.wording import ALONE, MIXED, figures

# The columns of a list where none are asked for, and their headings.
_USUAL = {
    "run": "run", "data": "data", "preset": "preset", "parameters": "parameters", "steps": "steps",
    "loss": "loss", "heldout": "held out", "mixed": MIXED, "heldout_error": "error",
    "heldout_positions": "positions", "seconds": "seconds",
}  # fmt: skip
_BY_BYTES = "bits a byte"
_LEAST = ("preset", "data", "seconds", "positions", "parameters", "steps", "error")


def runs(
    *names: Annotated[
        flags.Name,
        flag(
            "Runs, or folders that hold runs. None: list those in runs/. Several runs, without "
            "other flags: show what they differ in."
        ),
    ],
    columns: Annotated[
        str | None,
        flag(
            "Columns to show, with commas between them: results such as steps, loss, heldout, and "
            "any setting of train; or all."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        Parameter(
            help="List only runs for which this holds, such as n_embd=32 or lr<0.01 (also != <= "
            ">= >). May be given more than once; then all must hold.",
            negative=(),
        ),
    ] = None,
    sort: Annotated[
        str | None,
        Parameter(
            help="Order by this column; -COLUMN: from the highest down. Default: the newest last.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    command: Annotated[
        bool,
        Parameter(help="Print the commands that train the runs again.", show_default=False),
    ] = False,
    csv: Annotated[bool, Parameter(help="Print CSV, a line a run.", show_default=False)] = False,
    json: flags.Json = False,
) -> None:
    """List runs with their settings and results, compare some, or say how one was made.

    Example: microgpt runs --columns lr,n_embd,seed,heldout --where n_embd=32 --sort heldout

    Example: microgpt runs runs/names-1 runs/names-2
    """
    if csv and json:
        raise UsageError("csv or json must be given, not both.")
    if command:
        if columns or where or sort or csv:
            raise UsageError("command must stand without columns, where, sort and csv.")
        return _commands([Run(find_run(name)) for name in names or (None,)], json=json)
    if names and not (columns or where or sort or csv):
        folders = [find_run(name) for name in names]
        if all(map(is_run, folders)):
            return _compare([Run(folder) for folder in folders], json=json)
    rows = select(gather(names, note), where or (), sort)
    shown = _columns(columns, rows)
    if json:
        for one in rows:
            say_json({name: one.get(name) for name in shown or RESULTS})
    elif csv:
        _csv(rows, shown or RESULTS)
    elif not rows:
        say("No run satisfies this." if where else "No runs in runs/ yet. Try: microgpt train")
    elif shown:
        _chosen(rows, shown)
    else:
        _usual(rows)
    return None


def _columns(words: str | None, rows: Sequence[Row]) -> list[str]:
    """Return the names of the columns to show, the run's first; none: the usual ones."""
    if words is None:
        return []
    named = [word.strip() for word in words.split(",") if word.strip()]
    if named == ["all"]:
        named = [*{name: None for one in rows for name in one}]
    check_columns(rows, named)
    return [*dict.fromkeys(("run", *named))]


def _usual(rows: Sequence[Row]) -> None:
    is_mixed = len({*map(reads, rows)}) > 1
    words, numbers = [*_USUAL.values()][:3], [*_USUAL.values()][3:]
    by_bytes = [_BY_BYTES] if is_mixed else []
    shown = table(*words, *by_bytes, *numbers, left=3, least=_LEAST)
    for r in rows:
        shown.add_row(
            r["run"], r["data"], r["preset"],
            *([_loss(r["bits_per_byte"])] if is_mixed else []),
            f"{r['parameters']:,}", f"{r['steps']:,}",
            _loss(r["loss"]), _loss(r["heldout"] if r["gpt"] is None else r["gpt"]),
            "" if r["gpt"] is None else _loss(r["heldout"]), _loss(r["heldout_error"]),
            _count(r["heldout_positions"]), f"{r['seconds']:.1f}",
        )  # fmt: skip
    stdout().print(shown)
    if is_mixed:
        say(
            f"{_BY_BYTES}: of UTF-8, held out; nats a token cannot be compared between these runs",
            "quiet",
        )
    units = {r["unit"] for r in rows}
    unit = units.pop() if len(units) == 1 else "token"
    say(f"loss: nats a {unit}, the mean of the last {TAIL} steps", "quiet")
    say("held out, error: the mean on so many held-out positions, and its standard error", "quiet")
    if any(r["gpt"] is not None for r in rows):
        say(f"held out: of the {ALONE}, where there is a {MIXED} beside it", "quiet")


def _chosen(rows: Sequence[Row], columns: Sequence[str]) -> None:
    words = [name for name in columns if any(isinstance(one.get(name), str) for one in rows)]
    ordered = [*words, *(name for name in columns if name not in words)]
    shown = table(*ordered, left=len(words))
    for one in rows:
        shown.add_row(*(_shown(name, one.get(name)) for name in ordered))
    stdout().print(shown)


def _shown(name: str, value: Any) -> str:
    """Write a cell: losses with four decimals, settings as they were given."""
    return f"{value:g}" if isinstance(value, float) and name not in RESULTS else _value(value)


def _csv(rows: Sequence[Row], columns: Sequence[str]) -> None:
    writer = csv_module.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(one.get(name)) for name in columns] for one in rows)


def _cell(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return json_module.dumps(value)
    return str(value).lower() if isinstance(value, bool) else value


def _commands(opened: Sequence[Run], *, json: bool) -> None:
    for run in opened:
        words = command_of(run.settings, run.tokenizer)
        if json:
            say_json({"run": str(run.folder), "command": words})
        else:
            say(words)


def _compare(opened: Sequence[Run], *, json: bool) -> None:
    """Show what runs differ in; of one alone all there is."""
    is_pair, first = len(opened) == 2, opened[0]
    found = differences(*opened) if opened[1:] else {k: (v,) for k, v in row(first).items()}
    names = [str(run.folder) for run in opened]
    if json:
        say_json({"runs": names, "differs": found} if opened[1:] else row(first))
        return
    rows = table("", *names, *(["by"] if is_pair else []), least=("by",))
    for name, values in found.items():
        rows.add_row(name, *map(_value, values), *([_change(*values)] if is_pair else []))
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
