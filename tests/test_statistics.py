"""The statistics of `microgpt data`, against the same counted text by text."""

from __future__ import annotations

import math
import random
from collections import Counter

import numpy as np
import pytest

from microgpt.counting import count
from microgpt.counting.count import counted
from microgpt.counting.ladder import ladder
from microgpt.counting.ngram import NGram
from microgpt.counting.statistics import BLOCKS, statistics
from microgpt.data.batch import lay_out
from microgpt.data.corpus import from_texts
from microgpt.data.split import split
from microgpt.data.tokenizer import Characters, encode_all
from microgpt.errors import DataError


def some_texts(n: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("abcé \n", k=rng.choice([0, 1, 3, 3, 40]))) for _ in range(n)]


@pytest.mark.parametrize("holdout", [0.0, 0.3, 0.9999])
def test_all_that_is_told_is_what_is_there(holdout: float) -> None:
    corpus = from_texts(some_texts(300, 1))
    texts = list(corpus.documents)
    told, doubt = statistics(corpus, holdout)
    try:
        parts = tuple(map(len, split(corpus, holdout)))
    except DataError as error:
        assert str(error) == doubt
        parts = (0, len(texts))
    most, times = Counter(texts).most_common(1)[0]
    lengths = np.sort([*map(len, texts)])
    assert (told["train"], told["held_out"]) == parts
    assert told["most_common"] == {"text": most, "times": times}
    assert told["duplicates"] == len(texts) - len(set(texts))
    assert told["characters"] == sum(map(len, texts))
    assert told["bytes"] == sum(len(text.encode()) for text in texts)
    assert told["alphabet"] == dict(sorted(Counter("".join(texts)).items()))
    assert told["lengths"]["0%"] == lengths[0]
    assert told["lengths"]["50%"] == lengths[(len(texts) - 1) // 2]
    assert told["lengths"]["100%"] == lengths[-1]
    for size, block in zip(BLOCKS, told["blocks"]):
        windows = [math.ceil((len(text) + 1) / size) for text in texts]
        assert block["windows"] == sum(windows)
        assert block["longer"] == sum(n > 1 for n in windows)
        assert block["dropped_by_cut"] == sum(max(len(text) - size, 0) for text in texts)
        tokens = Characters.of(texts)
        layout = lay_out(encode_all(tokens, texts), tokens.bos, size, "cut")
        assert (layout.dropped, layout.windowed) == (block["dropped_by_cut"], 0)
    whole = lay_out(encode_all(tokens, texts), tokens.bos, 99).batch
    rungs = ladder(whole, whole, tokens)
    assert told["losses"] == {name: rungs[name].mean for name in ("uniform", "unigram")}


def test_ngrams_are_counted_alike_in_small_parts_by_table_and_by_sorting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = some_texts(200, 2)
    tokens = Characters.of(texts)
    V, bos = tokens.vocab_size, tokens.bos
    batch = lay_out(encode_all(tokens, texts), bos, 9).batch
    for n in (1, 2, 4):
        grams: Counter[int] = Counter()
        for d in range(len(batch)):
            read, targets = (ids.tolist() for ids in batch.document(d))
            padded = [bos] * n + read
            for t, target in enumerate(targets):
                context = padded[t + 2 : t + n + 1]
                grams[sum(i * V**k for k, i in enumerate([target, *context[::-1]]))] += 1
        for at_once, table in ((1 << 20, 1 << 25), (1 << 20, 0), (7, 0), (7, 1 << 25)):
            monkeypatch.setattr(count, "AT_ONCE", at_once)
            monkeypatch.setattr(count, "_TABLE", table)
            pairs, times = counted(batch, n, V, bos)
            assert dict(zip(pairs.tolist(), times.tolist())) == grams
            assert pairs.tolist() == sorted(grams)


def test_losses_and_the_choice_of_n_do_not_depend_on_the_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = some_texts(200, 3)
    tokens = Characters.of(texts)
    V, bos = tokens.vocab_size, tokens.bos
    both = (lay_out(encode_all(tokens, its), bos, 9).batch for its in (texts[:150], texts[150:]))
    batch, held_out = both
    whole = NGram.chosen(batch, V, bos, held_out)
    losses_N = whole.losses(held_out)
    monkeypatch.setattr(count, "AT_ONCE", 11)
    monkeypatch.setattr(count, "_TABLE", 0)
    parted = NGram.chosen(batch, V, bos, held_out)
    assert parted.n == whole.n
    assert parted.losses(held_out).tolist() == losses_N.tolist()
    direct = NGram.of(batch, V, bos, whole.n)
    for name, values in direct.arrays().items():
        assert np.array_equal(values, whole.arrays()[name])
