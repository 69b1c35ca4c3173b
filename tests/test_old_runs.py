"""A run of the first version: it loads and scores as it did then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from microgpt.errors import RunError
from microgpt.runs import prepare
from microgpt.runs.run import Run

# Twelve steps on 20 names, stopped after seven, as that version wrote it; and what it answered.
HERE = Path(__file__).parent / "fixtures"
SCORED = [2.104412578564542, 2.4487745588118472, 1.19265512509549, 1.1845767227971389]


@pytest.fixture
def old(tmp_path: Path) -> Path:
    shutil.copytree(HERE / "old-run", tmp_path / "old-run")
    # Its config says that the documents are in names.txt.
    shutil.copy(HERE / "old-run.txt", tmp_path / "names.txt")
    return tmp_path / "old-run"


def test_a_run_written_before_there_were_fingerprints_scores_as_it_did(old: Path) -> None:
    run = Run(old)
    assert run.settings.training.steps == 12
    assert run.engine.updates == 7
    assert run.score("ada").losses == pytest.approx(SCORED, rel=1e-5)
    assert run.evaluate().loss == pytest.approx(1.9739476726603171, rel=1e-5)
    assert (run.log.steps, len(run.log.heldout)) == (7, 7)


def test_it_cannot_be_resumed_which_is_said(old: Path) -> None:
    with pytest.raises(RunError, match=r"an earlier version of microgpt trained it.* not resumed"):
        prepare.resume(old)
