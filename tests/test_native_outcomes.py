"""The native engine's comparison of logits with targets, against numpy's, on every build."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from microgpt.engines import why_not_native
from microgpt.engines.contract import Floats, State
from microgpt.errors import UsageError
from microgpt.evaluation import Evaluation, evaluate, outcomes
from microgpt.evaluation.calibration import FAR, FINE
from microgpt.evaluation.outcomes import Outcomes, by_numpy
from microgpt.loss import cross_entropy
from tests.conftest import REQUIRED

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


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("V", VOCABULARIES)
@pytest.mark.parametrize("spread", [0.1, 3.0, 300.0])
def test_outcomes_are_numpy_s_to_rounding(build: str, V: int, spread: float) -> None:
    logits_NV, rng = rows(V, spread), np.random.default_rng(1)
    targets_N = rng.integers(-1, V, 400).astype(np.int32)
    rows_B = rng.permutation(400)[:300]
    found = Outcomes(*_native.compare(build, logits_NV, targets_N, rows_B, FAR, FINE))
    numpy_s = by_numpy(logits_NV, targets_N, rows_B)
    assert found.likely_B.tolist() == numpy_s.likely_B.tolist()
    for own_B, theirs_B in zip(found[:5], numpy_s[:5]):
        # An error of a unit in the last place of the logits moves a loss of hundreds of nats.
        np.testing.assert_allclose(own_B, theirs_B, rtol=1e-13, atol=1e-14)
    # A prediction at the border of two bins may be in either: the sums over all bins agree.
    known = int((targets_N[rows_B] >= 0).sum())
    n, hits, p, squares = found.sums_4F.sum(axis=1)
    assert (n, hits) == (known * V, known)
    assert p == pytest.approx(known)
    assert squares == pytest.approx(found.squares_B.sum())
    moved = np.abs(found.sums_4F[:2] - numpy_s.sums_4F[:2]).sum(axis=1)
    assert (moved <= 4).all()


@pytest.mark.parametrize("build", BUILDS)
def test_a_loss_is_the_definition_s(build: str) -> None:
    logits_NV, targets_N = rows(27, 3.0), np.arange(400, dtype=np.int32) % 27
    losses_B = _native.compare(build, logits_NV, targets_N, np.arange(400), FAR, FINE)[0]
    for logits_V, target, loss in zip(logits_NV.tolist(), targets_N.tolist(), losses_B.tolist()):
        assert math.isclose(loss, cross_entropy(logits_V, target)[0], rel_tol=1e-13, abs_tol=1e-15)


@pytest.mark.parametrize("build", BUILDS)
def test_of_equally_likely_tokens_the_first_is_the_likeliest(build: str) -> None:
    logits_NV = np.tile([0.0, 7.0, 1.0, 7.0, 7.0], (3, 4))
    targets_N = np.array([1, -1, 3], dtype=np.int32)
    found = Outcomes(*_native.compare(build, logits_NV, targets_N, np.arange(3), FAR, FINE))
    assert found.likely_B.tolist() == [1, 1, 1]
    assert found.losses_B[1] == found.p_likely_B[1] == found.squares_B[1] == 0.0
    assert found.p_target_B[0] == found.p_likely_B[0] == found.p_likely_B[2]


@pytest.mark.parametrize("build", BUILDS)
def test_what_is_not_finite_stays_within_the_tables(build: str) -> None:
    strange = np.array([[np.nan, np.inf, -np.inf, 1e308, -1e308]] * 2)
    strange[1] = np.inf
    targets_N = np.zeros(2, dtype=np.int32)
    sums_4F = _native.compare(build, strange, targets_N, np.arange(2), 40.0, 5)[5]
    assert sums_4F[0].sum() == strange.size


@pytest.mark.parametrize(
    ("targets", "rows_B"),
    [([0, 1, 3], [0, 2]), ([0, 1, 2], [0, 3]), ([0, 1, 2], [-1]), ([0, 1], [0])],
)
def test_rows_that_do_not_fit_are_refused(targets: list[int], rows_B: list[int]) -> None:
    with pytest.raises(UsageError, match=r"^(rows|targets) must be .*; got "):
        compare(np.zeros((3, 3)), np.array(targets), np.array(rows_B), FAR, FINE)


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
