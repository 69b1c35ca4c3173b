"""The most surprising span of each text, against trying all spans."""

from __future__ import annotations

import random

import numpy as np
import pytest

from microgpt.scoring.spans import by_python, spans


def tried(losses: list[float], usual: float) -> tuple[float, set[tuple[int, int]]]:
    """The largest sum above the usual of all runs, and which have it. In units: exact."""
    over = [round(max(min(x - usual, 1000.0), -1000.0) * 65_536) for x in losses]
    runs = {
        (a, b): sum(over[a:b]) for b in range(1, len(over) + 1) for a in range(b)
    }  # fmt: skip
    most = max(runs.values())
    return most, {run for run, gain in runs.items() if gain == most}


@pytest.mark.parametrize("seed", range(30))
def test_spans_are_the_best_of_all_runs_of_each_text(seed: int) -> None:
    rng = random.Random(seed)
    # Few different losses: ties everywhere. Or any; or all below the usual.
    draw = [
        lambda: float(rng.randrange(4)), lambda: rng.expovariate(0.5), lambda: rng.random() * 0.5
    ][seed % 3]  # fmt: skip
    texts = [[draw() for _ in range(rng.randint(1, 14))] for _ in range(rng.randint(1, 12))]
    usual = float(rng.choice([0.0, 1.0, 1.5, 2.0]))
    offsets = np.cumsum([0, *map(len, texts)])
    starts, stops = spans(np.array([x for text in texts for x in text]), offsets, usual)
    for text, offset, start, stop in zip(texts, offsets, starts, stops):
        _, best = tried(text, usual)
        run = int(start - offset), int(stop - offset)
        assert run in best
        # Of equals the one that ends first, and of these the shortest.
        ends = min(b for _, b in best)
        assert run == max((a, b) for a, b in best if b == ends)


def test_a_text_does_not_see_its_neighbours() -> None:
    rng = random.Random(5)
    texts = [[rng.expovariate(0.4) for _ in range(rng.randint(1, 9))] for _ in range(40)]
    offsets = np.cumsum([0, *map(len, texts)])
    starts, stops = spans(np.array([x for text in texts for x in text]), offsets, 2.0)
    for d, text in enumerate(texts):
        alone = spans(np.array(text), np.array([0, len(text)]), 2.0)
        assert (starts[d] - offsets[d], stops[d] - offsets[d]) == (alone[0][0], alone[1][0])


def test_where_nothing_costs_more_than_usual_it_is_the_costliest_position() -> None:
    starts, stops = spans(np.array([0.1, 0.3, 0.2]), np.array([0, 3]), usual=5.0)
    assert (starts.tolist(), stops.tolist()) == ([1], [2])


def test_what_is_impossible_is_in_the_span_and_nothing_overflows() -> None:
    losses = np.array([1.0, np.inf, 1.0, 1e300, 1.0] * 3)
    starts, stops = spans(losses, np.array([0, 5, 10, 15]), usual=2.0)
    assert (starts.tolist(), stops.tolist()) == ([1, 6, 11], [4, 9, 14])
    many = np.full(200_000, 1e9)
    starts, stops = spans(many, np.arange(0, 200_001, 2), usual=0.0)
    assert (stops - starts).tolist() == [2] * 100_000


def test_python_and_the_native_module_find_the_same() -> None:
    rng = np.random.default_rng(8)
    for draw in (rng.random, lambda n: rng.integers(0, 4, n) * 1.0, rng.standard_exponential):
        offsets = np.concatenate([[0], np.cumsum(rng.integers(1, 12, 300))])
        losses_N = draw(int(offsets[-1]))
        for usual in (0.0, 1.0, 1.7):
            native, python = spans(losses_N, offsets, usual), by_python(losses_N, offsets, usual)
            assert [x.tolist() for x in native] == [x.tolist() for x in python]
