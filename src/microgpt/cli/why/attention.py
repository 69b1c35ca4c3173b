"""`microgpt why attention`: how a position reads the ones before it.

In: nothing, or a run and a text. Out: scores, shares and what is read, head by head.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import FittedTable, table
from microgpt.cli.why.place import Record, chance, costliest, ends, say_between, say_position
from microgpt.cli.why.scaling import scaled
from microgpt.cli.why.subject import Subject
from microgpt.inside.heads import attending, look
from microgpt.inside.operations import ArrayOps
from microgpt.wording import count, figures

QUERY = (2.0, 1.0, 0.0, 0.0)
KEYS = ((2.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0))
VALUES = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0))
"""The head of the example: K = 4, three positions."""

WIDTHS = (4, 16, 64, 256)
"""The K of heads with random queries and keys."""

WIDE = 4
"""How many heads a table has; a row of more would not fit a terminal."""

MOST = 12
"""How many positions are shown: those with the largest shares."""


def example() -> None:
    """Print a head of three positions, its mask, and why scores are divided by sqrt(K)."""
    query_1K, keys_SK, values_SK = np.array([QUERY]), np.array(KEYS), np.array(VALUES)
    products_S = keys_SK @ query_1K[0]
    shares_TS = ArrayOps().shares(np.repeat(query_1K, 3, axis=0)[None], keys_SK[None])[0]
    say("One head at position 2. It compares its query with three keys.", "bold")
    say(f"query: {_row(QUERY)}")
    say()
    rows = table("position", "key", "q k", "/ sqrt(4)", "share", "value", left=0)
    for s, (key, value) in enumerate(zip(KEYS, VALUES)):
        q_k = float(products_S[s])
        rows.add_row(
            f"{s}", _row(key), f"{q_k:g}", f"{q_k / 2:g}", chance(shares_TS[2, s]), _row(value)
        )
    stdout().print(rows)
    say()
    read = " ".join(chance(x) for x in (shares_TS[2] @ values_SK).tolist())
    say(f"read: {read}. It is the mean of the values, weighted by the shares.")
    say()
    say("The mask: the same query at each position reads no later one.", "bold")
    say()
    rows = table("position", "share of 0", "of 1", "of 2", left=0)
    for t, shares_S in enumerate(shares_TS.tolist()):
        rows.add_row(f"{t}", *(chance(x) if s <= t else "" for s, x in enumerate(shares_S)))
    stdout().print(rows)
    say()
    say("Why / sqrt(K)? Random queries and keys, eight positions:", "bold")
    say()
    rows = table("K", "size of q k", "largest share", "after / sqrt(K)", left=0)
    for K in WIDTHS:
        size, plain, divided = scaled(K, positions=8)
        rows.add_row(f"{K}", f"{size:.1f}", f"{plain:.2f}", f"{divided:.2f}")
    stdout().print(rows)
    say()
    say(
        "A product of K pairs is about sqrt(K) large. Without the division wide heads begin with "
        "nearly all of their share at one position, and softmax has no slope there to learn by."
    )


def numbers(on: Subject) -> dict[str, Any]:
    """Return what each head does at the position with the highest loss, and in the whole window."""
    layers = [_heads(on, layer) for layer in range(on.config.n_layer)]
    return {**costliest(on), "head_width": on.config.n_embd // on.config.n_head, "layers": layers}


def _heads(on: Subject, layer: int) -> list[Record]:
    at = attending(on.seen, on.weights, layer, on.costliest)
    lengths_H = np.linalg.norm(at.added_HD, axis=1)
    heads: list[Record] = []
    for h, shares_TT in enumerate(on.seen.attention_LHTT[layer]):
        looks = look(shares_TT)
        heads.append(
            {
                "scores": at.scores_HS[h].tolist(), "shares": at.shares_HS[h].tolist(),
                "reads": at.averages_HK[h].tolist(), "adds": float(lengths_H[h]),
                "on_average": asdict(looks), "says": looks.says,
            }
        )  # fmt: skip
    return heads


def tell(numbers: dict[str, Any]) -> None:
    """Print scores and shares of each head, and how much it adds to the stream."""
    say_position("Attention", numbers)
    read, layers = numbers["read"], numbers["layers"]
    for layer in ends(len(layers)):
        heads = layers[layer]
        say(f"Layer {layer}", "bold")
        say()
        for first in range(0, len(heads), WIDE):
            stdout().print(_shares(heads, range(len(heads))[first : first + WIDE], read))
            say()
        left_out = len(heads[0]["shares"]) - MOST
        if left_out > 0:
            say(f"{count(left_out, 'position')} with smaller shares not shown; --json has all.")
            say()
        stdout().print(_looks(heads))
        say()
    say_between(len(layers))
    say(
        f"score: q k / sqrt({numbers['head_width']}). share: the softmax of a head's scores, how "
        "much of that position's value it reads. adds: the length of what the head adds to the "
        "residual stream here."
    )
    if layers[0][0]["on_average"]["positions"]:
        say("start, previous, itself: its mean share of these, over all positions from 2 on.")


def _looks(heads: list[Record]) -> FittedTable:
    """Return a row for each head: where it looks on average, and how much it adds here."""
    averaged = heads[0]["on_average"]["positions"] > 0
    places = ("start", "previous", "itself") if averaged else ()
    rows = table("head", "adds", *places)
    for h, head in enumerate(heads):
        means = [f"{100 * head['on_average'][place]:.0f} %" for place in places]
        rows.add_row(f"{h}", figures(head["adds"], 2), *means)
    return rows


def _shares(heads: list[Record], shown: range, read: list[str]) -> FittedTable:
    """Return a row for each position with a large share, a score and a share for each head."""
    shares_HS = np.array([head["shares"] for head in heads])
    order: list[int] = np.argsort(-shares_HS.max(axis=0), kind="stable")[:MOST].tolist()
    scores = [f"score {h}" for h in shown]
    columns = [name for h in shown for name in (f"score {h}", f"share {h}")]
    rows = table("", "", *columns, left=2, least=scores[::-1])
    for s in sorted(order):
        cells: list[str] = []
        for h in shown:
            cells += [figures(heads[h]["scores"][s], 2), f"{heads[h]['shares'][s]:.3f}"]
        rows.add_row(f"{s}", read[s], *cells)
    return rows


def _row(numbers: tuple[float, ...]) -> str:
    return " ".join(f"{x:g}" for x in numbers)
