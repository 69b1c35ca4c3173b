"""Sample surnames from a GPT and from n-grams: how many are new, and how many of these real?

In: the embedded 32,000 surnames, a quarter of them held back from all models. Out: how many of each
model's 4,000 samples are not in its training data, and how many of these are in that quarter.

    python examples/surnames.py
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from measure import counted, drawn, price, table

import microgpt
from microgpt.data.datasets import names_path

SAMPLES = 4000


def main() -> None:
    """Train, sample, look the samples up."""
    names = names_path().read_text("ascii").split()
    random.Random(1).shuffle(names)
    aside, rest = names[: len(names) // 4], names[len(names) // 4 :]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "surnames.txt").write_text("\n".join(rest))
        run = microgpt.train(
            Path(folder) / "surnames.txt", preset="micro", seed=1, out=Path(folder) / "run"
        )
        counts = {f"{run.ngram.n}-grams": run.ngram, "pairs": counted(run, 2)}
        texts = {"microgpt": run.sample(SAMPLES, temperature=1.0)}
        losses = {"microgpt": price(run, aside).losses_N.mean()}
    for name, model in counts.items():
        texts[name] = drawn(run, model, SAMPLES, seed=1)
        losses[name] = price(run, aside, model).losses_N.mean()
    known, unread = set(rest), set(aside)
    rows = []
    for name, made in texts.items():
        new = [text for text in made if text not in known]
        found = sum(text in unread for text in new) / len(new)
        rows.append([name, f"{losses[name]:.3f}", f"{len(new) / len(made):.1%}", f"{found:.1%}"])
    table(["samples of", "nats a character", "new", "of these real names"], rows)
    for name in ("microgpt", "pairs"):
        print(f"\nNew, of {name}:", *[text for text in texts[name] if text not in known][:8])


if __name__ == "__main__":
    main()
