"""Batches: against a slow re-implementation, and as a function of the step alone."""

from __future__ import annotations

import random
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from microgpt.data.batch import Batch, lay_out
from microgpt.data.plan import Plan

BOS = 9
# By seed, the second and the third pass over eight documents, as they were when this was written.
LATER = {
    42: [[1, 2, 5, 6, 0, 3, 4, 7], [3, 2, 1, 5, 7, 4, 0, 6]],
    7 + 2**40: [[4, 0, 3, 6, 1, 2, 7, 5], [1, 6, 5, 3, 0, 4, 7, 2]],
}
documents = st.lists(st.lists(st.integers(0, 8), max_size=20), min_size=1, max_size=8)


def pairs(batch: Batch) -> list[list[tuple[int, int]]]:
    """Return each document's (input, target) pairs."""
    laid = (batch.document(d) for d in range(len(batch)))
    return [list(zip(tokens.tolist(), targets.tolist())) for tokens, targets in laid]


@given(documents, st.integers(1, 7))
def test_windows_are_slices_of_the_whole_document(docs, block) -> None:  # type: ignore[no-untyped-def]
    expected, windowed = [], 0
    for ids in docs:
        whole = list(zip([BOS, *ids], [*ids, BOS]))
        windows = [whole[i : i + block] for i in range(0, len(whole), block)]
        expected += windows
        windowed += len(windows) > 1
    layout = lay_out(docs, BOS, block)
    assert pairs(layout.batch) == expected
    assert (layout.windowed, layout.dropped) == (windowed, 0)


@given(documents, st.integers(1, 7))
def test_what_is_cut_is_the_beginning_and_the_rest_is_counted(docs, block) -> None:  # type: ignore[no-untyped-def]
    layout = lay_out(docs, BOS, block, "cut")
    assert pairs(layout.batch) == [list(zip([BOS, *ids], [*ids, BOS]))[:block] for ids in docs]
    assert layout.dropped == sum(max(0, len(ids) - block) for ids in docs)


def data(n: int) -> Batch:
    rng = random.Random(1)
    return lay_out([[i % 9] * rng.randint(0, 4) for i in range(n)], BOS, 8).batch


@pytest.mark.parametrize("order", ["once", "per-epoch"])
@pytest.mark.parametrize("size", [1, 3, 7, 20])
def test_a_batch_depends_on_its_step_alone(order: str, size: int) -> None:
    plan = Plan(data(7), size, seed=5, order=order)  # type: ignore[arg-type]
    whole = [pairs(plan.batches(0, 12).step(k)) for k in range(12)]
    for first in range(12):
        for steps in range(1, 13 - first):
            part = plan.batches(first, steps)
            assert part.n_steps == steps
            assert [pairs(part.step(k)) for k in range(steps)] == whole[first : first + steps]
    other = Plan(data(7), size, seed=6, order=order)  # type: ignore[arg-type]
    assert [pairs(other.batches(0, 12).step(k)) for k in range(12)] != whole


def test_every_epoch_has_every_document_once_and_the_first_is_the_original_s_shuffle() -> None:
    batch = lay_out([[i % 9, i // 9] for i in range(50)], BOS, 8).batch
    names = [tuple(p) for p in pairs(batch)]
    epochs = {
        order: [
            [tuple(p) for p in pairs(Plan(batch, 1, 42, order).batches(50 * e, 50))]  # type: ignore[arg-type]
            for e in range(3)
        ]
        for order in ("once", "per-epoch")
    }
    shuffled = list(names)
    random.Random(42).shuffle(shuffled)
    for order in epochs.values():
        assert order[0] == shuffled
        assert all(sorted(epoch) == sorted(names) for epoch in order)
    assert epochs["once"][1] == epochs["once"][2] == shuffled
    assert len({tuple(epoch) for epoch in epochs["per-epoch"]}) == 3


def order(seed: int, n: int, passes: range) -> list[list[int]]:
    """Return the order in which each pass visits n documents."""
    plan = Plan(lay_out([[i] for i in range(n)], n, 8).batch, 1, seed)
    return [plan.batches(n * e, n).targets_N[::2].tolist() for e in passes]


def test_later_passes_are_ordered_by_the_whole_seed() -> None:
    seeds = [5, 6, 5 + 2**32, 5 + 2**33, 5 + 2**62]
    # A pass has 50! orders: by chance no two are alike.
    for e in (1, 2, 1000):
        assert len({str(order(seed, 50, range(e, e + 1))) for seed in seeds}) == len(seeds)


def test_the_order_of_later_passes_is_that_of_runs_begun_long_ago() -> None:
    # A training that is resumed under a later version goes on with the same documents.
    for seed, expected in LATER.items():
        assert order(seed, 8, range(1, 3)) == expected


def test_the_head_has_as_many_documents_as_fit_and_at_least_one() -> None:
    batch = lay_out([[1, 1], [2], [], [3] * 5], BOS, 8).batch
    whole = pairs(batch)
    for positions, count in ((0, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 3), (11, 3), (12, 4)):
        assert pairs(batch.head(positions)) == whole[:count]
    assert pairs(batch.take(np.array([2, 0, 2]))) == [whole[2], whole[0], whole[2]]


def test_documents_are_taken_alike_however_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = lay_out([[i % 9] * (i % 5) for i in range(40)], BOS, 8).batch
    whole, order = pairs(batch), np.random.RandomState(1).permutation(40)
    for at_once in (1, 7, 1 << 20):
        monkeypatch.setattr("microgpt.data.batch._AT_ONCE", at_once)
        assert pairs(batch.take(order)) == [whole[d] for d in order]


@pytest.mark.parametrize("long", ["window", "cut"])
def test_many_documents_are_laid_out_a_part_at_a_time(
    long: Literal["window", "cut"], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(4)
    docs = [[rng.randrange(9) for _ in range(rng.randrange(12))] for _ in range(50)]
    whole = lay_out(docs, BOS, 5, long)
    monkeypatch.setattr("microgpt.data.batch._AT_ONCE", 7)
    parts = lay_out(docs, BOS, 5, long)
    assert pairs(parts.batch) == pairs(whole.batch)
    assert (parts.windowed, parts.dropped) == (whole.windowed, whole.dropped)
