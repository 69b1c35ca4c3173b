"""The share of good lines that `--flag-rate` and `contamination` flag, with and without repeats.

A file of 5,000 lines is drawn from a source, and a tenth of its texts held out. Then the share
flagged is computed over all texts of the source, each weighted with its probability: it is exact
except for texts that never repeat. A 95 % interval must cover it 95 times of 100.

Real: a model is trained on the file. Imagined: losses are drawn at random, lower for texts that are
in the file more often; this is quick enough for the tests.

    python benchmarks/flag_rate.py [SEEDS [IMAGINED]]
"""

from __future__ import annotations

import json
import math
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import microgpt
from microgpt.data.corpus import from_documents
from microgpt.data.datasets import names_path
from microgpt.data.split import split
from microgpt.engines import build_of
from microgpt.engines.machine import processors
from microgpt.errors import UsageError
from microgpt.scoring.price import Pricer
from microgpt.scoring.reference import Reference
from microgpt.scoring.repetition import choose, one_fewer
from microgpt.scoring.threshold import threshold

RECORD = Path(__file__).parent / "records" / "flag_rate.json"
LINES, HOLDOUT = 5000, 0.1
RATES = (0.01, 0.05)

WORDS = [
    "conn", "err", "user", "open", "close", "disk", "net", "retry", "timeout", "auth", "ok", "fail",
    "port", "host", "db", "cache",
]  # fmt: skip

Floats = NDArray[np.float64]


def equal(n: int) -> Floats:
    """Return the probabilities of n equally frequent texts."""
    return np.full(n, 1.0 / n)


def zipf(n: int, power: float = 1.0) -> Floats:
    """Return probabilities that fall with the rank."""
    p = np.arange(1, n + 1) ** -power
    return p / p.sum()


@dataclass(frozen=True)
class Kind:
    """A source of lines.

    Attributes:
        repeating: the share of lines that are one of these texts.
        shares: of these.
        what: the texts are made from, where a model is trained: "templates" or "names".
    """

    repeating: float
    shares: Floats
    what: str = "names"


SOURCES = {
    "all distinct": Kind(0.0, equal(1)),
    "1 of 20 repeats": Kind(0.05, equal(200), "templates"),
    "half repeats": Kind(0.5, equal(200), "templates"),
    "19 of 20 repeat": Kind(0.95, equal(200), "templates"),
    "20 templates": Kind(1.0, equal(20), "templates"),
    "200 templates": Kind(1.0, equal(200), "templates"),
    "1,000 templates": Kind(1.0, equal(1000), "templates"),
    "Zipf, 500": Kind(1.0, zipf(500, 0.7)),
    "Zipf, 2,000": Kind(1.0, zipf(2000)),
    "Zipf, 30,000": Kind(1.0, zipf(30_000)),
}


@dataclass(frozen=True)
class Found:
    """The rate that was promised, and the share found."""

    flagged: float
    expected: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the interval covers the share."""
        return self.low - 1e-12 <= self.flagged <= self.high + 1e-12


def imagined(kind: str, rate: float, seed: int) -> Found:
    """Draw a file and its texts' losses, and judge by it."""
    source, rng = SOURCES[kind], np.random.default_rng(seed)
    known = len(source.shares)
    is_known = rng.random(LINES) < source.repeating
    # The first ids are the texts that repeat; no two of the other lines are equal.
    ids = np.where(is_known, rng.choice(known, LINES, p=source.shares), known + np.arange(LINES))
    fresh = 20_000
    lengths = rng.integers(3, 13, known + LINES + fresh)
    base = 2.0 + rng.gumbel(size=len(lengths)) * rng.uniform(0.3, 0.8) / np.sqrt(lengths / 8)
    held_out = rng.random(len(lengths)) < HOLDOUT
    times = np.bincount(ids, minlength=len(lengths))
    start, gain = rng.choice([1, 3, 10]), rng.uniform(0.0, 0.5)
    learnt = np.where(held_out, 0, times)
    costs = base - gain * np.log(1.0 + learnt / start)
    trained, kept = ([*map(str, ids[held_out[ids] == which].tolist())] for which in (False, True))
    chosen = choose(trained, kept, seed)
    at = np.array([int(text) for text in chosen.texts])
    usual = Reference(
        lengths[at], one_fewer(costs[at], chosen.learnt_D), chosen.lines_D, chosen.repetition
    )
    found = threshold(usual, rate)
    again, new = slice(known), slice(known + LINES, None)
    share = source.repeating * float(source.shares @ found.flags(lengths[again], costs[again]))
    share += (1.0 - source.repeating) * float(found.flags(lengths[new], costs[new]).mean())
    return Found(share, found.expected, found.low, found.high)


def template(rng: random.Random) -> str:
    """Write a line of a log."""
    return f"{' '.join(rng.choices(WORDS, k=rng.randint(2, 6)))} {rng.randrange(1000)}"


def texts_of(source: Kind, seed: int) -> tuple[list[str], Floats]:
    """Return all texts of a source, and their probabilities; those that never repeat come last."""
    rng = random.Random(seed)
    names = names_path().read_text("utf-8").split()
    rng.shuffle(names)
    n = len(source.shares) if source.repeating else 0
    if source.what == "templates":
        made: dict[str, None] = {}
        while len(made) < n:
            made[template(rng)] = None
        again, others = [*made], names
    else:
        again, others = names[:n], names[n:]
    if source.repeating == 1.0:
        others = []
    share = (1.0 - source.repeating) / max(len(others), 1)
    return [*again, *others], np.concatenate(
        [source.repeating * source.shares[:n], np.full(len(others), share)]
    )


def real(kind: str, seed: int, recipe: dict[str, Any]) -> list[dict[str, Any]]:
    """Train on a file from a source, and judge by the present, the former, scikit-learn's rule."""
    source, rng = SOURCES[kind], np.random.default_rng(seed)
    texts, shares = texts_of(source, seed)
    n = len(source.shares) if source.repeating else 0
    is_known = rng.random(LINES) < source.repeating
    ids = np.where(
        is_known, rng.choice(len(source.shares), LINES, p=source.shares), n + np.arange(LINES)
    )
    # A text that is in the file once does not come again.
    seen = np.zeros(len(texts), dtype=bool)
    seen[ids[ids >= n]] = True
    shares = np.where(seen, 0.0, shares)
    shares /= shares.sum()
    documents = [texts[i] for i in ids.tolist()]
    held_out = split(from_documents(documents), HOLDOUT)[1]
    if not held_out:  # of 20 texts none may be
        return []
    with tempfile.TemporaryDirectory() as where:
        run = microgpt.train(
            documents, out=Path(where) / "run", seed=seed, holdout=HOLDOUT, engine="native",
            threads=1, **recipe,
        )  # fmt: skip
        usual = run.usual
        priced = Pricer(run.predictor, run.tokenizer, run.settings.model.block_size).price(texts)
    assert usual is not None
    lengths, means = priced.laid.lengths_D, priced.means_D
    number = {text: i for i, text in enumerate(texts)}
    at = np.array([number[text] for text in held_out])
    rows: list[dict[str, Any]] = []
    for rate in RATES:
        told = threshold(usual.reference, rate)
        now = Found(float(shares @ told.flags(lengths, means)), told.expected, told.low, told.high)
        row = {"source": kind, "rate": rate, "seed": seed, **vars(now), "holds": now.holds}
        try:
            old = threshold(Reference(lengths[at], means[at]), rate)
            flagged = float(shares @ old.flags(lengths, means))
            row |= {"before": flagged, "before_holds": old.low <= flagged <= old.high}
        except UsageError:  # too few
            pass
        # One class of all lengths.
        one = Reference(
            np.zeros_like(usual.lengths_D), usual.means_D, usual.lines_D, usual.repetition
        )
        row["contamination"] = float(shares @ (means > threshold(one, rate).means_C[0]))
        rows.append(row)
    return rows


def summed(kind: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sum rows up for each rate: how often an interval covered the share, and the mean shares."""
    found: list[dict[str, Any]] = []
    for rate in RATES:
        some = [row for row in rows if row["rate"] == rate]
        told: dict[str, Any] = {"source": kind, "rate": rate, "n": len(some)}
        for name in ("holds", "before_holds"):
            told[name] = sum(row.get(name, False) for row in some)
        for name in ("flagged", "expected", "low", "high", "before", "contamination"):
            values = [row[name] for row in some if name in row]
            told[name] = round(math.fsum(values) / len(values), 6) if values else None
        found.append(told)
        print(
            f"{kind:16} {rate:.0%}: flagged {told['flagged']:.2%}, told {told['expected']:.2%} "
            f"({told['low']:.2%} to {told['high']:.2%}), holds {told['holds']} of {len(some)}; "
            f"that of held-out documents alone {told['before_holds']}",
            flush=True,
        )
    return found


RECIPES: dict[str, dict[str, Any]] = {
    "GPT": {"preset": "microgpt", "steps": 300, "batch_size": 16, "ngram": 0},
    "GPT + counts": {"preset": "microgpt", "steps": 300, "batch_size": 16, "ngram": 5},
}


def main() -> None:
    """Measure, print, and write the record."""
    seeds, many = (int(word) for word in [*sys.argv[1:], *("20", "400")[len(sys.argv) - 1 :]])
    record: dict[str, Any] = {
        "date": time.strftime("%Y-%m-%d"), "threads": processors(), "build": build_of("native"),
        "lines": LINES, "holdout": HOLDOUT, "real": [], "imagined": [],
    }  # fmt: skip
    for name, recipe in RECIPES.items():
        print(f"{name}:")
        for kind in SOURCES:
            rows = [row for seed in range(seeds) for row in real(kind, seed, recipe)]
            record["real"] += [{"model": name, **row} for row in summed(kind, rows)]
    print("imagined:")
    for kind in SOURCES:
        tried = [(rate, imagined(kind, rate, s)) for rate in RATES for s in range(many)]
        rows = [{"rate": rate, **vars(one), "holds": one.holds} for rate, one in tried]
        record["imagined"] += summed(kind, rows)
    RECORD.write_text(f"{json.dumps(record, indent=1)}\n", "utf-8")


if __name__ == "__main__":
    main()
