"""Mistakes among the first fifty rows, by models that did not learn from a row and by one that did.

20,000 rows, 52 of them with one mistake: product names of `examples/products.py`, each mistake in
one row or in four, and surnames. `microgpt suspicious` chooses how long its models train. Beside it
one model that learns from all rows, mistakes included, for as long as one of these, and for as long
as all of them together. Counted are the mistakes among the first fifty texts, copies told once; and
of the suggestions for these how many are right.

    python benchmarks/suspicious.py [SEEDS]
"""

from __future__ import annotations

import datetime
import json
import random
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
from products import WRONG, misspelt, products

from microgpt.data.corpus import Source, read
from microgpt.data.reader.block import Block
from microgpt.data.texts import Texts
from microgpt.engines import build_of
from microgpt.engines.machine import processors
from microgpt.folds.crossed import Crossed
from microgpt.folds.ranked import ranked
from microgpt.runs import prepared
from microgpt.scoring.price import Pricer

RECORD = Path(__file__).parent / "records" / "suspicious.json"
FIRST = 50
Found = tuple[list[str], dict[str, str]]


def surnames(seed: int) -> Found:
    """Return 20,000 surnames, some with a mistake in them, and what was meant by these."""
    rng = random.Random(seed)
    names = rng.sample([*read(Source()).documents], 20_000)
    long = [place for place, name in enumerate(names) if len(name) >= 5]
    meant: dict[str, str] = {}
    for place in rng.sample(long, WRONG):
        wrong = misspelt(names[place], rng)
        meant[wrong] = names[place]
        names[place] = wrong
    return names, meant


KINDS = {
    "product names, each mistake once": lambda seed: products(seed),
    "product names, each mistake four times": lambda seed: products(seed, copies=4),
    "surnames, each mistake once": surnames,
}


def first(texts: list[str], keys_U: np.ndarray, meant: dict[str, str]) -> int:
    """Return how many mistakes are among the first texts, by descending keys."""
    order = np.argsort(-keys_U, kind="stable")[:FIRST]
    return sum(texts[u] in meant for u in order.tolist())


def folded(names: list[str], meant: dict[str, str]) -> tuple[dict[str, object], Crossed]:
    """Find mistakes as `microgpt suspicious` does; by the mean loss of a text, too."""
    crossed = Crossed(Texts.of(names))
    for _ in crossed:
        pass
    texts = [*crossed.texts_U]
    block = Block(names, [None] * len(names), numbers=range(1, len(names) + 1))
    found = ranked(crossed, block, FIRST)
    wrong = [(t, one) for t, one in zip(found.block.texts, found.meant) if t in meant]
    suggested = sum(one is not None for _, one in wrong)
    right = sum(one is not None and one.text == meant[text] for text, one in wrong)
    others = sum(one is not None for one in found.meant) - suggested
    row = {
        "seconds": crossed.tried[-1][0],
        "models": crossed.folds,
        "found": len(wrong),
        "by_mean": first(texts, crossed.means_U, meant),
        "suggested": suggested,
        "right": right,
        "good_ones_suggested": others,
    }
    return row, crossed


def learnt(names: list[str], meant: dict[str, str], crossed: Crossed, seconds: float) -> int:
    """Find mistakes with one model that learnt from all rows, in the same way."""
    trainer = prepared.in_memory(Texts.of(names), seconds=seconds).trainer
    for _ in trainer:
        pass
    pricer = Pricer(trainer.predictor, trainer.task.tokenizer, trainer.task.model.block_size)
    groups = [crossed.texts_U[i : i + 8192] for i in range(0, len(crossed.texts_U), 8192)]
    priced = [*pricer.each(crossed.texts_U)]
    nats = sum(float(one.losses_N.sum()) for one in priced)
    usual = nats / sum(len(one.losses_N) for one in priced)
    surprises_U = np.concatenate([pricer.unexpected(some).surprises(usual) for some in groups])
    return first([*crossed.texts_U], surprises_U, meant)


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows: list[dict[str, object]] = []
    for seed in range(1, seeds + 1):
        for kind, make in KINDS.items():
            names, meant = make(seed)
            row, crossed = folded(names, meant)
            seconds = crossed.tried[-1][0]
            row |= {
                "kind": kind,
                "seed": seed,
                "mistakes": sum(text in meant for text in crossed.texts_U),
                "learnt": learnt(names, meant, crossed, seconds),
                "learnt_as_long": learnt(names, meant, crossed, seconds * crossed.folds),
            }
            rows.append(row)
            print(json.dumps(row), flush=True)
    record = {
        "date": str(datetime.date.today()),
        "threads": processors(),
        "build": build_of("native"),
        "rows": rows,
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
