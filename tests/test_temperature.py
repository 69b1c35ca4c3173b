"""The fitted temperature against a fine grid, and where the truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microgpt.evaluation import temperature as module
from microgpt.evaluation.temperature import Thermometer
from microgpt.loss import cross_entropy

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def drawn(n: int, true_t: float, seed: int, v: int = 5) -> Rows:
    """Return logits, and targets drawn from softmax(logits / T)."""
    rng = np.random.default_rng(seed)
    logits_BV = rng.normal(0.0, 2.0, (n, v))
    p_BV = np.exp(logits_BV / true_t)
    p_BV /= p_BV.sum(axis=1, keepdims=True)
    targets_B = (p_BV.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return logits_BV, targets_B, np.arange(n) % 2


def fitted(rows: Rows) -> module.Temperature:
    meter = Thermometer()
    for some in np.array_split(np.arange(len(rows[0])), 4):
        meter.add(*(its[some] for its in rows))
    return meter.temperature()


def cost(logits_BV: np.ndarray, targets_B: np.ndarray, t: float) -> float:
    return math.fsum(
        cross_entropy((z / t).tolist(), target)[0] for z, target in zip(logits_BV, targets_B)
    )


def best(logits_BV: np.ndarray, targets_B: np.ndarray) -> float:
    """Return the best of a grid, then of a finer one around it."""
    low, high = math.log(0.05), math.log(20.0)
    for _ in range(3):
        grid = np.linspace(low, high, 41)
        at = int(np.argmin([cost(logits_BV, targets_B, math.exp(x)) for x in grid]))
        low, high = grid[max(at - 1, 0)], grid[min(at + 1, 40)]
    return math.exp((low + high) / 2)


@pytest.mark.parametrize(
    "true_t", [0.5, *(pytest.param(t, marks=pytest.mark.slow) for t in (1.0, 3.0))]
)
def test_the_temperature_is_the_best_of_a_fine_grid(true_t: float) -> None:
    logits_BV, targets_B, half_B = rows = drawn(200, true_t, seed=4)
    found = fitted(rows)
    assert found.value == pytest.approx(best(logits_BV, targets_B), rel=2e-3)
    assert found.positions == 200
    gained = 0.0
    for half in (0, 1):
        its, other = half_B == half, half_B != half
        t = best(logits_BV[its], targets_B[its])
        gained += cost(logits_BV[other], targets_B[other], 1.0)
        gained -= cost(logits_BV[other], targets_B[other], t)
    assert found.gain == pytest.approx(gained / 200, abs=1e-4)


def test_a_calibrated_model_s_temperature_is_1_and_nothing_is_gained() -> None:
    found = fitted(drawn(100_000, 1.0, seed=5))
    assert found.value == pytest.approx(1.0, abs=0.02)
    assert abs(found.gain) < 1e-4


@pytest.mark.parametrize("true_t", [0.4, 2.5])
def test_one_too_sure_or_not_sure_enough_is_found_out(true_t: float) -> None:
    found = fitted(drawn(50_000, true_t, seed=6))
    assert found.value == pytest.approx(true_t, rel=0.03)
    assert found.gain > 0.05


def test_what_has_no_best_temperature_stops_at_the_ends_of_the_scale() -> None:
    right = np.tile([[2.0, 0.0, 0.0]], (10, 1)), np.zeros(10, dtype=int), np.arange(10) % 2
    assert fitted(right).value == pytest.approx(0.05, rel=1e-6)
    wrong = right[0], np.ones(10, dtype=int), right[2]
    assert fitted(wrong).value == pytest.approx(20.0, rel=1e-6)
    alone = np.zeros((10, 1)), np.zeros(10, dtype=int), np.arange(10) % 2
    assert fitted(alone).gain == 0.0


def test_logits_of_any_size_overflow_nowhere() -> None:
    for size in (1e20, 1e39, 1e300):
        logits_BV = np.array([[size, 0.0, -size], [0.0, size, 1.0]] * 4)
        found = fitted((logits_BV, np.array([0, 1] * 4), np.arange(8) // 4))
        assert found.gain == 0.0
        assert 0.05 <= found.value <= 20.0
    logits_BV = np.array([[1e9 + 2.0, 1e9], [1e9, 1e9 + 2.0]] * 8)
    near = fitted((logits_BV, np.array([0, 1, 1, 1] * 4), np.arange(16) // 8))
    # Three of four: odds of 3 are ln 3 of the 2 nats told.
    assert near.value == pytest.approx(2.0 / math.log(3.0), rel=1e-6)


def test_one_document_says_nothing_of_others_and_none_says_nothing() -> None:
    logits_BV, targets_B, _ = drawn(50, 2.0, seed=7)
    found = fitted((logits_BV, targets_B, np.zeros(50, dtype=int)))
    assert math.isnan(found.gain)
    assert found.value == pytest.approx(best(logits_BV, targets_B), rel=2e-3)
    nothing = Thermometer().temperature()
    assert nothing.positions == 0
    assert math.isnan(nothing.value)


def test_what_is_kept_is_bounded_and_a_large_vocabulary_keeps_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST", 1000)
    logits_BV, targets_B, half_B = drawn(300, 1.0, seed=8)
    meter = Thermometer()
    meter.add(logits_BV, targets_B, half_B)
    assert meter.temperature().positions == 200
    meter.add(logits_BV, targets_B, half_B)
    assert meter.temperature().positions == 200
