"""`microgpt why text`: what a model reads of a text, and what it must say at each position.

In: nothing, or a run and a text. Out: tokens and targets, by name and by id.
"""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.place import say_other_windows
from microgpt.cli.why.subject import Subject
from microgpt.data.batch import lay_out
from microgpt.data.tokenizer import UNKNOWN, Bytes, Characters
from microgpt.data.tokenizer.shown import symbols
from microgpt.runs.reading import BOS
from microgpt.wording import count, glyph, printable

_DOCUMENTS, _TEXT = ("emma", "ava"), "eva"


def example() -> None:
    """Print a vocabulary of four letters, and a name as it is read with it."""
    tokens = Characters.of(_DOCUMENTS)
    say("A model reads numbers. A tokenizer gives each piece of text an id.", "bold")
    say(
        f"Two documents, {' and '.join(_DOCUMENTS)}, have {len(tokens.characters)} different "
        "characters. Sorted, and one more token at the end:"
    )
    say()
    rows = table("token", "id", "times")
    for i, character in enumerate(tokens.characters):
        rows.add_row(Text(character, "bold"), f"{i}", f"{tokens.frequencies[character]}")
    rows.add_row(Text(BOS, "bold"), f"{tokens.bos}", "")
    stdout().print(rows)
    say()
    say(f"{_TEXT} is read from BOS on. At each position the model must say what comes next:")
    say()
    names, ids = symbols(tokens), tokens.encode(_TEXT)[0].tolist()
    batch = lay_out([ids], tokens.bos, block_size=8).batch
    read, targets = batch.tokens_N.tolist(), batch.targets_N.tolist()
    stdout().print(
        _positions([
            {"read": names[i] if t else BOS, "token": i, "coming": names[j], "target": j}
            for t, (i, j) in enumerate(zip(read, targets))
        ])
    )  # fmt: skip
    say()
    say(
        "BOS stands at both ends. Read first, it says: a text begins. As a target it is shown as "
        "⏎, the end: so the model learns to stop. A text of n tokens has n + 1 positions."
    )
    say()
    bytes_read = ", ".join(map(str, Bytes().encode("né")[0]))
    say(
        f"Others read bytes of UTF-8: né is {bytes_read}; 257 ids, and nothing is unknown. Or they "
        "read pieces of several characters (BPE), which they have learned from the text."
    )


def numbers(on: Subject) -> dict[str, Any]:
    """Return tokens and targets at each position; the target of an unknown character is -1."""
    read, tokenizer = on.read, on.run.tokenizer
    positions = zip(read.read, read.tokens, read.coming, read.targets)
    return {
        "text": on.text,
        "characters": len(on.text),
        "bytes": len(on.text.encode("utf-8", "surrogatepass")),
        "unit": tokenizer.unit,
        "vocab_size": tokenizer.vocab_size,
        "alphabet": tokenizer.alphabet,
        "bos": tokenizer.bos,
        "stand_in": {
            "id": tokenizer.stand_in, "shown": symbols(tokenizer)[tokenizer.stand_in],
            "nats": tokenizer.unknown_nats,
        },
        "n": read.positions,
        "positions": [
            {"read": name, "token": token, "coming": coming, "target": max(target, UNKNOWN)}
            for name, token, coming, target in positions
        ],
    }  # fmt: skip


def tell(numbers: dict[str, Any]) -> None:
    """Print tokens and targets, then what the ids are."""
    positions, unit, n = numbers["positions"], numbers["unit"], numbers["n"]
    say(
        f'"{printable(numbers["text"])}": {count(numbers["characters"], "character")}, '
        f"{count(numbers['bytes'], 'byte')} of UTF-8. The model reads "
        f"{count(n - 1, unit)}, and predicts at {count(n, 'position')}."
    )
    say()
    stdout().print(_positions(positions))
    say()
    say_other_windows(len(positions), n)
    unknown = {at["coming"].removesuffix("?"): None for at in positions if at["target"] < 0}
    if unknown:
        stand_in = numbers["stand_in"]
        has, its = ("It has", "its") if len(unknown) == 1 else ("They have", "their")
        say(
            f"Unknown: {', '.join(unknown)}. {has} no id: the model reads {stand_in['shown']} in "
            f"{its} place, the most frequent character, and the loss there is "
            f"{stand_in['nats']:.1f} nats, whatever the model says."
        )
    say(
        f"{numbers['vocab_size']:,} ids: {numbers['alphabet']}, and BOS, which is "
        f"{numbers['bos']}. As a target BOS is shown as {glyph(None)}, the end."
    )


def _positions(positions: list[dict[str, Any]]) -> Table:
    rows = table("position", "reads", "id", "next", "id", left=0)
    for column in (1, 3):
        rows.columns[column].justify = "left"
    for t, at in enumerate(positions):
        target = f"{at['target']}" if at["target"] >= 0 else "none"
        rows.add_row(f"{t}", Text(at["read"], "bold"), f"{at['token']}", at["coming"], target)
    return rows
