"""`microgpt score` on a few texts: the loss of each character, and the likeliest ones instead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.text import Text

from microgpt.cli.terminal.bars import spark
from microgpt.cli.terminal.colours import bar_style, surprise_style
from microgpt.cli.terminal.console import width
from microgpt.cli.terminal.say import say
from microgpt.data.tokenizer import Tokenizer
from microgpt.scoring.score import Character, Score
from microgpt.wording import expected, figures, glyph, printable

_COLUMN = 6
_LABEL = 8


def record(one: Score) -> dict[str, Any]:
    """Return a score as one JSON object."""
    return {
        "text": one.text,
        "loss": one.loss,
        "nats": one.nats,
        "positions": one.sum.positions,
        "bits": one.bits,
        "perplexity": one.perplexity,
        "characters": [
            {"char": c.char, "nats": c.nats, "p": c.p} | ({"unknown": True} if c.unknown else {})
            for c in one.characters
        ],
    }


def show(one: Score, tokenizer: Tokenizer, rarer: float | None) -> None:
    """Print a text's loss, and a table of its characters, in as many pieces as the width needs."""
    head = Text.assemble((printable(one.text), "bold"))
    head.append(f"    {figures(one.loss, 2)} nats a {tokenizer.unit} · {figures(one.bits, 2)} bits")
    head.append(f" · perplexity {figures(one.perplexity, 1)}")
    if rarer is not None:
        head.append(f" · rarer than {rarer:.0f} % of held-out ones")
    say(head)
    say()
    top = max(6.0, *(c.nats for c in one.characters))
    for part, columns in _parts(one.characters):
        styles = [surprise_style(c.nats) for c in part]
        _row("", [glyph(c.char, unknown=c.unknown) for c in part], styles, columns)
        _row("nats", [figures(c.nats, 1) for c in part], styles, columns)
        bars = [bar_style(c.nats) for c in part]
        _row("", [spark([c.nats], 0.0, top) for c in part], bars, columns)
        likely = [expected(c.likely)[: column - 1] for c, column in zip(part, columns)]
        _row("likely", likely, ["quiet"] * len(part), columns)
        say()
    if any(c.unknown for c in one.characters):
        nats = tokenizer.unknown_nats
        say(f"? unknown to this model: priced at {nats:.1f} nats, once for each.\n")


def _parts(characters: Sequence[Character]) -> Iterator[tuple[list[Character], list[int]]]:
    """Yield as many characters as the terminal is wide for, and how wide their columns are."""
    part, columns = list[Character](), list[int]()
    for c in characters:
        # What a mask matches is one token of many characters, and so is its symbol.
        shown = Text(glyph(c.char, unknown=c.unknown)), Text(expected(c.likely[:1]))
        column = max(_COLUMN, *(text.cell_len + 1 for text in shown))
        if part and sum(columns) + column > width() - _LABEL:
            yield part, columns
            part, columns = [], []
        part.append(c)
        columns.append(column)
    yield part, columns


def _row(label: str, cells: Sequence[str], styles: Sequence[str], columns: Sequence[int]) -> None:
    line = Text.assemble((f"{label:{_LABEL}}", "quiet"))
    for cell, style, column in zip(cells, styles, columns):
        line.append(cell, style)
        line.append(" " * max(1, column - Text(cell).cell_len))
    line.rstrip()
    say(line)
