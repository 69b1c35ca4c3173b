"""`microgpt score`: the losses of texts, character by character or line by line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from cyclopts import Parameter
from rich.live import Live

from microgpt.cli import flags
from microgpt.cli.flags import flag, word
from microgpt.cli.mistakes import without_run
from microgpt.cli.score import detail
from microgpt.cli.terminal.console import stderr
from microgpt.cli.terminal.notes import say_broken
from microgpt.cli.terminal.say import note, remark, say_json
from microgpt.data.reader.block import Block
from microgpt.data.reader.formats import did_you_mean
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.engines.machine import processors
from microgpt.errors import DataError, UsageError
from microgpt.runs.judging import judging, open_pricer
from microgpt.runs.run import Run
from microgpt.scoring.reference import Judge
from microgpt.scoring.rows.forms import Form, RowWriter, WrittenRows
from microgpt.scoring.rows.processes import in_order
from microgpt.scoring.score import Score
from microgpt.wording import count, printable, short


def score(
    run: Annotated[flags.Name, flag("Folder of a run, or its name in runs/.")],
    *texts: Annotated[flags.Name, word("Text, or a file of documents; - is standard input.")],
    form: Annotated[
        Form | None,
        Parameter(
            "--format",
            help="Print a line a text: as a table, JSON or CSV. Default for files: table.",
        ),
    ] = None,
    flag_rate: Annotated[
        float | None,
        flag("Flag texts that surprise more than all but this share of held-out documents."),
    ] = None,
    sort: Annotated[
        Literal["worst", "best"] | None,
        flag("Sort by loss, which takes all lines into memory. Default: the order of the input."),
    ] = None,
    text: Annotated[
        bool, Parameter(help="Take every argument as text, none as a file.", show_default=False)
    ] = False,
    json: Annotated[
        bool, Parameter(help="Print JSON with every character of every text.", show_default=False)
    ] = False,
    rows: flags.RowFlags = flags.ROWS,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Show how surprised the model is: of a text at each character, of a file at each line.

    A line has its loss (nats a character) and bits, the share of held-out documents of similar
    length that surprise less, the part that surprises most, and how many characters are unknown.
    The columns of CSV and the fields of JSON lines stay. Broken lines are reported and skipped.

    Example: microgpt score runs/names-1 emma karlxn

    Example: microgpt score runs/names-1 new.csv --column name --format csv --flag-rate 0.01
    """
    if not texts:
        raise UsageError(without_run("score", run))
    if json and form:
        raise UsageError("json or format must be given, not both: --format jsonl is a line each.")
    opened = machine.run(run)
    files = [] if text else [w for w in texts if _is_file(w)]
    skipped = Skipped(note)
    streams = {w: Stream(w, rows.source(w), skipped) for w in files}
    for w in texts:
        if w not in streams:
            _check(w, is_text=text)
    blocks = _Blocks(texts, streams)
    judged = _judge(opened, flag_rate)
    if json or not (files or form):
        _one_by_one(opened, judged, iter(blocks), sort, json=json)
    else:
        encoding = sys.stdout.encoding or "utf-8"
        writer = RowWriter(judged, form or "table", sort is not None, encoding)
        engine = machine.engine or "auto"
        opener = partial(open_pricer, opened.folder, engine, 1, machine.device)
        # Several processes cannot share a device other than the processor.
        processes = 1 if machine.device else machine.threads or processors()
        written = in_order(opened.pricer, writer, opener, blocks, processes, note)
        flagged, documents = _row_by_row(written, sort)
        if judged.threshold and (documents or not blocks.error):
            share = flagged / max(documents, 1)
            remark(f"{flagged:,} of {count(documents, 'line')} flagged ({share:.2%}).")
    if blocks.blank:
        remark(f"{count(blocks.blank, 'blank line')} skipped.")
    if blocks.error:
        raise blocks.error
    say_broken(skipped.broken)


class _Blocks:
    """The documents of words and files; a file that cannot be read ends the iteration.

    Attributes:
        blank: how many blank documents there were so far.
        error: the error that ended the iteration; None: there was none.
    """

    def __init__(self, words: Sequence[str], streams: dict[str, Stream]) -> None:
        self._words, self._streams = words, streams
        self.blank, self.error = 0, None

    def __iter__(self) -> Iterator[Block]:
        try:
            for w in self._words:
                for block in self._streams.get(w, [Block([w], [None])]):
                    self.blank += block.blank
                    yield block
        except DataError as error:
            self.error = error


def _judge(run: Run, rate: float | None) -> Judge:
    """Return the judge of texts, and print how reliable it is; the arguments are `judging`'s."""
    found = judging(run, rate)
    if found.warning:
        note(f"no percentiles: {found.warning}")
    if found.promise:
        remark(found.promise)
    return found.judge


def _one_by_one(
    run: Run, judge: Judge, blocks: Iterator[Block], sort: str | None, *, json: bool
) -> None:
    scores: Iterator[Score] | Sequence[Score]
    scores = (one for block in blocks for one in run.scores(block.texts))
    if sort:
        scores = sorted(scores, key=lambda s: s.loss, reverse=sort == "worst")
    for one in scores:
        where = np.array([len(one.text)]), np.array([one.loss])
        rarer, flagged = judge.percentiles(*where), judge.flags(*where)
        if json:
            values = detail.record(one) | {
                "percentile": float(rarer[0]) if rarer is not None else None
            }
            say_json(values | {"flagged": bool(flagged[0])} if flagged is not None else values)
        else:
            detail.show(one, run.tokenizer, float(rarer[0]) if rarer is not None else None)


def _row_by_row(blocks: Iterator[WrittenRows], sort: str | None) -> tuple[int, int]:
    """Print rows, and the speed on stderr if stdout is no terminal; count flagged and all."""
    began, characters, documents, flagged = time.perf_counter(), 0, 0, 0
    unsorted: list[tuple[float, bytes]] = []
    console = stderr()
    quiet = not console.is_terminal or sys.stdout.isatty()
    with Live(console=console, transient=True, refresh_per_second=4) as live:
        for block in blocks:
            if block.documents and not documents:
                _write(block.head)
            characters, documents = characters + block.characters, documents + block.documents
            flagged += block.flagged
            if sort:
                unsorted += zip(block.losses, block.rows)
            else:
                _write(*block.rows)
            if not quiet:
                rate = characters / (time.perf_counter() - began)
                live.update(
                    f"{documents:,} lines · {short(characters)} characters · {short(rate)} a second"
                )
    unsorted.sort(key=itemgetter(0), reverse=sort == "worst")
    _write(*(row for _, row in unsorted))
    return flagged, documents


def _write(*rows: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.writelines(rows)
    sys.stdout.buffer.flush()


def _is_file(word: str) -> bool:
    """Return whether a word names a file that exists, or "-"; otherwise it is text."""
    try:
        return word == "-" or Path(word).exists()
    except (OSError, ValueError):
        return False


def _check(word: str, *, is_text: bool) -> None:
    """Raise an error if a word looks like the name of a file that is missing, or is not UTF-8."""
    path = Path(word)
    if not is_text and path.suffix in (".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".gz"):
        raise DataError(
            f"{word}: no such file.{did_you_mean(word)} To score it as text, add --text."
        )
    try:
        word.encode()
    except UnicodeEncodeError:
        raise UsageError(f"text must be UTF-8; got {printable(word)}.") from None
