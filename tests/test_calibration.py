"""The reliability diagram: against all predictions one by one, and where the truth is known."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import pytest
from numpy.typing import NDArray

from microgpt import evaluation
from microgpt.config import GPTConfig
from microgpt.data.tokenizer import Bytes, Characters, Tokenizer
from microgpt.data.windows import APART
from microgpt.evaluation.calibration import BINS, GROUPS, Calibration, Reliability, wilson
from tests.conftest import TINY, opened

Told = list[tuple[float, bool, int]]
LETTERS = Characters.of(TINY)


def counted(told: Told) -> Calibration:
    return calibrated(*(np.array(its) for its in zip(*told)))


def calibrated(
    p: NDArray[np.float64], hit: NDArray[np.bool_], group: NDArray[np.int64]
) -> Calibration:
    seen = Reliability()
    for some in np.array_split(np.arange(len(p)), 3):  # as they come
        for g in range(GROUPS):
            its = some[group[some] == g]
            seen.add(p[its][:, None], np.flatnonzero(hit[its]), g)
    return seen.calibration()


def gap(told: Told, bins: list[set[float]]) -> float:
    """sum_b |sum p - hits| / n, by the book."""
    return math.fsum(
        abs(math.fsum(p - hit for p, hit, _ in told if p in its)) for its in bins
    ) / max(len(told), 1)  # fmt: skip


def every_prediction(
    tokenizer: Tokenizer, texts: list[str], block: int = 6
) -> tuple[evaluation.Evaluation, Told, Told]:
    """Evaluate; also return (p, hit, group) of all (position, token) pairs, one push at a time."""
    config = GPTConfig(vocab_size=tokenizer.vocab_size, block_size=block, n_head=2, n_embd=4)
    engine = opened("scalar", config, std=0.8)
    every: Told = []
    top: Told = []
    for d, text in enumerate(texts):
        ids = tokenizer.encode(text)[0].tolist()
        decoder = engine.decoder(1)
        read = [tokenizer.bos, *(tokenizer.stand_in if i < 0 else i for i in ids)]
        for t, (token, came) in enumerate(zip(read, [*ids, tokenizer.bos])):
            # A window; in a long text with half a block of context.
            context = block // 2 if len(read) > APART * block else 0
            if t >= block and (t - block) % (block - context) == 0:
                decoder = engine.decoder(1)
                for before in read[t - context : t]:
                    decoder.push([before])
            logits = decoder.push([token])[0].tolist()
            if came < 0:
                continue
            total = math.fsum(math.exp(z - max(logits)) for z in logits)
            p_V = [math.exp(z - max(logits)) / total for z in logits]
            every += [(p, i == came, d % GROUPS) for i, p in enumerate(p_V)]
            top.append((max(p_V), p_V.index(max(p_V)) == came, d % GROUPS))
    return evaluation.evaluate(engine, tokenizer, block, texts), every, top


@pytest.mark.parametrize("tokenizer", [LETTERS, Bytes()], ids=["characters", "bytes"])
def test_the_diagram_is_of_all_predictions_at_all_positions(tokenizer: Tokenizer) -> None:
    texts = [*TINY, "", "lenaland" * 3, "annabelle" * 8, "n?é", "é" * 4] * (
        3 if tokenizer is LETTERS else 1
    )
    result, every, top = every_prediction(tokenizer, texts)
    assert (result.unknown > 0) == (tokenizer is LETTERS)
    for found, told in ((result.calibration, every), (result.confidence, top)):
        rows = sorted(told)
        n = len(rows)
        assert sum(b.predictions for b in found.bins) == n
        first, error = 0, 0.0
        for b in found.bins:
            its = rows[first : first + b.predictions]
            first += b.predictions
            p = math.fsum(p for p, _, _ in its) / len(its)
            # Predictions whose odds agree to a fiftieth may lie on either side of a bin's border.
            assert b.p == pytest.approx(p, rel=1e-6)
            assert (b.low, b.high) == wilson(b.hits, b.predictions)
            error += abs(b.p - b.observed) * b.predictions / n
        assert sum(b.hits for b in found.bins) == sum(hit for _, hit, _ in told)
        assert found.error == pytest.approx(error, rel=1e-12)
        assert [b.p for b in found.bins] == sorted(b.p for b in found.bins)


def test_bins_are_of_equal_mass() -> None:
    rng = np.random.default_rng(2)
    for p in (
        rng.uniform(size=50_000),
        rng.beta(0.1, 3.0, 50_000),
        10 ** rng.uniform(-9, -1, 50_000),
    ):
        found = counted([(float(x), False, i % GROUPS) for i, x in enumerate(p)])
        assert len(found.bins) == BINS
        sizes = [b.predictions for b in found.bins]
        # A fine bin is a fiftieth of a nat of log-odds, and is not split.
        assert max(sizes) - min(sizes) < 50_000 / BINS / 4


def test_the_error_and_its_jackknife_are_those_of_the_book() -> None:
    rng = np.random.default_rng(3)
    levels = [0.1, 0.3, 0.6, 0.9]
    told: Told = []
    for i in range(4000):
        p = float(rng.choice(levels))
        told.append((p, bool(rng.random() < p * 0.8), i % GROUPS))
    found = counted(told)
    # Four different probabilities: bins are whole ones.
    assert [b.p for b in found.bins] == pytest.approx(levels)
    bins = [{p} for p in levels]
    assert found.error == pytest.approx(gap(told, bins))
    left = [gap([one for one in told if one[2] != g], bins) for g in range(GROUPS)]
    mean = math.fsum(left) / GROUPS
    spread = math.sqrt((GROUPS - 1) / GROUPS * math.fsum((x - mean) ** 2 for x in left))
    assert (found.low, found.high) == pytest.approx(
        (found.error - 2.093 * spread, found.error + 2.093 * spread)
    )
    by_level: dict[float, int] = defaultdict(int)
    for p, _, _ in told:
        by_level[p] += 1
    deviations = (math.sqrt(n * p * (1 - p)) for p, n in by_level.items())
    chance = math.sqrt(2 / math.pi) * math.fsum(deviations) / len(told)
    assert found.chance == pytest.approx(chance)


def drawn(n: int, sharper: float, seed: int) -> Calibration:
    """Predict p where the true odds are those of p to the power of 1 / sharper."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-2.0, 1.5, n)
    hits = rng.random(n) < 1 / (1 + np.exp(-odds))
    return calibrated(1 / (1 + np.exp(-odds * sharper)), hits, np.arange(n) % GROUPS)


def test_an_honest_model_s_error_is_what_chance_makes_it() -> None:
    errors: list[float] = []
    chances: list[float] = []
    inside, bins = 0, 0
    for seed in range(40):
        found = drawn(4000, 1.0, seed)
        errors.append(found.error)
        chances.append(found.chance)
        inside += sum(b.low <= b.p <= b.high for b in found.bins)
        bins += len(found.bins)
    # The mean of 800 gaps, each with a deviation of three quarters of itself.
    assert np.mean(errors) == pytest.approx(np.mean(chances), rel=3 * 0.75 / math.sqrt(800))
    # Wilson's intervals of 800 calibrated bins: 95 of 100 cover the truth, within 3 deviations.
    assert abs(inside / bins - 0.95) < 3 * math.sqrt(0.95 * 0.05 / bins)
    assert drawn(400_000, 1.0, 99).error < 0.003


def test_one_that_is_too_sure_is_found_out() -> None:
    found = drawn(20_000, 2.0, 1)
    assert found.low > 3 * found.chance
    assert 0.0 < found.low < found.error < found.high < 1.0
    first, last = found.bins[0], found.bins[-1]
    assert first.p < first.low
    assert last.p > last.high


@pytest.mark.slow
def test_intervals_hold_the_error_that_many_texts_would_have() -> None:
    truth = drawn(1_000_000, 1.5, 7).error
    held = 0
    for seed in range(100):
        found = drawn(3000, 1.5, 100 + seed)
        held += found.low <= truth <= found.high
    assert held >= 88


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 7), (400, 10_000)])
def test_wilson_s_bounds_solve_his_equation(hits: int, n: int) -> None:
    low, high = wilson(hits, n)
    assert 0.0 <= low <= hits / n <= high <= 1.0
    for p in (low, high):
        # |share - p| = z sqrt(p (1 - p) / n), the score test's border; at 0 and 1 a bound is 0, 1.
        assert (hits / n - p) ** 2 == pytest.approx(1.96**2 * p * (1 - p) / n, abs=1e-12)


def test_certainties_and_single_predictions_are_counted() -> None:
    found = counted([(0.0, False, 0), (1.0, True, 1), (1.0, True, 2), (0.0, False, 3)])
    assert (found.error, found.chance, found.high) == (0.0, 0.0, 0.0)
    assert [(b.p, b.observed) for b in found.bins] == [(0.0, 0.0), (1.0, 1.0)]
    wrong = counted([(0.0, True, 0), (1.0, False, 1), (5e-324, True, 2)])
    assert wrong.error == 1.0
    nothing = Reliability().calibration()
    assert nothing.bins == ()
    assert math.isnan(nothing.error)


def test_of_one_group_of_texts_nothing_is_known_about_others() -> None:
    alone = counted([(0.5, True, 4)] * 10)
    assert alone.error == 0.5
    assert (alone.low, alone.high) == (0.0, 1.0)


def test_of_a_few_groups_the_interval_is_as_wide_as_student_s_t_makes_it() -> None:
    told: Told = [(0.5, i % 4 != 0, (i // 7) % 2) for i in range(70)]
    found = counted(told)
    left = [gap([one for one in told if one[2] != g], [{0.5}]) for g in (0, 1)]
    spread = abs(left[0] - left[1]) / 2
    assert found.high - found.error == pytest.approx(12.706 * spread, rel=1e-3)
