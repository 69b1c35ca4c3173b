"""The cache of a text, against one written with dictionaries: what came before, no more."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt.counting import cache as caches
from microgpt.counting.cache import CLASSES, TextCache
from microgpt.counting.earlier import Earlier
from microgpt.counting.linear import LinearMixture
from microgpt.counting.ngram import NGram
from microgpt.data import history
from microgpt.data.batch import Batch, whole
from microgpt.data.encoded import Encoded
from microgpt.data.measured import overlapped
from microgpt.data.windows import APART
from microgpt.errors import UsageError
from microgpt.scoring.logits import blocks

Docs = list[list[int]]
V, BOS, BLOCK = 5, 4, 4
WEIGHTS = tuple((1 + i) / 16 for i in range(CLASSES))
token = st.integers(0, 3)
text = st.one_of(
    st.lists(token, max_size=9),
    st.lists(token, min_size=36, max_size=90),
    st.lists(token, min_size=5, max_size=12).map(lambda ids: [*ids * 7, 0, *ids]),
)
repetitive = st.lists(text, min_size=1, max_size=3)


def by_hand(docs: Docs) -> list[tuple[int, Counter[int]]]:
    """For each position the class of its context, -1: none; and what followed it before."""
    found = list[tuple[int, Counter[int]]]()
    for ids in docs:
        targets = [*ids, BOS]
        seen: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for i, target in enumerate(targets):
            contexts = [tuple(targets[i - k : i]) for k in (5, 4, 3) if i >= k]
            followed, number = Counter[int](), -1
            for context in contexts:
                if context in seen:
                    followed = Counter(seen[context])
                    number = 4 * (5 - len(context)) + min(followed.total(), 4) - 1
                    break
            found.append((number, followed))
            for context in contexts:
                seen[context][target] += 1
    return found


def laid(docs: Docs) -> tuple[Batch, Batch]:
    texts = whole(Encoded.of(docs, BOS))
    return texts, overlapped(texts, BLOCK)


def counts(n: int) -> NGram:
    return NGram.of(whole(Encoded.of([[0, 1, 2, 3], [2, 0, 0]], BOS)), V, BOS, n)


def mixture(cache: TextCache | None) -> LinearMixture:
    return LinearMixture(counts(3), counts(1), 0.3, cache)  # pairs, in place of a GPT


@given(repetitive)
def test_losses_are_those_of_a_dictionary_of_what_came_before(docs: Docs) -> None:
    texts, batch = laid(docs)
    alone, cached = mixture(None), mixture(TextCache(WEIGHTS))
    expected = list[float]()
    is_long = [len(ids) + 1 > APART * BLOCK for ids in docs for _ in range(len(ids) + 1)]
    losses = batch.counted(alone.losses(batch)).tolist()
    for (number, followed), target, nats, has_history in zip(
        by_hand(docs), texts.targets_N.tolist(), losses, is_long, strict=True
    ):
        p = math.exp(-nats)
        if number >= 0 and has_history:
            share = followed[target] / followed.total()
            p = (1 - WEIGHTS[number]) * p + WEIGHTS[number] * share
        expected.append(-math.log(p))
    assert batch.counted(cached.losses(batch)).tolist() == pytest.approx(expected, rel=1e-12)


@given(repetitive, st.sampled_from([1 << 17, 1 << 30]), st.integers(0, 100))
def test_large_alphabets_repeat_as_small_ones_do(docs: Docs, size: int, seed: int) -> None:
    found = Earlier.of(whole(Encoded.of(docs, BOS)))
    names = random.Random(seed).sample(range(size), 5)  # of which the order is another
    others = Earlier.of(whole(Encoded.of([[names[i] for i in ids] for ids in docs], names[BOS])))
    for name in ("length_N", "times_N", "hits_N"):
        assert getattr(found, name).tolist() == getattr(others, name).tolist()


@given(repetitive, st.integers(5, 200))
def test_logits_are_distributions_and_agree_with_losses(docs: Docs, size: int) -> None:
    _, batch = laid(docs)
    cached = mixture(TextCache(WEIGHTS))
    losses_N = batch.counted(cached.losses(batch))
    targets_N = batch.counted(batch.targets_N)
    for its, piece in batch.pieces(size):
        logits_NV = cached.logits(piece)
        assert np.exp(logits_NV).sum(axis=1) == pytest.approx(1.0, abs=1e-12)
        whole_NV = cached.logits(batch)[its]
        assert logits_NV == pytest.approx(whole_NV, abs=1e-12)
    for its, logits_NV in blocks(cached, batch, V):
        nats = -logits_NV[np.arange(len(logits_NV)), targets_N[its]]
        assert nats.tolist() == pytest.approx(losses_N[its].tolist(), abs=1e-9)


@given(st.lists(st.integers(0, 3), min_size=40, max_size=90), st.data())
def test_a_later_token_changes_no_earlier_loss(ids: list[int], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(ids) - 1))
    others = [*ids[:at], (ids[at] + 1) % 4, *ids[at + 1 :]]
    cached = mixture(TextCache(WEIGHTS))
    one, other = (
        batch.counted(cached.losses(batch)).tolist() for _, batch in map(laid, ([ids], [others]))
    )
    assert one[:at] == other[:at]


@given(repetitive, st.randoms())
def test_windows_in_any_order_keep_their_history(docs: Docs, rng: random.Random) -> None:
    _, batch = laid(docs)
    cached = mixture(TextCache(WEIGHTS))
    order = np.array(rng.sample(range(len(batch)), len(batch)))
    parts = np.split(cached.losses(batch), batch.documents[1:-1])
    taken = cached.losses(batch.take(order)).tolist()
    assert taken == [nats for d in order for nats in parts[d].tolist()]
    few = batch.head(20)
    assert cached.losses(few).tolist() == cached.losses(batch).tolist()[: few.positions]


def test_where_the_gpt_s_probability_underflows_its_logarithm_is_kept() -> None:
    class Sure:
        def logits(self, batch: Batch) -> np.ndarray:
            return np.tile([0.0, -900.0, 0.0, 0.0, 0.0], (batch.positions, 1))

    _, batch = laid([[0, 2, 3] * 20])
    cached = LinearMixture(Sure(), counts(1), 0.0, TextCache((0.5,) * CLASSES))  # type: ignore[arg-type]
    left_N = np.exp(cached.logits(batch)[:, 1] + 900.0 + np.log(4))
    assert sorted(set(left_N.round(9).tolist())) == [0.5, 1.0]


@pytest.mark.parametrize("length", [30, 600])
def test_each_weight_is_the_best_on_a_hundred_positions_or_more(length: int) -> None:
    rng = np.random.default_rng(1)
    ids = np.concatenate([rng.integers(0, 4, length), np.tile(rng.integers(0, 4, 40), 10)])
    _, batch = laid([ids.tolist()])
    model = mixture(None)
    losses_N, gpt_N = model.fit(batch)
    assert gpt_N.tolist() == batch.counted(model.gpt.losses(batch)).tolist()
    assert model.cache is not None
    assert losses_N.tolist() == batch.counted(model.losses(batch)).tolist()
    times = Counter(number for number, _ in by_hand([ids.tolist()]))
    few = [number for number in range(CLASSES) if times[number] < 100]
    groups = [few, *([number] for number in range(CLASSES) if times[number] >= 100)]
    assert 1 < len(groups) < CLASSES
    for group in groups:
        weights = [*model.cache.weights]
        (weight,) = {weights[number] for number in group}
        if sum(times[number] for number in group) < 100:
            assert weight == 0.0
            continue
        for nudged in (weight * 0.9, min(weight * 1.1 + 0.001, 0.999)):  # is not better
            for number in group:
                weights[number] = nudged
            other = LinearMixture(model.gpt, model.ngram, model.weight, TextCache(tuple(weights)))
            assert batch.counted(other.losses(batch)).sum() >= losses_N.sum() - 1e-9


def test_a_model_that_has_diverged_has_losses_that_show_it() -> None:
    class Diverged:
        def losses(self, batch: Batch) -> np.ndarray:
            return np.full(batch.positions, np.inf)

    _, batch = laid([[0, 1, 2, 3] * 90])
    model = LinearMixture(Diverged(), counts(1))  # type: ignore[arg-type]
    _, gpt_N = model.fit(batch)
    assert not np.isfinite(gpt_N).any()
    bare_N = np.full(batch.n_counted, np.inf)
    assert TextCache.fit(bare_N, batch)[1].max() == np.inf


def test_short_texts_have_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    docs = [[0, 1, 2, 3] * 7, [1, 2]]
    _, batch = laid(docs)
    model = mixture(None)
    model.fit(batch)
    assert batch.history is None
    assert model.cache is None
    long = [[0, 1, 2, 3] * 90]
    assert laid(long)[1].history is not None
    monkeypatch.setattr(history, "MOST", 300)
    assert laid(long)[1].history is None


def test_what_is_repeated_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = list[Batch]()

    def counting(texts: Batch) -> Earlier:
        counted.append(texts)
        return Earlier.of(texts)

    class Counting(Earlier):
        of = staticmethod(counting)  # type: ignore[assignment]

    monkeypatch.setattr(caches, "Earlier", Counting)
    _, batch = laid([[0, 1, 2, 3] * 90])
    model = mixture(TextCache(WEIGHTS))
    for _ in range(3):
        model.losses(batch)
        model.losses(batch.head(50))
        model.fit(batch)
    assert len(counted) == 1


def test_weights_that_are_none_are_refused() -> None:
    for wrong in ((0.1,) * 11, (*WEIGHTS[:-1], 1.0), (*WEIGHTS[:-1], -0.1), (math.nan,) * 12):
        with pytest.raises(UsageError, match=r"^cache must be 12 weights in \[0, 1\); got \["):
            TextCache(wrong)
