"""The loss against 50 and more digits, closed forms and finite differences."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from microgpt.autograd import Value
from microgpt.errors import UsageError
from microgpt.loss import OBJECTIVES, LossSum, cross_entropy, cross_entropy_by_the_book
from tests.conftest import examples

# Differences of logits at 1e300 must be exact, with 50 digits to spare.
mpmath.mp.dps = 700


def exactly(logits: list[float], target: int) -> tuple[mpmath.mpf, list[mpmath.mpf]]:
    """Return the loss and its gradient, to hundreds of digits."""
    z = [mpmath.mpf(x) for x in logits]
    gaps = [x - max(z) for x in z]
    # Below e^-2000 a share is 0 in doubles, and mpmath need not compute it.
    exps = [mpmath.exp(g) if g > -2000 else mpmath.mpf(0) for g in gaps]
    top = gaps.index(0)
    rest = mpmath.fsum(e for i, e in enumerate(exps) if i != top)
    shares = [e / (1 + rest) for e in exps]
    slopes = list(shares)
    slopes[target] = -mpmath.fsum(s for i, s in enumerate(shares) if i != target)
    return mpmath.log1p(rest) - gaps[target], slopes


def ulps(got: float, true: mpmath.mpf) -> float:
    """Return the error of a double in units in the last place."""
    return float(abs(mpmath.mpf(got) - true) / mpmath.mpf(math.ulp(float(true))))


logit = st.one_of(
    st.floats(-50, 50),
    st.floats(-1e3, 1e3),
    st.floats(-1e300, 1e300, allow_subnormal=False),
    st.sampled_from([0.0, 690.1, -690.1, 1e20, 1e300, -1e300]),
)


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(logit, min_size=1, max_size=12), st.data())
def test_loss_and_slopes_are_within_4_ulp_of_the_truth(logits: list[float], data: st.DataObject):
    target = data.draw(st.integers(0, len(logits) - 1))
    loss, slopes = cross_entropy(logits, target)
    true_loss, true_slopes = exactly(logits, target)
    assert ulps(loss, true_loss) <= 4
    for got, true in zip(slopes, true_slopes):
        assert ulps(got, true) <= 4


@pytest.mark.parametrize("gap", [1e-3, 0.1, 1.0, 10.0, 100.3, 345.7, 690.7, 700.0])
def test_a_model_that_is_nearly_right_is_priced_down_to_1e_300(gap: float) -> None:
    for start in (0.0, 0.3, -123.456, 1e6 / 3):
        logits = [start + gap, start, start - 1.0]
        loss, slopes = cross_entropy(logits, 0)
        true_loss, true_slopes = exactly(logits, 0)
        assert loss > 0
        assert ulps(loss, true_loss) <= 4
        assert ulps(slopes[0], true_slopes[0]) <= 4
    assert cross_entropy([690.0, 0.0], 0)[0] < 1e-299


@pytest.mark.parametrize(
    ("p", "loss"), [(1, 0.0), (0.5, 0.69), (0.1, 2.30), (0.01, 4.61), (0.0001, 9.21)]
)
def test_p_costs_what_the_table_says(p: float, loss: float) -> None:
    logits = [math.log(p), math.log(1 - p) if p < 1 else -math.inf]
    assert cross_entropy(logits, 0)[0] == pytest.approx(loss, abs=0.005)


@pytest.mark.parametrize("shift", [1e3, -1e3, 1e6, -1e6])
def test_a_constant_added_to_all_logits_changes_nothing(shift: float) -> None:
    # Eighths survive the shift to the last bit.
    logits = [0.125, -3.5, 2.0, 7.875]
    for target in range(4):
        assert cross_entropy([z + shift for z in logits], target) == cross_entropy(logits, target)


@pytest.mark.parametrize("size", [1.0, 1e4, 1e20, -1e20, 1e300])
@pytest.mark.parametrize("v", [2, 27, 1000])
def test_equal_logits_cost_ln_v(size: float, v: int) -> None:
    assert cross_entropy([size] * v, v // 2)[0] == pytest.approx(math.log(v), rel=1e-15)


def test_a_gap_of_1000_costs_1000_nats() -> None:
    assert cross_entropy([0.0, 1000.0], 0) == (1000.0, [-1.0, 1.0])


@pytest.mark.parametrize("others", [[0.0, 1.0], [-math.inf, 3.0], [-math.inf, -math.inf]])
def test_an_impossible_target_costs_infinitely_much_and_never_nan(others: list[float]) -> None:
    loss, slopes = cross_entropy([-math.inf, *others], 0)
    assert loss == math.inf
    assert not any(map(math.isnan, slopes))


def test_an_impossible_other_costs_nothing() -> None:
    loss, slopes = cross_entropy([0.0, -math.inf, 0.0], 0)
    assert loss == pytest.approx(math.log(2))
    assert slopes == [-0.5, 0.0, 0.5]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_logit_that_is_no_number_makes_the_loss_none(place: int) -> None:
    logits = [1.0, 2.0, 3.0]
    logits[place] = math.nan
    assert all(math.isnan(cross_entropy(logits, target)[0]) for target in range(3))


def test_slopes_sum_to_zero() -> None:
    rng = random.Random(1)
    for _ in range(200):
        logits = [rng.gauss(0, 10) for _ in range(27)]
        slopes = cross_entropy(logits, rng.randrange(27))[1]
        assert abs(math.fsum(slopes)) <= 2**-53


def test_slopes_are_those_of_central_differences() -> None:
    rng = random.Random(2)
    h = 1e-5
    logits = [rng.gauss(0, 2) for _ in range(7)]
    for target in range(7):
        slopes = cross_entropy(logits, target)[1]
        for i in range(7):
            up, down = list(logits), list(logits)
            up[i] += h
            down[i] -= h
            rise = cross_entropy(up, target)[0] - cross_entropy(down, target)[0]
            assert slopes[i] == pytest.approx(rise / (2 * h), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("target", [-1, 3, 100])
def test_a_target_out_of_range_is_named(target: int) -> None:
    with pytest.raises(UsageError, match=rf"target must be in \[0, 3\); got {target}\."):
        cross_entropy([0.0, 0.0, 0.0], target)


def test_the_way_it_is_taught_comes_to_the_same() -> None:
    rng = random.Random(3)
    for _ in range(50):
        logits = [rng.gauss(0, 5) for _ in range(9)]
        target = rng.randrange(9)
        nodes = [Value(z) for z in logits]
        taught = cross_entropy_by_the_book(nodes, target)
        taught.backward()
        loss, slopes = cross_entropy(logits, target)
        assert taught.data == pytest.approx(loss, rel=1e-12, abs=1e-14)
        assert [node.grad for node in nodes] == pytest.approx(slopes, rel=1e-9, abs=1e-14)


def test_the_way_it_is_taught_fails_where_p_underflows() -> None:
    with pytest.raises(ValueError, match=r"math domain|positive"):
        cross_entropy_by_the_book([Value(0.0), Value(800.0)], 0)
    assert cross_entropy([0.0, 800.0], 0)[0] == 800.0


FORMULAS: dict[str, Callable[[mpmath.mpf], mpmath.mpf]] = {
    "cross-entropy": lambda p: -mpmath.log(p),
    "linear": lambda p: 1 - p,
    "quadratic": lambda p: (1 - p) ** 2,
}


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("p", [0.9999, 0.5, 0.1, 1e-4, 1e-30])
def test_an_objective_and_its_weight_are_those_of_its_formula(name: str, p: float) -> None:
    objective, nats = OBJECTIVES[name], -math.log(p)
    exact_p = mpmath.exp(-mpmath.mpf(nats))
    with mpmath.workdps(60):
        assert objective.value(nats) == pytest.approx(float(FORMULAS[name](exact_p)), rel=1e-14)
        slope = mpmath.diff(FORMULAS[name], exact_p, h=exact_p * mpmath.mpf(10) ** -20)
        assert objective.weight(nats) == pytest.approx(float(-exact_p * slope), rel=1e-12)


def best_report(name: str, truth: list[float]) -> list[float]:
    """Return the report, on a grid of tenths, of least expected loss under `truth`."""
    v = len(truth)
    grid = [
        [i / 10 for i in cut]
        for cut in ([(a, 10 - a) for a in range(1, 10)] if v == 2 else _thirds())
    ]
    price = OBJECTIVES[name].value
    return min(grid, key=lambda q: sum(t * price(-math.log(x)) for t, x in zip(truth, q)))


def _thirds() -> list[tuple[int, int, int]]:
    return [(a, b, 10 - a - b) for a in range(1, 9) for b in range(1, 10 - a)]


def test_only_minus_log_p_is_least_where_the_truth_is_told() -> None:
    assert best_report("cross-entropy", [0.7, 0.3]) == [0.7, 0.3]
    assert best_report("cross-entropy", [0.5, 0.3, 0.2]) == [0.5, 0.3, 0.2]
    assert best_report("linear", [0.7, 0.3]) == [0.9, 0.1]
    # Proper for two outcomes only, as its description says.
    assert best_report("quadratic", [0.7, 0.3]) == [0.7, 0.3]
    assert best_report("quadratic", [0.5, 0.3, 0.2]) != [0.5, 0.3, 0.2]


def test_sums_are_added_and_means_are_not() -> None:
    both = LossSum(6.0, 2) + LossSum(3.0, 3)
    assert (both.nats, both.positions, both.mean) == (9.0, 5, 1.8)
    assert LossSum(math.log(2) * 3, 3).bits == pytest.approx(1.0)
    assert LossSum(math.log(27), 1).perplexity == pytest.approx(27.0)
    assert LossSum(1e9, 1).perplexity == math.inf
    assert math.isnan(LossSum().mean)


def test_the_order_of_losses_does_not_change_their_sum() -> None:
    rng = random.Random(4)
    losses = [rng.expovariate(0.1) * 10 ** rng.randint(-9, 9) for _ in range(1000)]
    total = LossSum.of(losses)
    rng.shuffle(losses)
    assert LossSum.of(losses) == total
