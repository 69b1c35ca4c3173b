"""The loss of many positions at once, against the definition at each of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from microgpt.loss import cross_entropy
from microgpt.loss.many import Softmax

ROWS = [
    [0.0, 0.0, 0.0],
    [1e20, 1e20, 1e20],
    [-1e308, -1e308, -1e308],
    [1000.0, 0.0, -1000.0],
    [1e20, 0.0, -1e20],
    [0.0, -700.0, -745.0],
    [0.0, -30.0, -40.0],
    [5.0, 5.0 + 2**-40, -math.inf],
    [-math.inf, 3.0, -math.inf],
    [1e300, -1e300, 0.0],
]


@pytest.mark.parametrize("row", ROWS)
def test_losses_are_those_of_cross_entropy(row: list[float]) -> None:
    softmax = Softmax(np.array([row]))
    assert softmax.likely_B.tolist() == [row.index(max(row))]
    (log_p_V,) = softmax.log_p_BV.tolist()
    assert [-x for x in log_p_V] == [softmax.losses(np.array([i])).item() for i in range(3)]
    for target, log_p in enumerate(log_p_V):
        loss, _ = cross_entropy(row, target)
        # Relative to 1 where the model is nearly certain: what it costs is then below 1e-15.
        assert -log_p == pytest.approx(loss, rel=4e-16 * 4, abs=4e-16)
        assert -log_p >= 0.0


def test_many_rows_are_many_single_ones_and_sum_to_1() -> None:
    rng = np.random.default_rng(1)
    for scale in (1e-9, 1.0, 30.0, 1e6):
        logits_BV = rng.normal(0.0, scale, (40, 27))
        softmax = Softmax(logits_BV)
        log_p_BV = softmax.log_p_BV
        for logits_V, log_p_V in zip(logits_BV.tolist(), log_p_BV):
            expected = [-cross_entropy(logits_V, target)[0] for target in range(27)]
            assert log_p_V == pytest.approx(expected, rel=1e-14, abs=1e-14)
        assert np.exp(log_p_BV) == pytest.approx(softmax.p_BV, rel=1e-12, abs=1e-300)
        assert softmax.p_BV.sum(axis=1) == pytest.approx(np.ones(40))
        moved_BV = Softmax(logits_BV + 64.0 * scale).log_p_BV
        assert moved_BV == pytest.approx(log_p_BV, rel=1e-12, abs=1e-12 * max(scale, 1))


def test_what_was_given_is_left_as_it_was_and_few_are_enough() -> None:
    logits_BV = np.array([[1.0, 2.0]])
    Softmax(logits_BV)
    assert logits_BV.tolist() == [[1.0, 2.0]]
    assert Softmax(np.array([[7.0]])).log_p_BV.tolist() == [[0.0]]
    assert Softmax(np.zeros((0, 3))).log_p_BV.shape == (0, 3)
