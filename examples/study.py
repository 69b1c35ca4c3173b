"""Which learning rate, at which width? A study with five seeds, and what one seed would have said.

In: the embedded 32,000 surnames. Out: of each learning rate and width the mean held-out loss of
five trainings, their standard deviation, and the mean difference to the best, seed by seed, with
its 95 % interval; and how often single trainings disagree about the best.

    python examples/study.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
from measure import table

import microgpt
from microgpt.sweep.cells import Paired

GRID = {"lr": [0.002, 0.004, 0.008], "n_embd": [16, 32, 64]}
SEEDS = 5


def main() -> None:
    """Train all combinations, compare them."""
    with tempfile.TemporaryDirectory() as folder:
        frame: pd.DataFrame = microgpt.study(
            None, GRID, SEEDS, preset="microgpt", steps=1000, out=Path(folder) / "study"
        )
    # A row a seed, a column a combination.
    losses = frame.pivot(index="seed", columns=["lr", "n_embd"], values="loss")
    best = losses.mean().idxmin()
    rows = []
    for cell, its in losses.sort_index(axis=1).items():
        to_best = Paired.of(its.to_dict(), losses[best].to_dict())
        compared = ["best", ""]
        if cell != best:
            compared = [f"{to_best.mean:+.3f}", f"{to_best.low:+.3f} to {to_best.high:+.3f}"]
        rows.append([f"{cell[0]:g}, {cell[1]}", f"{its.mean():.3f}", f"{its.std():.3f}", *compared])
    table(["lr, n_embd", "mean", "sd", "to the best", "interval"], rows)
    chosen = losses.idxmin(axis=1)
    same = sum(cell == best for cell in chosen)
    print(f"\nWith one seed the same one is best {same} of {SEEDS} times.")


if __name__ == "__main__":
    main()
