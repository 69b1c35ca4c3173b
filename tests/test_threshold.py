"""The share of good lines flagged: in closed form, and by simulation with and without repeats."""

from __future__ import annotations

import math

import flag_rate
import numpy as np
import pytest

from microgpt.errors import UsageError
from microgpt.scoring import threshold as module
from microgpt.scoring.reference import ENOUGH, Reference
from microgpt.scoring.repetition import Repetition
from microgpt.scoring.threshold import ABOVE, threshold
from tests.conftest import some
from tests.test_reference import drawn

slow = pytest.mark.slow
# By default texts are tried that never repeat, that mostly do, and some often and some seldom.
OTHERS = {*flag_rate.SOURCES} - {"all distinct", "19 of 20 repeat", "Zipf, 500"}


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Find quantiles from fewer draws: off by 0.25 %, where the tests' bounds are 6 % wide."""
    monkeypatch.setattr(module, "_DRAWS", 4000)


def test_of_the_documents_themselves_as_many_are_above_as_were_to_be() -> None:
    for n in (300, 2000, 5000):
        lengths_D, means_D = drawn(n, np.random.default_rng(n))
        for rate in (0.005, 0.01, 0.1, 0.5):
            found = threshold(Reference(lengths_D, means_D), rate)
            flags_D = found.flags(lengths_D, means_D)
            classes_D = found.usual.classes(lengths_D)
            # The k-th dearest of each class is the threshold, and not above it.
            n_C = np.bincount(classes_D)
            k_C = np.bincount(classes_D, flags_D) + 1
            expected = float((n_C / n * k_C / (n_C + 1)).sum())
            assert found.expected == pytest.approx(expected)
            # Whole documents come as near to the rate as half a one.
            assert abs(found.expected - rate) <= 0.51 / n + 1e-12


@pytest.mark.parametrize("rate", some([0.05, 0.002, 0.01, 0.2, 0.5], 0))
@pytest.mark.usefixtures("few_draws")
def test_the_share_of_fresh_good_texts_above_is_what_was_promised(rate: float) -> None:
    """The guarantee by simulation: over many references, each with its own interval."""
    rng = np.random.default_rng(int(rate * 1000))
    shares: list[float] = []
    inside, promised = 0, 0.0
    for _ in range(100):
        found = threshold(Reference(*drawn(1500, rng)), rate)
        share = float(found.flags(*drawn(20_000, rng)).mean())
        shares.append(share)
        noise = math.sqrt(rate * (1 - rate) / 20_000)
        inside += found.low - noise <= share <= found.high + noise
        promised += found.expected / 100
    deviation = float(np.std(shares)) / 10
    assert np.mean(shares) == pytest.approx(promised, abs=3.5 * deviation)
    assert inside >= 88  # 95 of 100, less 3 deviations


@pytest.mark.parametrize(
    "kind",
    [pytest.param(kind, marks=slow if kind in OTHERS else ()) for kind in flag_rate.SOURCES],
)
@pytest.mark.parametrize("rate", [pytest.param(0.01, marks=slow), 0.05])
@pytest.mark.usefixtures("few_draws")
def test_of_lines_that_repeat_or_not_the_share_flagged_is_in_the_interval(
    kind: str, rate: float
) -> None:
    """The same where texts repeat, and cost less the more often they were trained on."""
    found = [flag_rate.imagined(kind, rate, seed) for seed in range(40)]
    inside = sum(one.low <= one.flagged <= one.high for one in found)
    assert inside >= 34  # 95 of 100, less 3 deviations
    width = np.mean([one.high - one.low for one in found])
    # 500 distinct documents are held out: more lines than that never tell less.
    assert width <= 1.05 * 4 * math.sqrt(rate * (1 - rate) / 500)


def test_the_interval_of_one_class_is_that_of_beta() -> None:
    usual = Reference(np.full(99, 5), np.arange(99.0))
    # k of 100: of 1, Beta(1, 99) has its quantiles in closed form, 1 - (1 - q)^(1 / 99).
    found = threshold(usual, 0.01)
    assert found.percentile == 99.0
    assert found.flags(np.full(2, 5), np.array([98.0, 98.001])).tolist() == [False, True]
    assert found.expected == pytest.approx(0.01)
    for bound, q in ((found.low, 0.025), (found.high, 0.975)):
        assert bound == pytest.approx(1 - (1 - q) ** (1 / 99), rel=0.1)
    assert threshold(usual, 0.05).percentile == 95.0


def test_the_interval_of_lines_that_all_repeat_is_that_of_counting_them() -> None:
    # Ten texts of 100 lines each: of one of them 0.1, as it was counted among 1,000.
    usual = Reference(np.full(10, 5), np.arange(10.0), np.full(10, 100), Repetition(1000, 0, 0))
    found = threshold(usual, 0.1)
    assert found.flags(np.full(2, 5), np.array([8.0, 9.0])).tolist() == [False, True]
    assert found.expected == 0.1
    # Clopper and Pearson's interval of 100 in 1,000, as R's binom.test has it; above it is what
    # may be new.
    assert found.low == pytest.approx(0.0821, abs=0.001)
    assert 0.1203 < found.high < 0.1203 + 0.0037
    # None of those that are known: what costs more than all of them, which no line did.
    none = threshold(usual, 0.01)
    assert none.flags(np.full(2, 5), np.array([9.0, 9.1])).tolist() == [False, True]
    assert none.expected == none.low == 0.0
    # At most one line in 1,000 was new, and one counted too few: of two such the share is below
    # 5.57 in 1,000, the 97.5 % quantile of Gamma(2).
    assert none.high == pytest.approx(0.00557, rel=0.05)


@pytest.mark.parametrize("rate", [0.0025, 0.01, 0.05])
def test_classes_are_wide_enough_for_the_rate(rate: float) -> None:
    lengths_D, means_D = drawn(20_000, np.random.default_rng(2), longest=40)
    usual = threshold(Reference(lengths_D, means_D), rate).usual
    counts = np.bincount(usual.classes(lengths_D))
    assert counts.min() >= max(ENOUGH, ABOVE / rate)
    assert len(counts) > 5


@pytest.mark.parametrize("rate", [0.0025, 0.01, 0.05, 0.5])
def test_what_is_rarer_than_a_text_that_is_flagged_is_flagged(rate: float) -> None:
    rng = np.random.default_rng(3)
    lengths_D, means_D = drawn(3000, rng, longest=30)
    lines_D = np.where(rng.random(3000) < 0.3, rng.integers(2, 50, 3000), 0)
    new = int((lines_D == 0).sum())
    told = Repetition(int(lines_D.sum()) + 10 * new, 10 * new, int((lines_D == 2).sum()))
    for usual in (
        Reference(lengths_D, means_D),
        Reference(lengths_D, means_D, lines_D, told),
    ):
        found = threshold(usual, rate)
        others = drawn(20_000, rng, longest=60)
        flags_D, percentiles_D = found.flags(*others), found.usual.percentiles(*others)
        assert 0 < flags_D.sum() < 20_000
        assert percentiles_D[flags_D].min() >= found.percentile > percentiles_D[~flags_D].max()


def test_the_costliest_of_all_lines_is_flagged_where_any_is() -> None:
    """Bad lines among rare long ones: a length class of their own must not hide them."""
    rng = np.random.default_rng(4)
    lengths_D, means_D = rng.integers(4, 13, 2000), rng.normal(2.0, 0.5, 2000)
    lengths_D[:205], means_D[:205] = 30 + rng.integers(0, 30, 205), rng.normal(2.0, 0.2, 205)
    means_D[:3] = 5.5, 5.8, 6.0  # held out, and bad
    # In a class of its own length it is rarer than 98.5 %.
    alone = Reference(lengths_D, means_D)
    assert alone.percentiles(np.array([45]), np.array([6.2]))[0] == pytest.approx(99.5, abs=0.1)
    assert alone.percentiles(np.array([45]), np.array([5.6]))[0] < 99.0
    found = threshold(alone, 0.0025)
    flags_D = found.flags(np.array([45, 45, 6]), np.array([6.2, 5.9, 2.2]))
    assert flags_D.tolist() == [True, True, False]
    assert found.flags(lengths_D, means_D).sum() in range(3, 6)


def test_any_rate_that_can_be_told_has_a_threshold() -> None:
    for n in (1, 2, 3, 10, 450):
        lengths_D, means_D = drawn(n, np.random.default_rng(n))
        usual = Reference(lengths_D, means_D)
        for rate in (1 / (n + 1) + 1e-9, 0.5, 0.9, 0.99, 0.9999):
            found = threshold(usual, rate)
            assert 0.0 < found.low <= found.expected <= found.high < 1.0
            assert found.flags(np.array([5]), np.array([99.0])).all()
        # Nearly all are to be flagged: all but the cheapest of each class.
        assert found.expected == pytest.approx(1.0, abs=3 * len(found.usual.weights_C) / (n + 1))


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 2.0, math.nan])
def test_a_rate_that_is_no_share_is_refused(rate: float) -> None:
    with pytest.raises(UsageError, match=r"^flag-rate must be above 0 and below 1; got .+\.$"):
        threshold(Reference(np.ones(9), np.arange(9.0)), rate)


def test_a_rate_that_so_few_documents_cannot_tell_is_refused() -> None:
    usual = Reference(np.ones(1099), np.arange(1099.0))
    threshold(usual, 1 / 1100)
    with pytest.raises(UsageError) as caught:
        threshold(usual, 0.0009)
    assert str(caught.value) == (
        "flag-rate must be at least 1/1100 with 1,099 held-out documents; got 0.0009. "
        "Try a higher rate, or hold out more of them."
    )
    with pytest.raises(UsageError, match="at least 1/1 with 0 held-out"):
        threshold(Reference(np.zeros(0), np.zeros(0)), 0.5)
