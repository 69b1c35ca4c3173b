"""`microgpt why mlp`: what is computed at each position by itself.

In: nothing, or a run and a text. Out: the hidden numbers, and the one that adds most.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import FittedTable, table
from microgpt.cli.why.place import Record, ends, say_between, say_window, window
from microgpt.cli.why.subject import Subject
from microgpt.data.tokenizer.shown import symbols
from microgpt.inside.units import units
from microgpt.wording import figures

FC1 = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (1.0, -1.0))
FC2 = ((1.0, 0.0, 5.0, 5.0), (0.0, 1.0, 5.0, 5.0))
ROWS = ((1.0, 2.0), (-1.0, 1.0), (0.0, 3.0))
"""The MLP of the example, D = 2 and F = 4, and what it reads; the third row is the sum of both."""

RAISED = 3
"""How many tokens are named for a hidden number."""


def example() -> None:
    """Print an MLP of four hidden numbers, with relu and without."""
    fc1_FD, fc2_DF, x_TD = np.array(FC1), np.array(FC2), np.array(ROWS)
    before_TF = x_TD @ np.transpose(fc1_FD)
    hidden_TF = np.maximum(before_TF, 0.0)
    say("An MLP of width 2 with 4 hidden numbers reads three rows.", "bold")
    say()
    rows = table("x", "fc1 x", "relu", "fc2 of that", left=0)
    for x_D, before_F, hidden_F in zip(x_TD, before_TF, hidden_TF):
        rows.add_row(_row(x_D), _row(before_F), _row(hidden_F), _row(fc2_DF @ hidden_F))
    stdout().print(rows)
    say()
    say(
        "The third x is the sum of the first two. Its result is not the sum of theirs: other "
        "hidden numbers were above 0. A hidden number that is 0 adds nothing, whatever its weights."
    )
    say()
    say("Without relu the two matrices are one, fc2 fc1:", "bold")
    say()
    rows = table("x", "fc2 fc1 x", left=0)
    for x_D in x_TD:
        rows.add_row(_row(x_D), _row(fc2_DF @ fc1_FD @ x_D))
    stdout().print(rows)
    say()
    say("Now the third is the sum of the first two, as for every matrix.")


def numbers(on: Subject) -> dict[str, Any]:
    """Return which hidden numbers of each layer are above 0, and which adds most."""
    names = symbols(on.run.tokenizer)
    layers: list[Record] = []
    for layer in range(on.config.n_layer):
        found = units(on.seen, on.weights, layer)
        adds_T: list[float] = on.seen.added_PT[2 * layer + 2].tolist()
        most: list[Record] = []
        for t, unit in enumerate(found.most_T.tolist()):
            raised: list[int] = np.argsort(-found.raised_FV[unit], kind="stable")[:RAISED].tolist()
            most.append(
                {
                    "unit": unit, "number": float(found.hidden_TF[t, unit]),
                    "adds": float(found.lengths_TF[t, unit]), "raises": [names[i] for i in raised],
                }
            )  # fmt: skip
        layers.append(
            {
                "above": found.active_T.tolist(), "silent": found.silent, "adds": adds_T,
                "most": most,
            }
        )  # fmt: skip
    return {**window(on), "hidden": 4 * on.config.n_embd, "layers": layers}


def tell(numbers: dict[str, Any]) -> None:
    """Print a row for each position, a table for each layer."""
    say_window("The MLP", numbers)
    F, layers = numbers["hidden"], numbers["layers"]
    for layer in ends(len(layers)):
        found = layers[layer]
        say(f"Layer {layer}: {F - found['silent']} of {F} hidden numbers are above 0 here", "bold")
        say()
        stdout().print(_positions(found, numbers["read"], F))
        say()
    say_between(len(layers))
    say(
        "above 0: how many of the hidden numbers, after the relu. adds: the length of what the MLP "
        "and that unit alone add to the residual stream. unit: the hidden number that adds most. "
        "raises: the tokens whose logits its column of mlp_fc2 raises most, read by lm_head as it "
        "is."
    )


def _positions(found: Record, read: list[str], hidden: int) -> FittedTable:
    columns = ("above 0", "share", "MLP adds", "unit", "number", "unit adds", "raises")
    rows = table("", *columns, least=("share", "number", "raises"))
    rows.columns[-1].justify = "left"
    for shown, above, adds, most in zip(read, found["above"], found["adds"], found["most"]):
        rows.add_row(
            shown, f"{above}", f"{100 * above / hidden:.0f} %", figures(adds, 2),
            f"{most['unit']}", figures(most["number"], 2), figures(most["adds"], 2),
            " ".join(most["raises"]),
        )  # fmt: skip
    return rows


def _row(numbers: Any) -> str:
    return " ".join(f"{x + 0.0:g}" for x in numbers)
