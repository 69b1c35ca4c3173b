"""`microgpt suspicious`: the rows of a file that look wrong, without a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from microgpt.cli import flags
from microgpt.cli.flags import flag, whole
from microgpt.cli.terminal.console import stderr
from microgpt.cli.terminal.notes import say_broken
from microgpt.cli.terminal.say import note, remark, say, say_lines
from microgpt.config import check_count
from microgpt.data.reader.block import Block
from microgpt.data.reader.formats import name_of
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.data.texts import Texts
from microgpt.errors import DataError, UsageError
from microgpt.folds.crossed import FOLDS, Crossed
from microgpt.folds.ranked import FIELDS, ranked
from microgpt.runs.rowfile import RowFile
from microgpt.scoring.rows.fields import Scored
from microgpt.scoring.rows.forms import head, rows
from microgpt.wording import END, count, figures, printable

_TOP, _SHOWN = 50, 10


def suspicious(
    file: flags.File,
    *,
    top: Annotated[int, whole("How many texts, those that surprise most, worst first.")] = _TOP,
    out: Annotated[
        Path | None,
        Parameter(
            name=["--out", "-o"],
            help="File to write their rows to: .csv, .jsonl, .parquet or .xlsx. Default: none.",
        ),
    ] = None,
    bom: Annotated[
        bool,
        Parameter(help="Begin the .csv of --out as Excel expects UTF-8.", show_default=False),
    ] = False,
    seconds: Annotated[
        float | None,
        flag("Seconds of training, all models together. Default: as long as pays."),
    ] = None,
    folds: Annotated[
        int, whole("How many models are trained, each on all rows but those that it scores.")
    ] = FOLDS,
    json: flags.Json = False,
    reading: flags.RowFlags = flags.ROWS,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Show the rows of a file that look wrong, and what was probably meant; no run is needed.

    Each row is scored by a model that did not learn from it, nor from a copy of it. Rows are
    ordered by how much their most surprising part costs above the usual; repeated ones are one.

    Example: microgpt suspicious products.csv --column name --top 50 -o odd.csv
    """
    check_count("top", top)
    if bom and not out:
        raise UsageError("bom must go with --out FILE.csv.")
    output = RowFile(out, [file], bom=bom) if out else None
    read = _read(file, reading)
    settings = {"engine": machine.engine or "auto", "threads": machine.threads}
    crossed = Crossed(Texts.of(read.texts), folds, seconds, **settings, device=machine.device)
    _train(crossed, is_chosen=seconds is None)
    found = ranked(crossed, read, top)
    if output:
        with output.opened() as write:
            write([head(output.form, found.block, FIELDS).encode()])
            write(rows(output.form, found, FIELDS, "utf-8", apart=True))
    if json:
        encoding = sys.stdout.encoding or "utf-8"
        return say_lines([row.decode(encoding).rstrip("\n") for row in _objects(found, encoding)])
    _show(found, _SHOWN if output else top)
    number, shown = len(found.block.texts), min(_SHOWN, len(found.block.texts))
    different = count(len(crossed.texts_U), "different text")
    say()
    if output:
        say(f"{shown} of {number} rows; all {number} are in {output.path}. Looked at: {different}.")
    else:
        say(f"{count(number, 'row')} of {different}. -o FILE.csv writes them with their columns.")
    return None


def _read(file: str, reading: flags.RowFlags) -> Block:
    """Read all rows of a file, and say what is skipped.

    Raises:
        DataError: it cannot be read, or there is nothing in it.
    """
    skipped = Skipped(note)
    blocks = [*Stream(file, reading.source(file), skipped)]
    blank = sum(block.blank for block in blocks)
    if blank:
        remark(f"{count(blank, 'blank line')} skipped.")
    say_broken(skipped.broken)
    texts = [text for block in blocks for text in block.texts]
    if not texts:
        raise DataError(f"{name_of(file)}: no documents. Expected text, one document a line.")
    columns = next(block.columns for block in blocks if block.texts)
    return Block(
        texts,
        [row for block in blocks for row in block.rows],
        columns=columns,
        table=blocks[0].table,
        numbers=[number for block in blocks for number in block.numbers],
    )


def _train(crossed: Crossed, *, is_chosen: bool) -> None:
    """Train, with a bar on a terminal, and say for how long."""
    console = stderr()
    bar = Progress(
        TextColumn("model {task.fields[fold]} of {task.fields[folds]}"),
        BarColumn(),
        TextColumn("{task.completed:.1f} of {task.total:g} s"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        shown = bar.add_task("", fold=1, folds=crossed.folds)
        for at in crossed:
            bar.update(shown, completed=at.seconds, total=at.budget, fold=at.fold, folds=at.folds)
    if is_chosen:
        (seconds, loss), *before = reversed(crossed.tried)
        why = ""
        if before:
            last, cost = before[0]
            why = (
                f": from {last:g} s to {seconds:g} s the held-out loss went from {cost:.3f} to "
                f"{loss:.3f} nats a character"
            )
        remark(
            f"{crossed.folds} models, each trained for {seconds:g} s on the rows of all folds but "
            f"its own{why}. --seconds chooses otherwise."
        )


def _objects(found: Scored, encoding: str) -> list[bytes]:
    return rows("jsonl", found, FIELDS, encoding, apart=True)


def _show(found: Scored, most: int) -> None:
    """Print rows, each with its most surprising part marked and what was probably meant."""
    say("     row  copies  surprise  text, and in [] what surprises most", "bold")
    texts, numbers = found.block.texts, found.block.numbers
    for d in range(min(most, len(texts))):
        text, start, stop = f"{texts[d]}{END}", int(found.starts_D[d]), int(found.stops_D[d])
        end = max(stop, len(texts[d]))
        line = Text(f"{numbers[d]:>8}{found.copies_D[d]:>8}{found.surprises_D[d]:>10.2f}  ")
        line.append(printable(text[:start]))
        line.append(f"[{printable(text[start:stop])}]", "marked")
        line.append(printable(text[stop:end]))
        one = found.meant[d]
        if one:
            line.append(
                f"  -> {printable(one.text)}  ({figures(one.loss, 2)} nats a character, not "
                f"{figures(float(found.means_D[d]), 2)})"
            )
        say(line)
