"""`microgpt why softmax`: how logits become probabilities, and why the largest is subtracted.

In: nothing, or a run and a text. Out: logits, their exponentials and their shares, at a position.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from rich.table import Table

from microgpt.cli.terminal.bars import bar
from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.cli.why.float32 import say_float32
from microgpt.cli.why.place import Record, chance, costliest, say_position
from microgpt.cli.why.subject import Subject
from microgpt.data.tokenizer.shown import symbols
from microgpt.inside.operations import Floats
from microgpt.loss.many import Softmax
from microgpt.wording import count, figures

LOGITS = (2.0, 1.0, 0.0)
"""The logits of the example."""

ADDING = 1000
"""What is added to every logit of a run."""

_CHOICES = "choices: exp of the entropy, how many equally likely tokens would be as uncertain."
_LARGEST = math.log(sys.float_info.max)

TEMPERATURES = (0.5, 1.0, 2.0)
MOST = 8
"""How many of the likeliest tokens are shown."""


def example() -> None:
    """Print the softmax of three logits, and what float32 makes of it without the subtraction."""
    say("Softmax: subtract the largest logit, take exp, divide by the sum of all exp.", "bold")
    say()
    softmax = Softmax(np.array([LOGITS]))
    entries = [_entry(softmax, i, symbol) for i, symbol in enumerate("abc")]
    stdout().print(_table(entries, LOGITS, float(softmax.sums_B1[0, 0])))
    say()
    say(
        "A p is above 0, and all sum to 1. A logit that is higher by 1 has a p that is e = 2.718 "
        "times larger. Only differences matter: a constant added to every logit changes nothing."
    )
    say()
    say_float32(LOGITS)
    say("Divided by a temperature before the softmax, the same three logits give:", "bold")
    say()
    stdout().print(_temperatures(warmed(np.array(LOGITS), 2), "p of a", "p of c"))
    say()
    say(_CHOICES)


def numbers(on: Subject) -> dict[str, Any]:
    """Return the softmax at the position with the highest loss."""
    record, t = costliest(on), on.costliest
    logits_V = on.seen.logits_TV[t]
    softmax, target = Softmax(logits_V[None]), on.read.targets[t]
    names = symbols(on.run.tokenizer)
    shown: list[int] = np.argsort(-logits_V, kind="stable")[:MOST].tolist()
    if target >= 0 and target not in shown:
        shown.append(target)
    entries = [
        {**_entry(softmax, i, names[i]), "logit": float(logits_V[i]), "target": i == target}
        for i in shown
    ]
    rest = np.delete(np.arange(len(logits_V)), shown)
    p_V, exps_V = softmax.p_BV[0], softmax.exps_BV[0]
    moved_V = Softmax(logits_V[None] + ADDING).p_BV[0]
    return {
        **record,
        "tokens": entries,
        "others": {
            "tokens": len(rest), "exp": float(exps_V[rest].sum()), "p": float(p_V[rest].sum()),
        },
        "largest": float(logits_V.max()),
        "sum": float(softmax.sums_B1[0, 0]),
        "loss": record["losses"][t],
        "added": {"number": ADDING, "p_changes_by": float(np.abs(moved_V - p_V).max())},
        "temperatures": warmed(logits_V, target if target >= 0 else int(logits_V.argmin())),
    }  # fmt: skip


def warmed(logits_V: Floats, target: int) -> list[Record]:
    """Return p of the likeliest token and of a target at each temperature, and the entropy."""
    found: list[Record] = []
    for temperature in TEMPERATURES:
        p_V = Softmax(logits_V[None] / temperature).p_BV[0]
        entropy = -sum(p * math.log(p) for p in p_V.tolist() if p)
        found.append(
            {
                "temperature": temperature, "largest": float(p_V.max()),
                "target": float(p_V[target]), "choices": math.exp(entropy),
            }
        )  # fmt: skip
    return found


def tell(numbers: dict[str, Any]) -> None:
    """Print the likeliest tokens and the target, and the sum over all."""
    say_position("Softmax", numbers)
    entries = numbers["tokens"]
    largest, total = numbers["largest"], numbers["sum"]
    stdout().print(_table(entries, [e["logit"] for e in entries], total, numbers["others"]))
    say()
    wanted = next((e for e in entries if e["target"]), None)
    if wanted is not None:
        less, gap = wanted["less"], figures(0.0 - wanted["less"])
        stands = f"{gap} below the largest" if less else "the largest"
        if -_LARGEST < less < 0:
            stands += f", so its p is e^{gap} = {figures(math.exp(-less), 1)} times smaller"
        say(
            f"{wanted['token']} is the target. Its logit is {stands}. The loss is "
            f"log({figures(total)}) + {gap} = {figures(numbers['loss'])} nats."
        )
    # A power of ten: the last digits of so small a difference are another machine's, too.
    change = 10 ** math.ceil(math.log10(numbers["added"]["p_changes_by"] or 1e-16))
    say(
        f"With {ADDING:,} added to every logit no p changes by more than {change:.0e}: the largest "
        f"is {figures(largest + ADDING, 2)} then, and is subtracted before anything else."
    )
    if largest + ADDING > _LARGEST:
        say(f"exp({figures(largest + ADDING, 2)}) by itself is too large for a float.")
    say()
    say("Divided by a temperature before the softmax:", "bold")
    say()
    name = wanted["token"] if wanted else "the least likely"
    stdout().print(
        _temperatures(numbers["temperatures"], f"p of {entries[0]['token']}", f"p of {name}")
    )
    say()
    say(_CHOICES)


def _entry(softmax: Softmax, token: int, name: str) -> Record:
    less = float(softmax.shifted_BV[0, token])
    exp, p = float(softmax.exps_BV[0, token]), float(softmax.p_BV[0, token])
    return {"token": name, "less": less, "exp": exp, "p": p}


def _table(entries: list[Record], logits: Any, total: float, others: Record | None = None) -> Table:
    rows = table("", "logit", "- largest", "exp", "p", "", least=("", "logit"))
    rows.columns[-1].justify = "left"
    top = max(entry["p"] for entry in entries)
    for entry, logit in zip(entries, logits):
        rows.add_row(
            entry["token"], figures(logit, 2), figures(entry["less"] + 0.0, 2),
            chance(entry["exp"]), chance(entry["p"]), bar(entry["p"], top, 20),
            style="bold" if entry.get("target") else "",
        )  # fmt: skip
    if others and others["tokens"]:
        name = count(others["tokens"], "other")
        rows.add_row(name, "", "", chance(others["exp"]), chance(others["p"]), "")
    rows.add_row("sum", "", "", f"{total:.4f}", "1.0000", "")
    return rows


def _temperatures(found: list[Record], largest: str, target: str) -> Table:
    rows = table("temperature", largest, target, "choices", left=0)
    for at in found:
        rows.add_row(
            f"{at['temperature']:g}", chance(at["largest"]), chance(at["target"]),
            f"{at['choices']:.2f}",
        )  # fmt: skip
    return rows
