"""The parts of a mean loss, against dictionaries filled from the scores, and summed exactly."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from microgpt import evaluation
from microgpt.config import GPTConfig
from microgpt.data.tokenizer import Bytes, Characters, Tokenizer
from microgpt.engines.contract import Engine
from microgpt.evaluation import sums as module
from microgpt.evaluation.parts import Part, Parts
from microgpt.evaluation.sums import Exact, SumsByKey, rounded, split
from microgpt.loss import LossSum
from tests.conftest import TINY, opened

BLOCK = 6
LETTERS = Characters.of(TINY)
# Short and empty ones, windows, a character that the vocabulary lacks, one text twice.
TEXTS = [*TINY, "", "a", "noé", "?", "lenaland" * 5, "b" * 17, "ada", "an an", "o" * 33, "é" * 70]
KINDS = {
    "many": (LETTERS, TEXTS),
    "bytes": (Bytes(), [*TINY, "", "né😀", "日本語" * 6]),
    "one document": (LETTERS, ["lena"]),
    "one character": (LETTERS, ["a"]),
    "nothing but an end": (LETTERS, [""]),
    "nothing known": (LETTERS, ["??", "?"]),
    "a window to the last place": (LETTERS, ["abeno", "abenol", "abenola"]),
}


def model(tokenizer: Tokenizer, name: str = "scalar") -> Engine:
    config = GPTConfig(vocab_size=tokenizer.vocab_size, block_size=BLOCK, n_head=2, n_embd=4)
    return opened(name, config, std=0.8)


@dataclass
class Case:
    tokenizer: Tokenizer
    texts: list[str]
    result: evaluation.Evaluation
    scores: list[evaluation.Score]


def case(kind: str, name: str = "scalar") -> Case:
    tokenizer, texts = KINDS[kind]
    engine = model(tokenizer, name)
    return Case(
        tokenizer,
        texts,
        evaluation.evaluate(engine, tokenizer, BLOCK, texts),
        list(evaluation.scores(engine, tokenizer, BLOCK, texts)),
    )


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest) -> Case:
    """Texts of every kind, evaluated and scored."""
    return case(request.param)


def sums(parts: Parts) -> dict[str, list[LossSum]]:
    """Return all lists that must add up to the total."""
    lists: dict[str, list[LossSum]] = {
        "position": [part.sum for part in parts.by_position()],
        "character": [part.sum for part in parts.by_character()],
        "length": [part.sum for part in parts.by_length()],
    }
    for number in (0, 1, 5, 10, 1000):
        best, worst, others = parts.documents(number)
        lists[f"documents {number}"] = [
            *(d.sum for d in best), others.sum, *(d.sum for d in worst),
        ]  # fmt: skip
    return lists


def add_up_exactly(lists: dict[str, list[LossSum]], total: LossSum) -> None:
    rng = random.Random(1)
    for name, its in lists.items():
        assert sum(part.positions for part in its) == total.positions, name
        nats = [part.nats for part in its]
        assert sum(map(Fraction, nats)) == Fraction(total.nats), name
        for _ in range(20):
            added = 0.0
            for x in nats:
                added += x
            assert added == total.nats, name
            rng.shuffle(nats)


def test_every_list_of_parts_adds_up_to_the_last_bit_in_any_order(made: Case) -> None:
    add_up_exactly(sums(made.result.parts), made.result.sum)


def test_parts_add_up_on_every_engine(engine_name: str) -> None:
    for kind in ("many", "bytes"):
        result = case(kind, engine_name).result
        add_up_exactly(sums(result.parts), result.sum)


def test_other_orders_of_the_documents_make_the_same_parts() -> None:
    tokenizer, texts = KINDS["many"]
    engine = model(tokenizer)
    first = evaluation.evaluate(engine, tokenizer, BLOCK, texts)
    for seed in range(3):
        shuffled = random.Random(seed).sample(texts, len(texts))
        again = evaluation.evaluate(engine, tokenizer, BLOCK, shuffled)
        assert again.sum == first.sum
        assert again.parts.by_position() == first.parts.by_position()
        assert set(again.parts.by_character()) == set(first.parts.by_character())
        assert again.parts.by_length() == first.parts.by_length()
        assert set(again.parts.confusions()) == set(first.parts.confusions())


def test_the_total_is_that_of_the_scores_rounded_once(made: Case) -> None:
    nats = [x for score in made.scores for x in score.losses]
    assert made.result.sum.nats == pytest.approx(math.fsum(nats), rel=1e-14)
    assert made.result.sum.positions == len(nats)


def range_of(n: int) -> str:
    low, high = 17, 32
    while n > high:
        low, high = high + 1, 2 * high
    return str(n) if n <= 16 else f"{low}-{high}"


def gathered(made: Case) -> dict[str, dict[Hashable, list[tuple[float, int, int]]]]:
    """Return (nats, hits, text) by key, adding up one position after the other."""
    found: dict[str, dict[Hashable, list[tuple[float, int, int]]]] = {
        name: defaultdict(list) for name in ("position", "character", "length", "text")
    }
    for d, score in enumerate(made.scores):
        for place, character in enumerate(score.characters, 1):
            hits = character.hits
            for nats in character.losses:
                # A character's hits are told in one: of which byte does not matter to a sum.
                told, hits = (nats, hits, d), 0
                found["position"][range_of(place)].append(told)
                found["character"][character.char].append(told)
                found["length"][range_of(len(score.text))].append(told)
                found["text"][d].append(told)
    return found


def summed(its: Sequence[tuple[float, int, int]]) -> tuple[float, int, int]:
    return math.fsum(x for x, _, _ in its), len(its), sum(hits for _, hits, _ in its)


def told(parts: Iterable[Part]) -> dict[str | None, tuple[float, int, int]]:
    return {part.name: (part.sum.nats, part.sum.positions, part.hits) for part in parts}


def test_parts_are_those_of_dictionaries_filled_from_the_scores(made: Case) -> None:
    expected, parts = gathered(made), made.result.parts
    for name, its in (
        ("position", parts.by_position()),
        ("character", parts.by_character()),
        ("length", parts.by_length()),
    ):
        for key, (nats, n, hits) in told(its).items():
            exactly = summed(expected[name][key])
            assert (n, hits) == exactly[1:], name
            assert nats == pytest.approx(exactly[0], rel=1e-13, abs=1e-13)
        assert len(its) == len(expected[name])
    for part in parts.by_length():
        assert part.texts == len({d for _, _, d in expected["length"][part.name]})
    costs = [part.sum.nats for part in parts.by_character()]
    assert costs == sorted(costs, reverse=True)
    for its in (parts.by_position(), parts.by_length()):
        firsts = [int((part.name or "").split("-")[0]) for part in its]
        assert firsts == sorted(firsts)


def test_documents_are_the_cheapest_the_dearest_and_all_others(made: Case) -> None:
    costs = {d: summed(some) for d, some in gathered(made)["text"].items()}
    means = sorted(nats / n for nats, n, _ in costs.values())
    for number in (0, 1, 3, 1000):
        best, worst, others = made.result.parts.documents(number)
        cheap, dear = (min(number, (len(made.texts) + more) // 2) for more in (0, 1))
        assert [d.sum.mean for d in best] == pytest.approx(means[:cheap])
        assert [d.sum.mean for d in worst] == pytest.approx(means[::-1][:dear])
        assert others.texts == len(made.texts) - cheap - dear
        ended = Counter(d.text for d in [*best, *worst])
        assert not ended - Counter(made.texts)
        by_text = {text: hits for text, (_, _, hits) in zip(made.texts, costs.values())}
        shown = sum(by_text[d.text] for d in [*best, *worst])
        assert others.hits + shown == sum(hits for _, _, hits in costs.values())


def test_a_document_s_span_is_the_costliest_run_of_whole_characters(made: Case) -> None:
    usual = made.result.loss
    of = {score.text: score for score in made.scores}
    best, worst, _ = made.result.parts.documents(1000)
    for document in [*best, *worst]:
        characters = of[document.text].characters
        start, stop = document.span
        assert 0 <= start < stop <= len(document.text) + 1
        inside = [x for c in characters[start:stop] for x in c.losses]
        if all(len(c.losses) == 1 for c in characters):
            assert document.span_nats == pytest.approx(math.fsum(inside))
            over = [c.nats - usual for c in characters]
            gain = max(math.fsum(over[a:b]) for b in range(len(over) + 1) for a in range(b))
            assert math.fsum(over[start:stop]) == pytest.approx(gain, abs=1e-4)
        else:  # a span of bytes is shown as the characters they are of
            assert document.span_nats <= math.fsum(inside) + 1e-9


def test_confusions_are_counted_by_what_came_and_what_was_likeliest(made: Case) -> None:
    expected: dict[tuple[str | None, str | None], list[float]] = defaultdict(list)
    if isinstance(made.tokenizer, Bytes):
        return  # of several bytes only the first's likeliest is told by a score
    for score in made.scores:
        for character in score.characters:
            if not character.hits:
                expected[character.char, character.likely[0] or None].append(character.nats)
    found = made.result.parts.confusions()
    for c in found:
        its = expected[c.char, c.likely]
        assert c.sum.positions == len(its)
        assert c.sum.nats == pytest.approx(math.fsum(its), rel=1e-13)
    assert len(found) == len(expected)
    times = [c.sum.positions for c in found]
    assert times == sorted(times, reverse=True)
    assert sum(times) == made.result.sum.positions - made.result.hits


def test_sums_are_exact_in_any_order_and_however_they_come() -> None:
    rng = np.random.default_rng(1)
    for scale in (1e-9, 1.0, 1e6):
        losses_N = rng.gamma(1.0, size=3000) * scale * 10 ** rng.uniform(-6, 0, 3000)
        for top in (9, 5_000_000):  # few keys that are near each other, and such as are not
            key_N = rng.integers(-1, top, 3000)
            found: list[dict[int, Exact]] = []
            for pieces in (1, 7, 500):
                sums = SumsByKey()
                order = rng.permutation(3000)
                for some in np.array_split(order, pieces):
                    sums.add(
                        key_N[some],
                        np.vstack([split(losses_N[some]), (key_N[some] % 2).astype(float)]),
                    )
                found.append(dict(sums.items()))
            assert found[0] == found[1] == found[2]
            assert [*found[0]] == sorted(set(key_N.tolist()))
            for key, one in found[0].items():
                its = key_N == key
                assert one.nats == pytest.approx(math.fsum(losses_N[its]), rel=1e-15, abs=1e-14)
                assert (one.n, one.others) == (its.sum(), ((key_N[its] % 2).sum(),))


def test_sums_are_merged_and_memory_is_that_of_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("microgpt.evaluation.sums._WAITING", 50)
    sums = SumsByKey()
    for _ in range(500):
        sums.add(np.arange(10) * 10**9, split(np.ones(10)))
        assert sums.rows <= 2 * 10 + 50 + 10
    assert {key: one.nats for key, one in sums.items()} == {k * 10**9: 500.0 for k in range(10)}


def test_two_threads_may_read_the_same_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    sums, others = SumsByKey(), list[list[tuple[int, Exact]]]()
    for loss in (1.0, 2.0):
        sums.add(np.array([5]), np.vstack([split(np.array([loss])), [1]]))
    summed = module._summed  # pyright: ignore[reportPrivateUsage]

    def interrupted(*rows: Any) -> Any:
        monkeypatch.setattr(module, "_summed", summed)
        others.append([*sums.items()])
        return summed(*rows)

    monkeypatch.setattr(module, "_summed", interrupted)
    assert [*sums.items()] == [(5, Exact((3.0, 0.0, 0.0), 2, (2,)))] == others[0]


def test_rounded_sums_move_by_less_than_one_addition_rounds() -> None:
    rng = np.random.default_rng(1)
    for scale in (1e-300, 1e-12, 1.0, 1e12, 1e290):
        nats = rng.gamma(1.0, size=1000) * scale * 10 ** rng.uniform(-9, 0, 1000)
        exact = [Exact((x,), 1, ()) for x in nats.tolist()]
        moved = rounded(exact)
        total = sum(map(Fraction, nats.tolist()))
        assert max(abs(a - b) for a, b in zip(moved, nats.tolist())) <= math.ulp(2 * float(total))
        assert abs(sum(map(Fraction, moved)) - total) <= Fraction(math.ulp(float(total)))
        for _ in range(5):
            rng.shuffle(moved)
            assert Fraction(float(np.cumsum(moved)[-1])) == sum(map(Fraction, moved))
    for left in ([], [0.0, 0.0], [math.inf, 0.1], [math.nan, 0.1]):
        its = rounded([Exact((x,), 1, ()) for x in left])
        assert np.array_equal(its, left, equal_nan=True)
    for least in (5e-324, 1e-315):
        assert rounded([Exact((least,), 1, ())] * 3) == [least] * 3


def test_what_is_no_number_or_beyond_all_reason_is_summed_as_well() -> None:
    sums = SumsByKey()
    sums.add(np.array([1, 2, 3, 3]), split(np.array([math.inf, math.nan, 1e300, 1.0])))
    found = [one.nats for _, one in sums.items()]
    assert found[0] == math.inf
    assert math.isnan(found[1])
    assert found[2] == 1e300


def test_as_many_documents_as_are_kept_are_those_of_all_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokenizer, texts = KINDS["many"]
    engine = model(tokenizer)
    whole = evaluation.evaluate(engine, tokenizer, BLOCK, texts * 3)
    for kept in (1, 4):
        monkeypatch.setattr("microgpt.evaluation.documents.KEPT", kept)
        monkeypatch.setattr("microgpt.evaluation.parts.KEPT", kept)
        monkeypatch.setattr("microgpt.evaluation.CHARACTERS", 25)
        few = evaluation.evaluate(engine, tokenizer, BLOCK, texts * 3)
        assert few.parts.documents(100) == whole.parts.documents(kept)
