"""`microgpt score`: how surprised the model is, character by character."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.text import Text

from microgpt import corpus
from microgpt.alphabet import printable
from microgpt.cli import flags
from microgpt.cli.flags import flag, word
from microgpt.cli.show import count, find_run, say, say_json, spark, stderr, surprise_style, width
from microgpt.corpus import Source
from microgpt.errors import DataError, UsageError
from microgpt.evaluate import Character, Score
from microgpt.run import Run

END = "⏎"
_COLUMN = 6
_LABEL = 8


def score(
    run: Annotated[str, flag("A run's folder, or its name in runs/.")],
    *texts: Annotated[str, word("Text, or a file of documents; - for standard input.")],
    sort: Annotated[
        Literal["worst", "best"] | None, flag("Order by loss, not as they come.")
    ] = None,
    text: Annotated[
        bool, Parameter(help="Take all words for text, none for a file.", show_default=False)
    ] = False,
    json: flags.Json = False,
    column: flags.Column = None,
    field: flags.Field = None,
    encoding: flags.Encoding = "utf-8",
    engine: flags.Engine = None,
    device: flags.Device = None,
    threads: flags.Threads = None,
) -> None:
    """Show what each character of a text cost, the first one and the end included.

    Example: microgpt score runs/names-1 emma karlxn
    """
    if not texts:
        raise UsageError("score must have something to score. Try: microgpt score RUN emma")
    opened = Run(find_run(run), engine or "auto", threads, device)
    source = Source(column=column, field=field, encoding=encoding)
    documents = list(texts) if text else [d for t in texts for d in _documents(t, source)]
    scores: Iterator[Score] | Sequence[Score] = opened.scores(documents)
    if sort:
        scores = sorted(scores, key=lambda s: s.mean, reverse=sort == "worst")
    for one in scores:
        if json:
            say_json(_record(one))
        else:
            _show(one, opened.tokenizer.unknown_nats)


def _documents(word: str, source: Source) -> Sequence[str]:
    """Take a word for a file if there is one of that name, else for text."""
    path = Path(word)
    try:
        is_file = word == "-" or path.is_file()
    except (OSError, ValueError):
        is_file = False
    if is_file:
        files = Source(files=(word,), column=source.column, field=source.field,
                       encoding=source.encoding)  # fmt: skip
        read = corpus.read(files)
        if read.blank:
            stderr().print(f"{word}: {count(read.blank, 'blank line')} skipped.")
        return read.documents
    if path.suffix in (".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".gz"):
        try:
            near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], 1)
        except OSError:
            near = []
        meant = f" Did you mean {path.with_name(near[0])}?" if near else ""
        raise DataError(f"{word}: no such file.{meant} To score it as text, add --text.")
    try:
        word.encode()
    except UnicodeEncodeError:
        raise UsageError(f"text must be UTF-8; got {printable(word)}.") from None
    return [word]


def _record(one: Score) -> dict[str, Any]:
    return {
        "text": one.text,
        "loss": one.mean,
        "nats": one.nats,
        "positions": one.sum.positions,
        "bits": one.bits,
        "perplexity": one.perplexity,
        "characters": [
            {"char": c.char, "nats": c.nats, "p": c.p} | ({"unknown": True} if c.unknown else {})
            for c in one.characters
        ],
    }


def _show(one: Score, unknown_nats: float) -> None:
    """Print a text's loss, and a table of its characters, in as many pieces as the width needs."""
    head = Text(printable(one.text), "bold")
    head.append(f"    {one.mean:.2f} nats a character · {one.bits:.2f} bits", "default not bold")
    head.append(f" · perplexity {one.perplexity:.1f}", "default not bold")
    say(head)
    say()
    top = max(6.0, *(c.nats for c in one.characters))
    each = max(1, (width() - _LABEL) // _COLUMN)
    for start in range(0, len(one.characters), each):
        part = one.characters[start : start + each]
        styles = [surprise_style(c.nats) for c in part]
        _row("", [_name(c) for c in part], styles)
        _row("nats", [f"{c.nats:.1f}" for c in part], styles)
        _row("", [spark([c.nats], 0.0, top) for c in part], styles)
        _row("likely", [_likely(c) for c in part], ["dim"] * len(part))
        say()
    if any(c.unknown for c in one.characters):
        say(f"? unknown to this model: priced at {unknown_nats:.1f} nats, once for each.\n")


def _row(label: str, cells: Sequence[str], styles: Sequence[str]) -> None:
    line = Text(f"{label:{_LABEL}}", "dim")
    for cell, style in zip(cells, styles):
        padding = " " * max(1, _COLUMN - Text(cell).cell_len)
        line.append(cell + padding, style)
    line.rstrip()
    say(line)


def _name(c: Character) -> str:
    if c.char is None:
        return END
    return _glyph(c.char) + ("?" if c.unknown else "")


def _likely(c: Character) -> str:
    return " ".join(_glyph(token) if token else END for token in c.likely)[: _COLUMN - 1]


def _glyph(char: str) -> str:
    return "␣" if char == " " else printable(char)
