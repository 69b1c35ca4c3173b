"""The scoring rules by hand, and the report that is best under each: found by trying."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from microgpt.evaluation.rules import RULES, Marks

# p, what came, Brier score, spherical score.
BY_HAND = [
    ((0.5, 0.5), 0, 0.5, 1 / math.sqrt(2)),
    ((0.75, 0.25), 1, 0.75**2 + 0.75**2, 0.25 / math.sqrt(0.625)),
    ((0.6, 0.3, 0.1), 0, 0.16 + 0.09 + 0.01, 0.6 / math.sqrt(0.46)),
    ((0.2, 0.3, 0.5), 1, 0.04 + 0.49 + 0.25, 0.3 / math.sqrt(0.38)),
    ((1.0, 0.0), 0, 0.0, 1.0),
    ((1.0, 0.0), 1, 2.0, 0.0),
    ((1.0,), 0, 0.0, 1.0),
]


def marked(p: tuple[float, ...], target: int) -> Marks:
    marks = Marks()
    marks.add(np.array([p[target]]), np.array([sum(q * q for q in p)]))
    return marks


@pytest.mark.parametrize(("p", "target", "brier", "spherical"), BY_HAND)
def test_marks_are_those_found_by_hand(
    p: tuple[float, ...], target: int, brier: float, spherical: float
) -> None:
    marks = marked(p, target)
    assert marks.brier == pytest.approx(brier)
    assert marks.spherical == pytest.approx(spherical)


def test_marks_of_many_are_their_mean_however_they_come() -> None:
    together = Marks()
    some = [one for one in BY_HAND if len(one[0]) == 2]
    squares = [sum(q * q for q in p) for p, *_ in some]
    together.add(np.array([p[t] for p, t, *_ in some]), np.array(squares))
    for p, target, *_ in (one for one in BY_HAND if len(one[0]) == 3):
        together.add(np.array([p[target]]), np.array([sum(q * q for q in p)]))
    several = [one for one in BY_HAND if len(one[0]) > 1]
    assert together.brier == pytest.approx(np.mean([brier for *_, brier, _ in several]))
    assert together.spherical == pytest.approx(np.mean([mark for *_, mark in several]))
    assert math.isnan(Marks().brier)
    assert math.isnan(Marks().spherical)


def mark(name: str, p: tuple[float, ...], target: int) -> float:
    """Return the cost of a report; lower is better."""
    if name == "log loss":
        return -math.log(p[target]) if p[target] else math.inf
    if name == "Brier score":
        return marked(p, target).brier
    if name == "spherical score":
        return -marked(p, target).spherical
    assert name == "accuracy"
    return -float(max(range(len(p)), key=p.__getitem__) == target)


GRID = [(a / 20, b / 20, (20 - a - b) / 20) for a, b in product(range(21), repeat=2) if a + b <= 20]


@pytest.mark.parametrize("rule", RULES[:4], ids=[rule.name for rule in RULES[:4]])
@pytest.mark.parametrize("truth", [(0.6, 0.3, 0.1), (0.15, 0.45, 0.4), (0.9, 0.05, 0.05)])
def test_the_truth_is_the_best_answer_and_the_only_one_where_it_is_said_so(
    rule: object, truth: tuple[float, ...]
) -> None:
    name, proper = getattr(rule, "name"), getattr(rule, "proper")  # noqa: B009
    expected = {p: math.fsum(q * mark(name, p, t) for t, q in enumerate(truth) if q) for p in GRID}
    least = min(expected.values())
    best = [p for p, cost in expected.items() if cost <= least + 1e-12]
    assert truth in best
    assert (len(best) == 1) == (proper == "strictly proper")


def test_whoever_tells_the_averages_is_calibrated_and_knows_nothing() -> None:
    """The calibration error is no proper score: informed and ignorant models have 0."""
    assert RULES[4].proper.startswith("no score")
    came = np.array([True, False] * 500)
    ignorant = np.full(1000, 0.5)
    informed = np.where(came, 0.999, 0.001)
    gaps = [abs(float((p - came).mean())) for p in (ignorant, informed)]
    assert gaps == pytest.approx([0.0, 0.0], abs=1e-12)
    brier = [float(((p - came) ** 2).mean()) for p in (ignorant, informed)]
    assert brier[0] > 0.2 > 0.001 > brier[1]


def test_every_rule_says_where_it_is_from_and_which_way_is_better() -> None:
    assert [rule.better for rule in RULES] == ["lower", "lower", "higher", "higher", "lower"]
    assert all(any(c.isdigit() for c in rule.source) for rule in RULES)
