"""The counting baselines, against dictionaries and exact fractions."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest

from microgpt.counting.ladder import ladder, uniform
from microgpt.counting.ngram import NGram
from microgpt.counting.pairs import Counts
from microgpt.data.batch import Batch, lay_out
from microgpt.data.tokenizer import Characters


def witten_bell(batch: Batch, v: int) -> tuple[list[Fraction], list[list[Fraction]]]:
    """All unigram and bigram probabilities, counted in dictionaries."""
    pairs = list(zip(batch.tokens_N.tolist(), batch.targets_N.tolist()))
    letters = Counter(c for _, c in pairs)
    n, types = len(pairs), len(letters)
    p1 = [(letters[c] + Fraction(types, v)) / (n + types) for c in range(v)]
    following: dict[int, Counter[int]] = defaultdict(Counter)
    for a, c in pairs:
        following[a][c] += 1
    p2 = []
    for a in range(v):
        seen = following[a]
        t = len(seen)
        p2.append([(seen[c] + t * p1[c]) / (sum(seen.values()) + t) if t else p1[c]
                   for c in range(v)])  # fmt: skip
    return p1, p2


@pytest.mark.parametrize("documents", [1, 10, 200])
def test_counts_are_those_of_dictionaries(documents: int) -> None:
    rng = random.Random(documents)
    v = 9  # id 7 never comes
    made = [[rng.randrange(7) for _ in range(rng.randint(0, 6))] for _ in range(documents)]
    batch = lay_out(made, bos=8, block_size=16).batch
    p1, p2 = witten_bell(batch, v)
    assert sum(p1) == 1
    assert all(sum(row) == 1 for row in p2)
    everything = Batch(
        np.repeat(np.arange(v, dtype=np.int32), v),
        np.tile(np.arange(v, dtype=np.int32), v),
        np.array([0, v * v]),
    )
    counts = Counts.of(batch, v)
    losses = counts.unigram(everything).reshape(v, v)
    for row in losses:
        assert row == pytest.approx([-math.log(p) for p in p1], rel=1e-12)
    expected = [-math.log(p) for row in p2 for p in row]
    assert counts.bigram(everything) == pytest.approx(expected, rel=1e-12)


def test_a_ladder_prices_the_same_positions_on_every_rung() -> None:
    tokenizer = Characters.of(["ada", "bea", "eda"])
    encode = lambda text: tokenizer.encode(text)[0]  # noqa: E731
    counted = lay_out(map(encode, ["ada", "bea"]), tokenizer.bos, 8).batch
    rungs = ladder(counted, lay_out([encode("eda")], tokenizer.bos, 8).batch, tokenizer)
    assert list(rungs) == ["uniform", "unigram", "bigram"]
    assert rungs["uniform"].mean == pytest.approx(uniform(5)) == pytest.approx(math.log(5))
    assert {total.positions for total in rungs.values()} == {4}
    unknown = ladder(counted, lay_out([encode("xda")], tokenizer.bos, 8).batch, tokenizer)
    blind = 3 * math.log(5) + tokenizer.unknown_nats
    assert unknown["uniform"].nats == pytest.approx(blind)
    assert all(total.nats > tokenizer.unknown_nats for total in unknown.values())


@pytest.mark.parametrize("n", [1, 2, 5])
def test_pairs_are_the_same_where_an_ngram_has_counted_them(n: int) -> None:
    rng = random.Random(n)
    made = [[rng.randrange(7) for _ in range(rng.randint(0, 9))] for _ in range(80)]
    tokenizer = Characters.of(["abcdefgh"])
    counted = lay_out(made, tokenizer.bos, 4).batch  # in windows, too
    ngram = NGram.of(counted, tokenizer.vocab_size, tokenizer.bos, n)
    for counts in (None, ngram):
        rungs = [
            ladder(counted, counted, tokenizer, counts, whole=whole) for whole in (False, True)
        ]
        assert rungs[0] == rungs[1]
    if n > 1:
        found, expected = Counts.of_ngram(ngram), Counts.of(counted, tokenizer.vocab_size)
        for name, value in vars(expected).items():
            assert np.array_equal(vars(found)[name], value)
