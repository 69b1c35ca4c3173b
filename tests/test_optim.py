"""Adam's numbers and the learning rate, against their closed forms."""

from __future__ import annotations

import pytest

from microgpt.config import TrainConfig
from microgpt.optim import Optimizer, learning_rate


def test_corrections_make_a_constant_gradient_s_moments_the_gradient() -> None:
    adam, g = Optimizer(), 0.3
    m = v = 0.0
    for update in range(1, 50):
        m = adam.beta1 * m + (1 - adam.beta1) * g
        v = adam.beta2 * v + (1 - adam.beta2) * g * g
        m_lacks, v_lacks = adam.corrections(update)
        assert m / m_lacks == pytest.approx(g, rel=1e-12)
        assert v / v_lacks == pytest.approx(g * g, rel=1e-12)


def test_the_rate_falls_in_a_line_and_would_be_zero_after_the_last_step() -> None:
    config = TrainConfig(steps=1000, lr=0.01)
    rates = [learning_rate(config, step, 0.0) for step in range(1, 1002)]
    assert rates[0] == 0.01
    assert rates == pytest.approx([0.01 * (1 - k / 1000) for k in range(1001)], abs=1e-18)


def test_with_a_budget_in_seconds_the_clock_counts() -> None:
    config = TrainConfig(steps=None, seconds=10.0, lr=0.01)
    assert learning_rate(config, 12345, 2.5) == pytest.approx(0.0075)
    assert learning_rate(config, 12345, 11.0) == 0.0


def test_of_two_budgets_the_nearer_counts() -> None:
    config = TrainConfig(steps=100, seconds=10.0, lr=0.01)
    assert learning_rate(config, 51, 2.5) == pytest.approx(0.005)
    assert learning_rate(config, 51, 7.5) == pytest.approx(0.0025)
