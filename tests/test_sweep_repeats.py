"""A sweep trains no cell twice: in one process, in several, on several machines, or resumed."""

from __future__ import annotations

import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from microgpt.cli.app import run
from microgpt.data.corpus import Source
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.storage import of_file
from microgpt.sweep.study import Study
from microgpt.sweep.trainer import Report
from microgpt.sweep.trial import Trial, best

from .conftest import TINY

Capture = pytest.CaptureFixture[str]
FEW = ("n_embd=8,16", "n_layer=1..3", "n_head=1,2")  # twelve cells
SWEEP = (
    "sweep t.txt --preset microgpt --steps 10 --holdout 0.2 --engine scalar --budget 1h "
    "--knob block_size=8 --knob n_embd=4,8 --knob n_head=1,2 --json"
)


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TINY) + "\n")


def settings(*knobs: str, **told: Any) -> SweepSettings:
    given: dict[str, Any] = {"seconds": None, "steps": 100, **told}
    return SweepSettings(
        preset="microgpt", tokenizer="characters", source=Source(files=("t.txt",)), fingerprint="",
        engine="scalar", holdout=0.2, seed=3, knobs=knobs, **given,
    )  # fmt: skip


def loss(values: dict[str, Any]) -> float:
    return 2.0 + sum(value * 7 % 5 for value in values.values()) / 10


def cells(trials: list[Trial]) -> Counter[tuple[Any, ...]]:
    return Counter(tuple(trial.values.values()) for trial in trials)


@pytest.mark.parametrize("size", [{}, {"seconds": 0.5, "steps": None}])
@pytest.mark.usefixtures("in_memory")
def test_all_there_is_is_tried_once_and_then_nothing(tmp_path: Path, size: dict[str, Any]) -> None:
    study = Study(of_file(tmp_path / "s.db"), "s", settings(*FEW, **size))
    told = []
    while asked := study.ask():
        told.append(study.tell(asked[0], "done", Report(100, loss(asked[1]), 100, 0.1)))
    assert cells(told) == dict.fromkeys(cells(told), 1)
    assert len(told) == 12
    # What was drawn and not trained is no trial.
    assert study.trials() == told
    study.close()


@pytest.mark.slow
def test_a_trial_is_not_begun_while_another_of_the_same_is_under_way(tmp_path: Path) -> None:
    study = Study(of_file(tmp_path / "s.db"), "s", settings(*FEW))
    other = Study(of_file(tmp_path / "s.db"), "s", settings(*FEW), "another machine")
    asked = [who.ask() for _ in range(6) for who in (study, other)]
    assert all(asked)
    assert len({tuple(values.values()) for _, values in filter(None, asked)}) == 12
    assert study.ask() is None
    assert other.ask() is None
    # What came to nothing is free again.
    other.abandon()
    assert sum(study.ask() is not None for _ in range(7)) == 6
    study.close()
    other.close()


@pytest.mark.parametrize("outcome", ["pruned", "diverged", "failed", "done"])
@pytest.mark.usefixtures("in_memory")
def test_what_was_given_up_or_failed_would_come_to_the_same(tmp_path: Path, outcome: Any) -> None:
    study = Study(of_file(tmp_path / "s.db"), "s", settings("n_embd=8,16"))
    for _ in range(2):
        asked = study.ask()
        assert asked
        study.tell(asked[0], outcome, Report(12, 3.0, 1, 0.1))
    assert study.ask() is None
    study.close()
    # So it is for whoever goes on.
    study = Study(of_file(tmp_path / "s.db"), "s", settings("n_embd=8,16"))
    assert study.ask() is None
    study.close()


@pytest.mark.usefixtures("in_memory")
def test_values_that_differ_only_where_nobody_reads_them_are_the_same(tmp_path: Path) -> None:
    study = Study(of_file(tmp_path / "s.db"), "s", settings("lr=0.02..0.02003"))
    seen = []
    while asked := study.ask():
        seen.append(asked[1]["lr"])
        study.tell(asked[0], "done", Report(100, 2.0, 100, 0.1))
    assert sorted(seen) == [0.02, 0.02001, 0.02002, 0.02003]
    study.close()


@pytest.mark.slow
def test_machines_that_ask_at_the_same_time_never_train_the_same(tmp_path: Path) -> None:
    knobs = ("n_embd=8,16,24", "n_layer=1..4", "n_head=1,2")
    Study(of_file(tmp_path / "s.db"), "s", settings(*knobs)).close()
    taken: list[tuple[Any, ...]] = []

    def machine(salt: str) -> None:
        study = Study(of_file(tmp_path / "s.db"), "s", settings(*knobs), salt)
        while asked := study.ask():
            taken.append(tuple(asked[1].values()))
            study.tell(asked[0], "done", Report(100, loss(asked[1]), 100, 0.1))
        study.close()

    threads = [threading.Thread(target=machine, args=(f"machine {n}",)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == len(set(taken))
    # Two that take the last cell at the same moment may both let go of it.
    assert len(taken) >= 24 - 2


@pytest.mark.slow
def test_a_sweep_of_few_cells_ends_when_all_are_trained_and_says_so(capsys: Capture) -> None:
    assert run([*SWEEP.split(), "--trials", "30", "--jobs", "2", "--out", "s"]) == 0
    *trials, summary = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(trials) == len({tuple(trial["knobs"].values()) for trial in trials}) == 4
    assert (summary["trials"], summary["exhausted"], summary["effects"]) == (4, True, {})
    assert run(["sweep", "--resume", "s", "--budget", "1h"]) == 0
    printed = capsys.readouterr().out
    assert "There are no other values to try: nothing is trained twice.\n" in printed
    assert "How far each knob moves the loss is told from 32 trials or more; " in printed
    held = summary["best"]["loss"]
    assert (
        f"trained again as a run: {held:.4f} nats a character held out; as a trial {held:.4f}.\n"
    ) in printed


def test_of_equal_trials_the_first_is_the_best_whichever_ended_first() -> None:
    first, second = (Trial(number, {}, "done", 2.0, 1, 0.1) for number in (3, 7))
    assert best([first, second]) == best([second, first]) == first


@pytest.mark.usefixtures("in_memory")
def test_a_loss_that_is_no_number_is_neither_a_success_nor_given_up(tmp_path: Path) -> None:
    study = Study(of_file(tmp_path / "s.db"), "s", settings("n_embd=8,16,32"))
    for outcome, value in (("done", float("nan")), ("pruned", float("inf")), ("done", 2.0)):
        asked = study.ask()
        assert asked
        study.tell(asked[0], outcome, Report(100, value, 100, 0.1))
    told = study.trials()
    assert [trial.outcome for trial in told] == ["diverged", "diverged", "done"]
    assert best(told) == told[2]
    study.close()
