"""`microgpt why rmsnorm`: why a vector is divided by its size.

In: nothing, or a run and a text. Out: the size of each row before every norm and after it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import FittedTable, table
from microgpt.cli.why.place import Record, say_window, short, window
from microgpt.cli.why.subject import Subject
from microgpt.inside.norms import sizes
from microgpt.inside.observed import observe
from microgpt.inside.operations import ArrayOps
from microgpt.wording import figures

ROWS = ((3.0, 4.0), (30.0, 40.0), (-3.0, 4.0), (0.003, 0.004), (0.0, 0.0))
"""The rows of the example."""

PARTS = (1, 4, 12)
GROWTH = 3.0
"""What one part multiplies a row by, in the example, and how many parts there are."""

TIMES = 10.0
"""What the embeddings of a run are multiplied by."""

FEW = 7
"""The size at each position is shown for models with at most so many norms of the stream."""


def example() -> None:
    """Print a few rows, their sizes and what the norm makes of them."""
    say("RMSNorm: a row, divided by the root of its mean square.", "bold")
    say()
    x_TD = np.array(ROWS)
    normed_TD = ArrayOps().rmsnorm(x_TD)
    rows = table("row", "mean square", "its root", "row / root", left=0)
    for x_D, size, normed_D in zip(x_TD, sizes(x_TD), normed_TD):
        rows.add_row(_row(x_D), f"{size**2:.4g}", f"{size:.4g}", _row(normed_D))
    stdout().print(rows)
    say()
    say(
        "Ten times as large a row gives the same: only the direction is left. 0.00001 is added to "
        "the mean square, so that a row of zeros is not divided by zero: it stays zero, and a very "
        "small row stays small."
    )
    say()
    say(
        f"Parts that each make a row {GROWTH:g} times as large, or as small, without norms:", "bold"
    )
    say()
    rows = table("parts", "as large", "as small", left=0)
    for parts in PARTS:
        rows.add_row(f"{parts}", f"{GROWTH**parts:,.0f}", f"{GROWTH**-parts:.1e}")
    stdout().print(rows)
    say()
    say("With a norm before each part, every part reads rows of size 1.")


def numbers(on: Subject) -> dict[str, Any]:
    """Return the size of each row before every norm and after it."""
    norms = [
        {
            "norm": short(norm.name), "before": sizes(norm.before_TD).tolist(),
            "after": sizes(norm.after_TD).tolist(),
        }
        for norm in on.seen.norms
    ]  # fmt: skip
    larger = {n: w * (TIMES if n in ("wte", "wpe") else 1.0) for n, w in on.weights.items()}
    moved_TV = observe(on.config, larger, on.read.tokens).logits_TV
    change = float(np.abs(moved_TV - on.seen.logits_TV).max())
    return {
        **window(on),
        "norms": norms,
        "embeddings": {"times": TIMES, "logits_change_by": change},
    }


def tell(numbers: dict[str, Any]) -> None:
    """Print a row for each norm; of a model with few norms also one for each position."""
    say_window("RMSNorm", numbers)
    norms = numbers["norms"]
    rows = table("norm of", "smallest", "mean", "largest", "after it", least=("mean",))
    for norm in norms:
        before, after = norm["before"], norm["after"]
        cells = (min(before), sum(before) / len(before), max(before), sum(after) / len(after))
        rows.add_row(norm["norm"], *(figures(size) for size in cells))
    stdout().print(rows)
    say()
    of_stream = [norm for norm in norms if not norm["norm"].startswith(("queries", "keys"))]
    if len(of_stream) <= FEW:
        say("The size of each row before the norm", "bold")
        say()
        stdout().print(_positions(of_stream, numbers["read"]))
        say()
    moved = numbers["embeddings"]
    say(
        f"With all embeddings multiplied by {moved['times']:g} no logit changes by more than "
        f"{moved['logits_change_by']:.1e}: the first norm divides it away."
    )
    say()
    say(
        "size: the root of the mean square of a row, its length / sqrt(D). after it: the mean size "
        "of the rows that come out; it is 1 less what is added to the mean square."
    )


def _positions(norms: list[Record], read: list[str]) -> FittedTable:
    rows = table("", *(norm["norm"] for norm in norms))
    for t, shown in enumerate(read):
        rows.add_row(shown, *(figures(norm["before"][t], 2) for norm in norms))
    return rows


def _row(numbers: Any) -> str:
    return " ".join(f"{x + 0.0:.4g}" for x in numbers)
