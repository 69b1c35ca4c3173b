"""`microgpt score`: the losses of texts, character by character or line by line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from heapq import nlargest, nsmallest
from itertools import repeat
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.flags import flag, whole, word
from microgpt.cli.mistakes import without_run
from microgpt.cli.score import detail
from microgpt.cli.score.lines import Blocks, Wanted, row_by_row
from microgpt.cli.terminal.notes import say_broken
from microgpt.cli.terminal.say import note, remark, say_json
from microgpt.config import check_count
from microgpt.data.reader.block import Block
from microgpt.data.reader.formats import did_you_mean
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.engines import about
from microgpt.engines.machine import processors
from microgpt.errors import DataError, UsageError
from microgpt.runs.judging import judging, open_pricer
from microgpt.runs.rowfile import RowFile
from microgpt.runs.run import Run
from microgpt.scoring.reference import Judge
from microgpt.scoring.rows.forms import Form
from microgpt.scoring.score import Score
from microgpt.wording import count, printable

# A word that ends so is the name of a file.
_ENDINGS = (
    ".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".gz", ".zst", ".parquet", ".arrow",
)  # fmt: skip


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
    top: Annotated[
        int | None,
        whole("Only so many texts, those that surprise most, worst first. Default: all."),
    ] = None,
    out: Annotated[
        Path | None,
        Parameter(
            name=["--out", "-o"],
            help="File to write the rows to: .csv, .jsonl, .parquet or .xlsx.",
        ),
    ] = None,
    keep_all: Annotated[
        bool,
        Parameter(
            help="Write blank and broken lines too, without scores and with the reason.",
            show_default=False,
        ),
    ] = False,
    suggest: Annotated[
        bool,
        Parameter(
            help="Add what was probably meant by flagged lines, or by all of --top.",
            show_default=False,
        ),
    ] = False,
    bom: Annotated[
        bool,
        Parameter(help="Begin the .csv of --out as Excel expects UTF-8.", show_default=False),
    ] = False,
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
    With --top, --out or --keep-all each line has its row in the file, as a spreadsheet counts them.

    Example: microgpt score runs/names-1 emma karlxn

    Example: microgpt score runs/names-1 new.csv --column name --format csv --flag-rate 0.01

    Example: microgpt score runs/names-1 new.csv --column name --top 50 -o suspicious.csv
    """
    if not texts:
        raise UsageError(without_run("score", run))
    _check_flags(form, flag_rate, top, out, json=json, keep_all=keep_all, suggest=suggest, bom=bom)
    files = [] if text else [w for w in texts if _is_file(w)]
    is_listed = bool(form or out or keep_all or (files and not json))
    if suggest and not is_listed:
        raise UsageError("suggest must go with a line a text. Try --format table.")
    output = RowFile(out, files, bom=bom) if out else None
    opened = machine.run(run)
    skipped = Skipped(note)
    streams = {w: Stream(w, rows.source(w), skipped) for w in files}
    for w in texts:
        if w not in streams:
            _check(w, is_text=text)
    fields = (
        *(("row",) if top or out or keep_all else ()),
        *(("file",) if (top or out or keep_all) and files and len(texts) > 1 else ()),
        *(("suggestion", "suggestion_loss") if suggest else ()),
        *(("skipped",) if keep_all else ()),
    )
    blocks = Blocks(texts, streams, numbered="row" in fields)
    judged = _judge(opened, flag_rate)
    if not is_listed:
        _one_by_one(opened, judged, iter(blocks), sort, top, json=json)
    else:
        wanted = Wanted(output.form if output else form or "table", output, sort, top or 0, fields)
        name, is_exact = opened.engine.name, about(opened.engine.name).is_exact
        # In several processes other rows stand beside each: its loss must not depend on them.
        processes = machine.threads or processors() if is_exact else 1
        threads = 1 if is_exact else machine.threads
        opener = partial(open_pricer, opened.folder, name, threads, machine.device)
        counted = row_by_row(opened, judged, blocks, wanted, opener, processes)
        documents = counted.documents
        if judged.threshold and (documents or not blocks.error):
            share = counted.flagged / max(documents, 1)
            remark(f"{counted.flagged:,} of {count(documents, 'line')} flagged ({share:.2%}).")
        if output:
            written = counted.written + (blocks.blank + skipped.broken if keep_all else 0)
            remark(f"{count(written, 'row')} written to {output.path}.")
    if blocks.blank:
        remark(f"{count(blocks.blank, 'blank line')} skipped.")
    if blocks.error:
        raise blocks.error
    say_broken(skipped.broken)


def _judge(run: Run, rate: float | None) -> Judge:
    """Return the judge of texts, and print how reliable it is; the arguments are `judging`'s."""
    found = judging(run, rate)
    if found.warning:
        note(f"no percentiles: {found.warning}")
    if found.promise:
        remark(found.promise)
    return found.judge


def _one_by_one(
    run: Run,
    judge: Judge,
    blocks: Iterator[Block],
    sort: str | None,
    top: int | None,
    *,
    json: bool,
) -> None:
    scores: Iterable[tuple[int, Score]] = (
        each
        for block in blocks
        for each in zip(block.numbers or repeat(0), run.scores(block.texts))
    )
    if top:
        pick = nsmallest if sort == "best" else nlargest
        scores = pick(top, scores, key=lambda each: each[1].loss)
    elif sort:
        scores = sorted(scores, key=lambda each: each[1].loss, reverse=sort == "worst")
    for number, one in scores:
        where = np.array([len(one.text)]), np.array([one.loss])
        rarer, flagged = judge.judged(*where)
        if json:
            values = detail.record(one) | ({"row": number} if number else {})
            values |= {"percentile": float(rarer[0]) if rarer is not None else None}
            say_json(values | {"flagged": bool(flagged[0])} if flagged is not None else values)
        else:
            detail.show(one, run.tokenizer, float(rarer[0]) if rarer is not None else None)


def _check_flags(
    form: Form | None,
    flag_rate: float | None,
    top: int | None,
    out: Path | None,
    *,
    json: bool,
    keep_all: bool,
    suggest: bool,
    bom: bool,
) -> None:
    """Raise an error if flags do not go together."""
    if json and form:
        raise UsageError("json or format must be given, not both: --format jsonl is a line each.")
    if out and (json or form):
        raise UsageError(
            f"{'json' if json else 'format'} or out must be given, not both: the ending of the "
            "file says what it is."
        )
    if top is not None:
        check_count("top", top)
    if keep_all and (top or json):
        raise UsageError(f"keep-all or {'top' if top else 'json'} must be given, not both.")
    if suggest and not (top or flag_rate is not None):
        raise UsageError("suggest must go with --flag-rate or --top, which say for which lines.")
    if bom and not out:
        raise UsageError("bom must go with --out FILE.csv.")


def _is_file(word: str) -> bool:
    """Return whether a word names a file that exists, or "-"; otherwise it is text."""
    try:
        return word == "-" or Path(word).exists()
    except (OSError, ValueError):
        return False


def _check(word: str, *, is_text: bool) -> None:
    """Raise an error if a word looks like the name of a file that is missing, or is not UTF-8."""
    path = Path(word)
    if not is_text and path.suffix in _ENDINGS:
        raise DataError(
            f"{word}: no such file.{did_you_mean(word)} To score it as text, add --text."
        )
    try:
        word.encode()
    except UnicodeEncodeError:
        raise UsageError(f"text must be UTF-8; got {printable(word)}.") from None
