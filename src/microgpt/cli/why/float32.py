"""What float32 makes of a softmax that is computed as its formula says, in two tables.

In: logits. Out: the same softmax with and without the largest subtracted; -log p of a small p.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from microgpt.cli.terminal.console import stdout
from microgpt.cli.terminal.say import say
from microgpt.cli.terminal.tables import table
from microgpt.loss.many import Softmax

ADDED = (0, 80, 86, 87, 1000, -100, -103, -106, -1000)
"""What is added to each logit."""

GAPS = (10, 50, 100, 104, 1000)
"""How far the target's logit is below the largest."""


def naive(logits_V: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return exp / sum as the formula says it.

    >>> naive(np.array([0.0, 0.0], np.float32)), naive(np.array([90.0, 90.0], np.float32))
    (array([0.5, 0.5], dtype=float32), array([nan, nan], dtype=float32))
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        exps_V = np.exp(logits_V)
        return exps_V / exps_V.sum()


def say_float32(logits: Sequence[float]) -> None:
    """Print the two tables."""
    say("The same in float32, with a number added to each logit:", "bold")
    say()
    rows = table("added", "exp / sum", "- largest first", left=0)
    for added in ADDED:
        row = np.array(logits, np.float32) + np.float32(added)
        rows.add_row(f"{added:,}", _shares(naive(row)), _shares(naive(row - row.max())))
    stdout().print(rows)
    say()
    say(
        "float32 ends at 3.4e38 = e^88.7, and begins at 1.4e-45: larger numbers are inf, smaller "
        "ones are 0, and near 0 a number has few digits. inf / inf and 0 / 0 are nan."
    )
    say()
    say("A target whose logit is far below the largest: softmax, then the logarithm.", "bold")
    say()
    rows = table("below by", "p in float32", "-log p", "both at once", left=0)
    for gap in GAPS:
        p = naive(np.array([0.0, -gap], np.float32))[1]
        with np.errstate(divide="ignore"):
            late = -np.log(p)
        loss = Softmax(np.array([[0.0, -float(gap)]])).losses(np.array([1]))[0]
        rows.add_row(f"{gap:,}", f"{p:.3g}", f"{late:.4f}", f"{loss:.4f}")
    stdout().print(rows)
    say()
    say("The loss is log(sum) - (logit - largest): no p is computed. See microgpt why loss.")
    say()


def _shares(p_V: NDArray[np.float32]) -> str:
    return " ".join(f"{p:.3f}" for p in p_V.tolist())
