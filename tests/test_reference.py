"""What is usual: percentiles counted one by one, and what thresholds promise, tried out."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microgpt.errors import UsageError
from microgpt.evaluate.reference import ENOUGH, Reference


def drawn(n: int, rng: np.random.Generator, longest: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Lengths, and means that vary less the longer a text is; no two alike."""
    lengths_D = rng.integers(1, longest + 1, n)
    return lengths_D, 2.0 + rng.gumbel(size=n) / np.sqrt(lengths_D)


def classes_of(lengths: list[int]) -> list[set[int]]:
    """Neighbouring lengths, until there are enough; the last join the class before."""
    classes: list[set[int]] = [set()]
    for length in sorted(set(lengths)):
        if sum(lengths.count(other) for other in classes[-1]) >= ENOUGH:
            classes.append(set())
        classes[-1].add(length)
    if len(classes) > 1 and sum(lengths.count(other) for other in classes[-1]) < ENOUGH:
        last = classes.pop()
        classes[-1] |= last
    return classes


@pytest.mark.parametrize("n", [1, 50, 199, 200, 399, 400, 401, 3000])
def test_percentiles_are_counted_among_documents_of_similar_length(n: int) -> None:
    lengths_D, means_D = drawn(n, np.random.default_rng(n))
    means_D = means_D.round(1)  # ties
    usual, classes = Reference(lengths_D, means_D), classes_of(lengths_D.tolist())
    assert len(usual) == n
    for length in sorted(set(lengths_D.tolist())):
        its = next(some for some in classes if length in some)
        alike = [m for other, m in zip(lengths_D.tolist(), means_D.tolist()) if other in its]
        for mean in (-math.inf, 1.9, 2.0, 2.05, max(alike), math.inf):
            below = sum(other < mean for other in alike)
            (found,) = usual.percentiles(np.array([length]), np.array([mean])).tolist()
            assert found == pytest.approx(100.0 * below / (len(alike) + 1))
            assert found < 100.0


def test_classes_are_whole_lengths_with_enough_documents_and_cover_all_lengths() -> None:
    lengths_D, means_D = drawn(5000, np.random.default_rng(1), longest=40)
    usual = Reference(lengths_D, means_D)
    counts = np.bincount(usual.classes(lengths_D))
    assert len(counts) > 10
    assert counts.min() >= ENOUGH
    assert usual.classes(np.array([0, 1, 41, 10**9])).tolist() == [0, 0, *[len(counts) - 1] * 2]
    assert (np.diff(usual.classes(np.arange(50))) >= 0).all()
    many = usual.percentiles(lengths_D, means_D)
    one_by_one = [
        usual.percentiles(*(x[i : i + 1] for x in (lengths_D, means_D))) for i in range(99)
    ]
    assert many[:99].tolist() == np.concatenate(one_by_one).tolist()


def test_of_the_documents_themselves_as_many_are_above_as_were_to_be() -> None:
    for n in (300, 2000, 5000):
        lengths_D, means_D = drawn(n, np.random.default_rng(n))
        usual = Reference(lengths_D, means_D)
        for rate in (0.005, 0.01, 0.1, 0.5):
            set_by = usual.thresholds(rate)
            above = means_D > set_by.means_C[usual.classes(lengths_D)]
            # The k-th dearest of each class is the threshold, and not above it.
            n_C = np.bincount(usual.classes(lengths_D))
            k_C = np.bincount(usual.classes(lengths_D), above) + np.isfinite(set_by.means_C)
            expected = float((n_C / n * k_C / (n_C + 1)).sum())
            assert set_by.expected == pytest.approx(expected)
            assert set_by.documents == n
            # Whole documents come as near to the rate as half a one.
            assert abs(set_by.expected - rate) <= 0.51 / n + 1e-12


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.2, 0.5])
def test_the_share_of_fresh_good_texts_above_is_what_was_promised(rate: float) -> None:
    """The guarantee by simulation: over references, and for each its own interval."""
    rng = np.random.default_rng(int(rate * 1000))
    shares: list[float] = []
    inside, promised = 0, 0.0
    for _ in range(100):
        usual = Reference(*drawn(1500, rng))
        set_by = usual.thresholds(rate)
        lengths_D, means_D = drawn(40_000, rng)
        share = float((means_D > set_by.means_C[usual.classes(lengths_D)]).mean())
        shares.append(share)
        noise = math.sqrt(rate * (1 - rate) / 40_000)
        inside += set_by.low - noise <= share <= set_by.high + noise
        promised += set_by.expected / 100
    deviation = float(np.std(shares)) / 10
    assert np.mean(shares) == pytest.approx(promised, abs=3.5 * deviation)
    assert inside >= 88  # 95 of 100, less 3 deviations


def test_the_interval_of_one_class_is_that_of_beta() -> None:
    usual = Reference(np.full(99, 5), np.arange(99.0))
    # k of 100: of 1, Beta(1, 99) has its quantiles in closed form, 1 - (1 - q)^(1 / 99).
    found = usual.thresholds(0.01)
    assert found.means_C.tolist() == [98.0]
    assert found.expected == pytest.approx(0.01)
    for bound, q in ((found.low, 0.025), (found.high, 0.975)):
        assert bound == pytest.approx(1 - (1 - q) ** (1 / 99), rel=0.1)
    assert usual.thresholds(0.05).means_C.tolist() == [94.0]


def test_a_class_too_small_for_a_rate_shares_with_the_others() -> None:
    # Ten classes of 200, 1 in 1,000: two whole documents, of two classes; the others flag none.
    lengths_D = np.repeat(np.arange(10), 200)
    found = Reference(lengths_D, np.random.default_rng(1).random(2000)).thresholds(0.001)
    assert np.isfinite(found.means_C).sum() == 2
    assert found.expected == pytest.approx(0.001, rel=0.01)
    assert 0.0 < found.low < 0.001 < found.high


def test_any_rate_that_can_be_told_has_a_threshold() -> None:
    for n in (1, 2, 3, 10, 450):
        lengths_D, means_D = drawn(n, np.random.default_rng(n))
        usual = Reference(lengths_D, means_D)
        for rate in (1 / (n + 1) + 1e-9, 0.5, 0.9, 0.99, 0.9999):
            found = usual.thresholds(rate)
            assert 0.0 < found.low <= found.expected <= found.high < 1.0
            assert np.isfinite(found.means_C).any()
        # Nearly all are to be flagged: all but the cheapest of each class.
        assert found.expected == pytest.approx(1.0, abs=3 * len(found.means_C) / (n + 1))


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_a_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match=r"^flag-rate must be above 0 and below 1; got .+\.$"):
        Reference(np.ones(9), np.arange(9.0)).thresholds(rate)


def test_a_rate_that_so_few_documents_cannot_tell_is_refused() -> None:
    usual = Reference(np.ones(1099), np.arange(1099.0))
    usual.thresholds(1 / 1100)
    with pytest.raises(UsageError) as caught:
        usual.thresholds(0.0009)
    assert str(caught.value) == (
        "flag-rate must be at least 1/1100 with 1,099 held-out documents; got 0.0009. "
        "Try a higher rate, or hold out more of them."
    )
    with pytest.raises(UsageError, match="at least 1/1 with 0 held-out"):
        Reference(np.zeros(0), np.zeros(0)).thresholds(0.5)
