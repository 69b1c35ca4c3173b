"""The n-gram model, against one written with dictionaries; its mixture with the GPT."""

from __future__ import annotations

import math
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.config import GPTConfig
from microgpt.counting import order
from microgpt.counting.linear import LinearMixture
from microgpt.counting.ngram import NGram
from microgpt.counting.order import Order
from microgpt.counting.weight import MOST_WEIGHT, fitted, mixed
from microgpt.data.batch import Batch
from microgpt.errors import RunError, UsageError
from microgpt.runs import checkpoint
from tests.conftest import laid_out, opened

V, BOS, N = 5, 4, 4
DOCUMENTS = [[0, 1, 2, 3], [0, 1, 2], [1, 1, 2, 0], [3], [0, 1, 3, 3, 3], [2, 1, 0]]
OTHERS = [[0, 1, 2, 2], [3, 3, 3, 3, 3, 3], [1]]


def batch(documents: list[list[int]]) -> Batch:
    return laid_out(documents, bos=BOS, block_size=8)


def test_a_pair_s_place_finds_its_context_seen_or_not_at_either_end_too() -> None:
    V, rng = 7, np.random.default_rng(3)
    contexts, targets = (its.ravel() for its in np.mgrid[0:60, 0:V])
    p_N = rng.random(len(contexts))
    for seen in ([0], [419], [210, 211], *(rng.choice(420, n, replace=False) for n in (9, 90))):
        pairs = np.sort(np.array(seen, dtype=np.int64))
        order = Order.of(pairs, rng.integers(1, 4, len(pairs)), V)
        counts = dict(zip(order.pairs.tolist(), order.counts.tolist()))
        totals_N, back_N = order.backing(contexts)  # which searches contexts
        seen_N = [max(counts.get(int(key), 0) - order.discount, 0.0)
                  for key in contexts * V + targets]  # fmt: skip
        expected_N = (np.array(seen_N) + back_N * p_N) / totals_N
        assert (order.mixed(contexts, targets, p_N) == expected_N).all(), seen


def by_the_book(trained: list[list[int]], documents: list[list[int]]) -> list[float]:
    """Compute Kneser and Ney's formula, one position after the other."""
    grams = Counter()
    for document in trained:
        padded = [BOS] * N + document + [BOS]
        grams.update(tuple(padded[i - N + 1 : i + 1]) for i in range(N, len(padded)))
    tables = {N: grams}
    for n in range(N - 1, 0, -1):
        tables[n] = Counter(gram[1:] for gram in tables[n + 1])  # different ones before, once each

    def p(context: tuple[int, ...], token: int) -> float:
        n = len(context) + 1
        lower = p(context[1:], token) if context else 1 / V
        follow: dict[int, int] = defaultdict(int)
        for gram, count in tables[n].items():
            if gram[:-1] == context:
                follow[gram[-1]] += count
        if not follow:
            return lower
        once, twice = (sum(c == k for c in tables[n].values()) for k in (1, 2))
        d = once / (once + 2 * twice) if once and twice else 0.5
        seen = max(follow.get(token, 0) - d, 0.0)
        return (seen + d * len(follow) * lower) / sum(follow.values())

    losses = []
    for document in documents:
        padded = [BOS] * N + document + [BOS]
        for i in range(N, len(padded)):
            losses.append(-math.log(p(tuple(padded[i - N + 1 : i]), padded[i])))
    return losses


def test_counts_are_those_of_the_formula_written_anew() -> None:
    model = NGram.of(batch(DOCUMENTS), V, BOS, N)
    for documents in (DOCUMENTS, OTHERS):
        assert model.losses(batch(documents)) == pytest.approx(by_the_book(DOCUMENTS, documents))


def test_probabilities_of_any_context_sum_to_1_and_are_the_losses() -> None:
    model = NGram.of(batch(DOCUMENTS), V, BOS, N)
    contexts = np.array(np.meshgrid(*[range(V)] * (N - 1))).reshape(N - 1, -1).T
    p_BV = model.probabilities(contexts)
    assert p_BV.sum(axis=1) == pytest.approx(np.ones(V ** (N - 1)))
    assert p_BV.min() > 0.0
    told = batch(OTHERS)
    rows = []
    for d in range(len(told)):
        tokens, _ = told.document(d)
        padded = [BOS] * (N - 2) + tokens.tolist()
        rows += [padded[i : i + N - 1] for i in range(len(tokens))]
    losses = -np.log(model.probabilities(np.array(rows))[range(len(rows)), told.targets_N])
    assert model.losses(told) == pytest.approx(losses)


@pytest.mark.parametrize("n", range(1, N + 1))
def test_counts_of_two_parts_are_those_of_both_at_once(n: int) -> None:
    both = NGram.of(batch(DOCUMENTS + OTHERS), V, BOS, n)
    parts = NGram.of(batch(DOCUMENTS), V, BOS, n).also(batch(OTHERS))
    assert parts.n == n
    for one, other in zip(both.orders, parts.orders):
        for name, its in vars(one).items():
            assert np.array_equal(vars(other)[name], its), name


def test_what_was_kept_makes_the_same_counts() -> None:
    model = NGram.of(batch(DOCUMENTS), V, BOS, N)
    again = NGram.from_arrays(model.arrays(), V, BOS)
    assert again.losses(batch(OTHERS)).tolist() == model.losses(batch(OTHERS)).tolist()


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("pairs1", lambda values: values[::-1], "pairs of 2 tokens must be in order, each once"),
        ("pairs1", lambda values: values - values[0] - 1, "pairs of 2 tokens must be in order"),
        ("pairs1", lambda values: np.sort(values) + V**2, r"in \[0, 25\)\.$"),
        ("pairs2", lambda values: np.maximum(values, values[1]), "pairs of 3 tokens must be in"),
        ("counts1", lambda values: -values, "counts of 2 tokens must be one from 1 for each pair"),
        ("counts3", lambda values: values[1:], "counts of 4 tokens must be one from 1 for each"),
        ("pairs0", None, "counts must have pairs and counts of each length; got others"),
    ],
)
def test_counts_that_cannot_be_of_these_tokens_are_refused(
    name: str, changed: Callable[[Any], Any] | None, message: str
) -> None:
    arrays = NGram.of(batch(DOCUMENTS), V, BOS, N).arrays()
    kept = arrays.pop(name)
    arrays |= {name: changed(kept)} if changed else {"pairs9": kept}
    with pytest.raises(UsageError, match=message):
        NGram.from_arrays(arrays, V, BOS)


def test_counts_of_more_tokens_than_63_bits_can_number_are_refused() -> None:
    one = np.array([1])
    arrays = {f"{what}{k}": one for what in ("pairs", "counts") for k in range(30)}
    with pytest.raises(UsageError, match=r"^counts must be of as many tokens as fit in 62 bits; "):
        NGram.from_arrays(arrays, V, BOS)


def test_one_document_is_enough_and_numbers_never_overflow() -> None:
    few = NGram.of(batch([[0]]), V, BOS, N)
    assert np.isfinite(few.losses(batch(OTHERS))).all()
    many = NGram.of(laid_out([[60_000, 3]], bos=65_535), 65_536, 65_535, 8)
    assert many.n == 3
    assert np.isfinite(many.losses(laid_out([[5, 60_000]], bos=65_535))).all()


def test_the_fitted_weight_is_the_best_of_a_thousand() -> None:
    rng = np.random.default_rng(1)
    gpt_N, counts_N = rng.gamma(2.0, size=500), rng.gamma(2.5, size=500)
    tried = [(mixed(gpt_N, counts_N, w).mean(), w) for w in np.linspace(0.0, MOST_WEIGHT, 1001)]
    assert fitted(gpt_N, counts_N) == pytest.approx(min(tried)[1], abs=1e-3)
    assert fitted(gpt_N, gpt_N + 1.0) == 0.0
    assert fitted(gpt_N + 1.0, gpt_N) == pytest.approx(MOST_WEIGHT, abs=1e-6)
    assert np.isfinite(mixed(np.array([2000.0]), np.array([3.0]), 0.5)).all()


def test_a_mixture_s_decoder_says_what_its_losses_are(engine_name: str) -> None:
    config = GPTConfig(vocab_size=V, block_size=8, n_head=2, n_embd=8)
    gpt, counts = opened(engine_name, config), NGram.of(batch(DOCUMENTS), V, BOS, N)
    model = LinearMixture(gpt, counts, weight=0.3)
    told, losses = batch(OTHERS), []
    for d in range(len(told)):
        decoder = model.decoder(2)
        for token, target in zip(*told.document(d)):
            row, rest = decoder.push(np.array([token, -1]))
            assert np.exp(row).sum() == pytest.approx(1.0)
            assert not rest.any()
            losses.append(-row[target])
    assert model.losses(told) == pytest.approx(losses, rel=1e-5)


def test_what_a_gpt_holds_for_impossible_has_a_finite_logit_where_counts_weigh_nothing() -> None:
    class Sure:
        def decoder(self, rows: int) -> Sure:
            return self

        def push(self, tokens_B: object) -> np.ndarray:
            return np.array([[0.0, -1000.0, 2.0, -900.0, 1.0]])

    ngram = NGram.of(batch(DOCUMENTS), V, BOS, N)
    (logits,) = LinearMixture(Sure(), ngram, 0.0).decoder(1).push([0])  # type: ignore[arg-type]
    assert logits == pytest.approx(Sure().push(None)[0] - np.log(np.exp([0.0, 1.0, 2.0]).sum()))


def test_a_run_of_a_mixture_is_read_back_and_its_counts_are_checked(
    tmp_path: Path, tiny: list[str]
) -> None:
    told: dict[str, Any] = {"preset": "micro", "steps": 3, "holdout": 0.3, "ngram": 5}
    run = microgpt.train(tiny * 20, out=tmp_path / "r", **told)
    assert run.mixture is not None
    assert 0.0 < run.mixture.weight < 1.0
    again = microgpt.load(tmp_path / "r")
    assert again.score("ada").losses == run.score("ada").losses
    assert again.sample(3, seed=5) == run.sample(3, seed=5)
    path = tmp_path / "r" / checkpoint.COUNTS
    whole = path.read_bytes()
    path.write_bytes(path.read_bytes()[:-8] + b"\x01" * 8)
    with pytest.raises(RunError, match=r"counts\.safetensors: damaged"):
        microgpt.load(tmp_path / "r").score("ada")
    # Those of another run of the same vocabulary.
    microgpt.train(tiny * 20, preset="micro", ngram=5, steps=4, holdout=0.3, out=tmp_path / "s")
    shutil.copy(tmp_path / "s" / checkpoint.COUNTS, path)
    with pytest.raises(RunError, match=r"counts\.safetensors: of another run than checkpoint"):
        microgpt.load(tmp_path / "r").score("ada")
    path.write_bytes(whole)
    assert microgpt.load(tmp_path / "r").score("ada").losses == run.score("ada").losses


@pytest.mark.parametrize("least", [0, V**2, V**3])
def test_a_table_finds_what_a_search_finds(least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = NGram.of(batch(DOCUMENTS), V, BOS, N)
    monkeypatch.setattr(order, "_TABLE", least)
    searched = NGram.of(batch(DOCUMENTS), V, BOS, N)
    for documents in (DOCUMENTS, OTHERS):
        assert found.losses(batch(documents)).tolist() == searched.losses(batch(documents)).tolist()
        both = (counts.logits(batch(documents)) for counts in (found, searched))
        assert np.array_equal(*both)
