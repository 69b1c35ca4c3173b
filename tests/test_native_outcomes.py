"""The native engine's comparison of logits with targets, against numpy's, on every build."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest

from microgpt.engines import why_not_native
from microgpt.engines.contract import Floats, State
from microgpt.errors import UsageError
from microgpt.evaluation import Evaluation, evaluate, outcomes
from microgpt.evaluation.calibration import FAR, GROUPS, Reliability
from microgpt.evaluation.outcomes import Outcomes, by_numpy
from microgpt.loss import cross_entropy
from tests.conftest import REQUIRED, some

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.config import GPTConfig
from microgpt.data.tokenizer import Characters
from microgpt.engines import _native, open_engine
from microgpt.engines.native import BUILDS, compare
from microgpt.model import initial

# Around every width of a vector.
VOCABULARIES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 65, 257)


def rows(V: int, spread: float) -> Floats:
    logits_NV: Floats = np.random.default_rng(V).normal(0.0, spread, (400, V))
    return logits_NV


def tables() -> tuple[Reliability, Reliability]:
    return Reliability(), Reliability()


def of_a_build(
    build: str, logits_NV: Floats, targets_N: Any, group_N: Any, into: tuple[Reliability, ...]
) -> Outcomes:
    sums = [one.sums_GF4 for one in into]
    return Outcomes(*_native.compare(build, logits_NV, targets_N, group_N, FAR, *sums))


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("V", some(VOCABULARIES, 0, 2, 5, 10, 12))
@pytest.mark.parametrize("spread", [0.1, 3.0, 300.0])
def test_outcomes_are_numpy_s_to_rounding(build: str, V: int, spread: float) -> None:
    logits_NV, rng = rows(V, spread), np.random.default_rng(1)
    targets_N = rng.integers(-1, V, 400).astype(np.int32)
    group_N, own, numpy_s = rng.integers(0, GROUPS, 400), tables(), tables()
    found = of_a_build(build, logits_NV, targets_N, group_N, own)
    expected = by_numpy(logits_NV, targets_N, group_N, *numpy_s)
    assert found.likely_N.tolist() == expected.likely_N.tolist()
    for found_N, expected_N in zip(found, expected):
        np.testing.assert_allclose(found_N, expected_N, rtol=1e-13, atol=1e-14)
    for ours, theirs in zip(own, numpy_s):
        # Of each group, all bins together.
        sums = ours.sums_GF4.sum(axis=1), theirs.sums_GF4.sum(axis=1)
        np.testing.assert_allclose(*sums, rtol=1e-12, atol=1e-300)
        # A prediction at the border of two bins may be in either.
        moved = np.abs(ours.sums_GF4[..., 0] - theirs.sums_GF4[..., 0]).sum()
        assert moved <= 4


@pytest.mark.parametrize("build", BUILDS)
def test_tables_are_added_to(build: str) -> None:
    logits_NV, into = rows(27, 3.0), tables()
    targets_N, group_N = np.arange(400, dtype=np.int32) % 27, np.arange(400) % GROUPS
    for times in (1, 2):
        found = of_a_build(build, logits_NV, targets_N, group_N, into)
        every, likeliest = (one.sums_GF4.sum(axis=(0, 1)) for one in into)
        hits = (found.likely_N == targets_N).sum()
        assert every[:2].tolist() == [times * 400 * 27, times * 400]
        assert likeliest[:2].tolist() == [times * 400, times * hits]
        assert every[2:] == pytest.approx([times * 400, times * found.squares_N.sum()])


@pytest.mark.parametrize("build", BUILDS)
def test_a_loss_is_the_definition_s(build: str) -> None:
    logits_NV, targets_N = rows(27, 3.0), np.arange(400, dtype=np.int32) % 27
    losses_N = of_a_build(build, logits_NV, targets_N, np.zeros(400, np.int64), tables()).losses_N
    for logits_V, target, loss in zip(logits_NV.tolist(), targets_N.tolist(), losses_N.tolist()):
        assert math.isclose(loss, cross_entropy(logits_V, target)[0], rel_tol=1e-13, abs_tol=1e-15)


@pytest.mark.parametrize("build", BUILDS)
def test_of_equally_likely_tokens_the_first_is_the_likeliest(build: str) -> None:
    logits_NV = np.tile([0.0, 7.0, 1.0, 7.0, 7.0], (3, 4))
    targets_N = np.array([1, -1, 3], dtype=np.int32)
    found = of_a_build(build, logits_NV, targets_N, np.zeros(3, np.int64), tables())
    assert found.likely_N.tolist() == [1, 1, 1]
    assert found.losses_N[1] == found.p_target_N[1] == found.squares_N[1] == 0.0
    assert found.p_target_N[0] == found.p_target_N[2] > 0.0


@pytest.mark.parametrize("build", BUILDS)
def test_what_is_not_finite_stays_within_the_tables(build: str) -> None:
    strange = np.array([[np.nan, np.inf, -np.inf, 1e308, -1e308]] * 2)
    strange[1] = np.inf
    into, group_N = tables(), np.array([0, GROUPS - 1])
    of_a_build(build, strange, np.zeros(2, dtype=np.int32), group_N, into)
    assert [one.sums_GF4[..., 0].sum() for one in into] == [10.0, 2.0]
    assert not into[0].sums_GF4[1:-1].any()


@pytest.mark.parametrize(
    ("targets", "groups"),
    [([0, 1, 3], [0, 0, 0]), ([0, 1, 2], [0, 0, GROUPS]), ([0, 1, 2], [-1, 0, 0]), ([0], [0])],
)
def test_rows_that_do_not_fit_are_refused(targets: list[int], groups: list[int]) -> None:
    sums = [one.sums_GF4 for one in tables()]
    with pytest.raises(UsageError, match=r"^(rows|targets and groups) must .*; got "):
        compare(np.zeros((3, 3)), np.array(targets), np.array(groups), FAR, *sums)
    assert not sums[0].any()


@pytest.mark.parametrize("far", [0.0, 41.0, np.nan])
@pytest.mark.parametrize("shape", [(3, 9, 4), (2, 0, 4)])
def test_tables_that_cannot_be_are_refused(far: float, shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match=r"^tables must be of one shape, .*; got "):
        compare(
            np.zeros((1, 3)), np.zeros(1), np.zeros(1), far, np.zeros(shape), np.zeros((2, 9, 4))
        )


def test_an_evaluation_is_the_same_without_the_native_comparison(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = ["emma", "olivia", "ava", "xenia?", "mia"] * 40
    tokenizer = Characters.of(["emma", "olivia", "ava", "mia"])
    config = GPTConfig(vocab_size=tokenizer.vocab_size)
    engine = open_engine("native", config)
    engine.load(State.fresh(initial(config, random.Random(1))))
    found: list[Evaluation] = []
    for there in (True, False):
        if not there:
            monkeypatch.setattr(outcomes, "native_compare", lambda: None)
        found.append(evaluate(engine, tokenizer, config.block_size, texts))
    native_s, numpy_s = found
    assert native_s.hits == numpy_s.hits
    assert native_s.unknown == numpy_s.unknown > 0
    assert native_s.scores == pytest.approx(numpy_s.scores, rel=1e-12)
    assert native_s.confidence.error == pytest.approx(numpy_s.confidence.error, rel=1e-12)
