"""A run measured on documents beside the counting baselines, as `evaluate` and `report` show it."""

from __future__ import annotations

from pathlib import Path

import pytest

import microgpt
from microgpt.data import corpus
from microgpt.errors import TrainingWarning, UsageError
from microgpt.runs.evaluation_set import EvaluationSet, evaluation_set
from microgpt.runs.measurement import Measurement
from microgpt.runs.run import Run
from tests.conftest import TINY


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("measured")
    (folder / "t.txt").write_text("\n".join([*TINY, *(a + b for a in TINY for b in TINY[:4])]))
    with pytest.warns(TrainingWarning, match="weigh more than the GPT"):
        return microgpt.train(
            folder / "t.txt", engine="scalar", preset="microgpt", n_embd=4, n_head=1, steps=5,
            holdout=0.3, ngram=4, out=folder / "run",
        )  # fmt: skip


def test_it_says_how_far_it_is_and_then_has_what_run_has(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("microgpt.evaluation.CHARACTERS", 50)
    found = Measurement(run, evaluation_set(run, None, None))
    so_far = list(found)
    assert len(so_far) > 3
    assert so_far == sorted(set(so_far))
    assert so_far[-1] == len(run.documents[1]) == found.result.documents
    assert found.result.loss == pytest.approx(run.evaluate().loss, rel=1e-12)
    ladder, expected = found.ladder, run.ladder()
    assert ladder.baselines == expected.baselines
    assert [rung.name for rung in ladder.rungs] == [rung.name for rung in expected.rungs]
    assert (ladder.n, ladder.gpt, ladder.why) == (expected.n, expected.gpt, "")
    assert [rung.sum for rung in ladder.rungs if rung.is_this] == [found.result.sum]


def test_where_the_data_is_gone_there_is_a_reason_in_place_of_baselines(
    run: Run, tmp_path: Path
) -> None:
    data = run.folder.parent / "t.txt"
    data.rename(tmp_path / "t.txt")
    found = Measurement(
        microgpt.load(run.folder), evaluation_set(run, corpus.from_texts(TINY), None)
    ).measured()
    (tmp_path / "t.txt").rename(data)
    assert "t.txt" in found.ladder.why
    assert [rung.name for rung in found.ladder.rungs if not rung.is_this] == ["GPT alone"]


def test_there_must_be_something_to_measure(run: Run) -> None:
    with pytest.raises(UsageError, match=r"^texts must not be empty; got none\.$"):
        Measurement(run, EvaluationSet([], "documents", 0)).measured()
