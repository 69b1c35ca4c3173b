"""The native engine's sums for a reliability diagram, against numpy's, on every build."""

from __future__ import annotations

import numpy as np
import pytest

from microgpt.engines import native_log_odds_sums, why_not_native
from microgpt.engines.contract import Floats
from microgpt.errors import UsageError
from microgpt.evaluation import calibration
from microgpt.evaluation.calibration import Calibration, Reliability, log_odds_sums
from tests.conftest import REQUIRED

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.engines import _native
from microgpt.engines.native import BUILDS

EXTREMES = np.array([0.0, 5e-324, 1e-300, 1e-18, 0.25, 0.5, 0.75, 1 - 2**-53, 1.0])


def softmax(rows: int, spread: float) -> Floats:
    e_BV: Floats = np.exp(np.random.default_rng(rows).normal(0.0, spread, (rows, 27)))
    p_BV: Floats = e_BV / e_BV.sum(axis=1, keepdims=True)
    return p_BV.ravel()


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize(("far", "bins"), [(40.0, 4000), (3.0, 7), (1.0, 1)])
def test_sums_are_numpy_s_to_the_last_bit(build: str, far: float, bins: int) -> None:
    rng = np.random.default_rng(4)
    for p_N in (
        softmax(3000, 4.0), softmax(1, 1.0), EXTREMES, EXTREMES[:0], np.full(1000, 0.3),
        10.0 ** rng.uniform(-25.0, 0.0, 5000), 1.0 - 10.0 ** rng.uniform(-17.0, 0.0, 5000),
    ):  # fmt: skip
        found = _native.log_odds_sums(build, p_N, far, bins)
        assert found.tolist() == log_odds_sums(p_N, far, bins).tolist()


@pytest.mark.parametrize("build", BUILDS)
def test_what_is_no_probability_stays_within_the_table(build: str) -> None:
    strange = np.array([np.nan, np.inf, -np.inf, -1.0, 2.0, -0.0])
    assert _native.log_odds_sums(build, strange, 40.0, 5)[0].sum() == len(strange)


def test_a_diagram_is_the_same_without_the_native_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    diagrams: list[Calibration] = []
    for sums in (native_log_odds_sums(), None):
        monkeypatch.setattr(calibration, "native_log_odds_sums", lambda sums=sums: sums)
        seen = Reliability()
        for group in range(5):
            p_BV = np.reshape(softmax(200 + group, 2.0), (-1, 27))
            seen.add(p_BV, np.arange(0, p_BV.size, 27), group)
        diagrams.append(seen.calibration())
    assert diagrams[0] == diagrams[1]


@pytest.mark.parametrize(
    ("far", "bins"), [(40.0, 0), (40.0, 1 << 21), (0.0, 9), (41.0, 9), (np.nan, 9)]
)
def test_a_table_that_cannot_be_is_refused(far: float, bins: int) -> None:
    with pytest.raises(UsageError, match=f"^bins must be from 1 to 1,048,576, .*got {bins} "):
        _native.log_odds_sums(BUILDS[-1], EXTREMES, far, bins)
