"""The scalar autograd: gradients against central differences, and the graph's behaviour."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from microgpt.autograd import Value, dot, exp, relu

CASES: dict[str, Callable[..., object]] = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "negate": lambda a, b: -a + b,
    "power": lambda a, b: a**3 + b**-0.5,
    "with floats": lambda a, b: (2.0 + a) * 3.0 - 1.0 + (1.0 - b) / 4.0 + 5.0 / a + 2.0 * b,
    "exp": lambda a, b: exp(a * b) if isinstance(a, Value) else math.exp(a * b),
    "log": lambda a, b: (a * b).log() if isinstance(a, Value) else math.log(a * b),
    "relu": lambda a, b: relu(a - b) + relu(b - a),
    "dot": lambda a, b: dot([a, b, a], [b, b, a]),
    "diamond": lambda a, b: (a * b + a) * (a * b - b),
}


@pytest.mark.parametrize("name", CASES)
def test_slopes_are_those_of_central_differences(name: str) -> None:
    f = CASES[name]
    a, b, h = 1.3, 0.7, 1e-5
    x, y = Value(a), Value(b)
    result = f(x, y)
    assert isinstance(result, Value)
    result.backward()
    assert result.data == pytest.approx(f(a, b), rel=1e-15)
    assert x.grad == pytest.approx((f(a + h, b) - f(a - h, b)) / (2 * h), rel=1e-8)  # type: ignore[operator]
    assert y.grad == pytest.approx((f(a, b + h) - f(a, b - h)) / (2 * h), rel=1e-8)  # type: ignore[operator]


def test_a_chain_of_100000_meets_no_recursion_limit() -> None:
    x = y = Value(1.0)
    for _ in range(100_000):
        y = y + 1.0
    y.backward()
    assert (y.data, x.grad) == (100_001.0, 1.0)


def test_a_second_backward_adds_once_more() -> None:
    x = Value(3.0)
    y = (x * x + x) * 2.0
    y.backward()
    y.backward()
    assert x.grad == 2 * 14.0


def test_the_same_graph_gives_the_same_bits() -> None:
    def slopes() -> list[float]:
        rng = random.Random(5)
        xs = [Value(rng.gauss(0, 1)) for _ in range(40)]
        nodes = list(xs)
        for _ in range(400):
            a, b = rng.choice(nodes), rng.choice(nodes)
            nodes.append((a * b + a).relu() * 0.7)
        sum(nodes[1:], nodes[0]).backward()
        return [x.grad for x in xs]

    assert slopes() == slopes()


def test_dot_is_the_same_for_floats_and_values_to_the_last_bit() -> None:
    rng = random.Random(6)
    for n in (1, 4, 16, 64):
        xs, ys = ([rng.gauss(0, 1) for _ in range(n)] for _ in range(2))
        node = dot([Value(x) for x in xs], [Value(y) for y in ys])
        assert isinstance(node, Value)
        assert node.data == dot(xs, ys)


def test_relu_has_no_slope_at_zero() -> None:
    x = Value(0.0)
    relu(x).backward()  # type: ignore[union-attr]
    assert (x.grad, relu(-1.0), relu(2.0)) == (0.0, 0.0, 2.0)
