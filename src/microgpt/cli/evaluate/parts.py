"""The tables of `evaluate`: the parts of the loss, and the calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.text import Text

from microgpt.cli.terminal.bars import bar
from microgpt.cli.terminal.colours import bar_style
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import ellipsis, say
from microgpt.cli.terminal.tables import table
from microgpt.evaluation import Evaluation
from microgpt.evaluation.parts import Document, Part
from microgpt.evaluation.rules import RULES
from microgpt.wording import END, count, figures, glyph, printable

_ROWS = 10


def show_parts(result: Evaluation) -> None:
    """Print the parts of the loss, the most important rows of each."""
    parts = result.parts
    _title("By position", "the number of the character in its text")
    _parts("position", parts.by_position(), result)
    by_character = parts.by_character()
    _title("By character", _of(len(by_character), "those that cost most in all"))
    _parts("char", by_character[:_ROWS], result)
    _title("By length", "characters of a document, the end not counted")
    _parts("length", parts.by_length(), result)
    best, worst, _ = parts.documents(5)
    _title("Documents that cost least and most", "[...] is where one surprises most")
    _documents([*best, *reversed(worst)])
    confusions = parts.confusions()
    _title("Mistaken", _of(len(confusions), "what came, and what was likelier"))
    rows = table("came", "expected", "times", "nats each", left=2)
    for c in confusions[:_ROWS]:
        rows.add_row(glyph(c.char), glyph(c.likely), f"{c.sum.positions:,}", figures(c.sum.mean, 2))
    stdout().print(rows)


def show_honesty(result: Evaluation) -> None:
    """Print the reliability diagram, the scores and the temperature."""
    every, top = result.calibration, result.confidence
    _title("Honest about its doubts?", "of all (position, character) predictions, in equal bins")
    rows = table("predictions", "told", "came true", "95 %", "", left=0, least=("predictions",))
    rows.columns[-1].justify = "left"
    for b in every.bins:
        rows.add_row(
            f"{b.predictions:,}", f"{b.p:.4f}", f"{b.observed:.4f}", f"{b.low:.4f} to {b.high:.4f}",
            b.verdict, style="" if b.verdict == "as told" else "marked",
        )  # fmt: skip
    stdout().print(rows)
    say()
    for name, c in (("all predictions", every), ("the likeliest ones", top)):
        say(
            f"Expected calibration error of {name}: {c.error:.4f} ({c.low:.4f} to {c.high:.4f}); "
            f"an honest model's would be {c.chance:.4f} by chance"
        )
    fitted = result.temperature
    if fitted.positions:
        gain = (
            f"gain {figures(fitted.gain)}" if fitted.gain > 0 else f"cost {figures(-fitted.gain)}"
        )
        worth = f": it would {gain} nats on documents it was not fitted on"
        if math.isnan(fitted.gain):
            worth = "; there are no other documents to measure its gain on"
        say(f"Fitted temperature {fitted.value:.3f} ({fitted.verdict}){worth}")
    say()
    rows = table("score", "", "best is", "", "source", left=1)
    for column in rows.columns[2:]:
        column.justify = "left"
    for rule, value in zip(RULES, result.scores.values()):
        rows.add_row(rule.name, figures(value), rule.better, rule.proper, rule.source)
    stdout().print(rows)


def _title(what: str, note: str) -> None:
    say()
    say(Text.assemble((what, "bold"), (f"   {note}", "quiet")))


def _of(number: int, what: str) -> str:
    return what if number <= _ROWS else f"{what}; {_ROWS} of {number:,}"


def _parts(what: str, parts: Sequence[Part], result: Evaluation) -> None:
    least = "", "right", "of the total", "positions"
    rows = table(what, "nats", "positions", "of the total", "right", "", least=least)
    rows.columns[-1].justify = "left"
    top = max(part.sum.mean for part in parts)
    for part in parts:
        share = part.sum.nats / result.sum.nats if result.sum.nats else 0.0
        rows.add_row(
            glyph(part.name),
            figures(part.sum.mean),
            f"{part.sum.positions:,}",
            f"{share:.1%}",
            f"{part.hits / part.sum.positions:.1%}",
            Text(bar(part.sum.mean, top, 30), bar_style(part.sum.mean)),
        )
    stdout().print(rows)


def _documents(documents: Sequence[Document]) -> None:
    rows = table("nats", "characters", "", left=0, least=("characters",))
    rows.columns[-1].justify = "left"
    for d in documents:
        start, stop = d.span
        text = Text(_cut(d.text[:start], 30, last=True) + "[")
        text.append(_cut(d.text[start:stop], 30), "bold")
        text.append(f"{END * (stop > len(d.text))}]{_cut(d.text[stop:], 20)}")
        rows.add_row(figures(d.sum.mean, 2), f"{len(d.text):,}", text)
    stdout().print(rows)


def _cut(text: str, most: int, *, last: bool = False) -> str:
    if len(text) > most:
        text = f"{ellipsis()}{text[-most:]}" if last else f"{text[:most]}{ellipsis()}"
    return printable(text)


def unknown_line(result: Evaluation, price: float) -> str:
    """Return a sentence about unknown characters."""
    unknown = count(result.unknown, "character")
    return f"{unknown} unknown to the model, priced at {price:.1f} nats each"
