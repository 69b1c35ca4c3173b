"""Studies: every combination of some values with several seeds, compared seed by seed."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shlex
import statistics
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt.cli.app import run
from microgpt.errors import SweepError, UsageError
from microgpt.sweep import folder
from microgpt.sweep.cells import Paired, cells, student
from microgpt.sweep.grid import GridStudy
from microgpt.sweep.rows import rows
from microgpt.sweep.trial import Trial

from .conftest import TINY

pd = pytest.importorskip("pandas")
pytest.importorskip("optuna")

Capture = pytest.CaptureFixture[str]
Whole = tuple[Path, list[dict[str, Any]]]
GRID = "sweep t.txt --preset microgpt --steps 6 --holdout 0.3 --engine scalar --jobs 1 --seeds 2"
POINT = "--grid block_size=8 n_head=1 lr=0.01,0.1 n_embd=2,4"
ALL = {(lr, n_embd, seed) for lr in (0.01, 0.1) for n_embd in (2, 4) for seed in (42, 43)}
SMALL: dict[str, Any] = {"preset": "microgpt", "steps": 6, "holdout": 0.3, "engine": "scalar"}
VALUES: dict[str, Any] = {"block_size": 8, "n_head": 1, "lr": [0.01, 0.1], "n_embd": [2, 4]}


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TINY) + "\n")


def told(capsys: Capture, words: str, code: int = 0) -> list[dict[str, Any]]:
    assert run(words.split()) == code
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """The folder of a whole grid, and what was printed of it as JSON."""
    at = tmp_path_factory.mktemp("whole")
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(at)
        patch.setattr(sys, "stdout", printed)
        Path("t.txt").write_text("\n".join(TINY) + "\n")
        assert run(f"{GRID} {POINT} --json --out one".split()) == 0
    return at / "one", [json.loads(line) for line in printed.getvalue().splitlines()]


def point(knobs: dict[str, Any]) -> tuple[Any, ...]:
    return knobs["lr"], knobs["n_embd"], knobs["seed"]


def test_every_combination_is_trained_with_every_seed_and_the_first_seed_first(
    whole: Whole,
) -> None:
    _, (*trials, last) = whole
    assert {point(one["knobs"]) for one in trials} == ALL
    assert len(trials) == 8
    assert [one["knobs"]["seed"] for one in trials] == [42] * 4 + [43] * 4
    assert {one["outcome"] for one in trials} == {"done"}
    for cell in last["cells"]:
        losses = [one["loss"] for one in trials if cell["values"].items() <= one["knobs"].items()]
        assert cell["mean"] == pytest.approx(statistics.mean(losses))
        assert cell["sd"] == pytest.approx(statistics.stdev(losses))
        assert cell["n"] == 2
    best = min(last["cells"], key=lambda cell: cell["mean"])
    assert best["to_best"] is None
    assert all(cell["to_best"]["mean"] > 0 for cell in last["cells"] if cell is not best)


def test_a_trial_is_the_training_that_train_makes_with_its_seed(whole: Whole) -> None:
    _, (*trials, _) = whole
    one = next(trial for trial in trials if point(trial["knobs"]) == (0.1, 4, 43))
    trained = microgpt.train(
        "t.txt", lr=0.1, n_embd=4, seed=43, block_size=8, n_head=1, out="r", **SMALL
    )
    assert one["loss"] == pytest.approx(trained.evaluate().loss, rel=1e-9)


def test_the_table_has_means_differences_and_intervals(capsys: Capture) -> None:
    assert run(f"{GRID} {POINT}".split()) == 0
    printed = capsys.readouterr().out
    assert "8 trainings of 6 steps, 1 at once" in printed
    assert "8 of 8: loss " in printed
    heading = next(line for line in printed.splitlines() if " mean " in line)
    assert heading.split() == ["lr", "n_embd", "mean", "sd", "n", "to", "the", "best", "interval"]
    assert sum(line.endswith(" best") for line in printed.splitlines()) == 1
    assert " to +" in printed
    written = list(csv.DictReader(Path("sweeps/t-1/trials.csv").read_text().splitlines()))
    assert {(float(r["lr"]), int(r["n_embd"]), int(r["seed"])) for r in written} == ALL
    assert Path("sweeps/t-1/grid.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_study_that_was_stopped_goes_on_and_repeats_nothing(
    capsys: Capture, whole: Whole
) -> None:
    first = told(capsys, f"{GRID} {POINT} --json --out parts --trials 3")[:-1]
    assert len(first) == 3
    rest = told(capsys, "sweep --resume parts --jobs 1 --json")
    assert len(rest) == 6
    assert rest[-1]["trials"] == rest[-1]["of"] == 8
    losses = {point(one["knobs"]): one["loss"] for one in [*first, *rest[:-1]]}
    assert losses == {point(one["knobs"]): one["loss"] for one in whole[1][:-1]}
    again = told(capsys, "sweep --resume parts --jobs 1 --json")
    assert len(again) == 1
    assert again[0]["trials"] == 8


@pytest.mark.slow
def test_the_file_that_a_study_writes_makes_it_again(capsys: Capture, whole: Whole) -> None:
    at, (*_, last) = whole
    (line,) = [ln for ln in (at / "study.sh").read_text().splitlines() if ln[:1] not in "#"]
    words = shlex.split(line)
    assert words[:2] == ["microgpt", "sweep"]
    again = told(capsys, " ".join([*words[1:], "--json --jobs 1 --out two"]))[-1]
    assert again["cells"] == last["cells"]
    assert line == last["command"]


def test_the_file_of_a_masked_study_has_its_masks(capsys: Capture) -> None:
    Path("t.txt").write_text("".join(f"{name}{n}\n" for n, name in enumerate(TINY)))
    words = "--grid block_size=8 n_head=1 n_embd=2 --seeds 1 --mask digits"
    last = told(capsys, f"{GRID.replace('--seeds 2', '')} {words} --json --out one")[-1]
    assert " --mask digits " in last["command"]
    assert last["command"] in Path("one/study.sh").read_text()


@pytest.mark.slow
def test_a_call_makes_the_same_study_as_a_tidy_data_frame(whole: Whole) -> None:
    _, (*trials, _) = whole
    frame = microgpt.study("t.txt", VALUES, 2, jobs=1, out="called", **SMALL)
    assert [*frame.columns] == [
        "trial", "lr", "n_embd", "seed", "loss", "outcome", "steps", "seconds",
    ]  # fmt: skip
    expected = {point(one["knobs"]): one["loss"] for one in trials}
    found = {(r.lr, r.n_embd, r.seed): r.loss for r in frame.itertuples()}
    assert found == expected


@pytest.mark.slow
def test_a_call_on_documents_in_memory_goes_on_where_it_stopped() -> None:
    series = pd.Series(TINY)
    frame = microgpt.study(series, {"lr": 0.01, "n_head": 1, "n_embd": [2, 4]}, 1, jobs=1,
                           out="s", **SMALL)  # fmt: skip
    again = microgpt.study(series, {"lr": 0.01, "n_head": 1, "n_embd": [2, 4]}, 1, jobs=1,
                           out="s", **SMALL)  # fmt: skip
    assert frame.equals(again)
    assert "DOCUMENTS.txt" in Path("s/study.sh").read_text()
    with pytest.raises(SweepError, match=r"seeds must be 1, as it was begun; got 2\. Try another"):
        microgpt.study(series, {"lr": 0.01, "n_head": 1, "n_embd": [2, 4]}, 2, out="s", **SMALL)


@pytest.mark.slow
def test_a_study_warns_of_the_data_as_a_training_does() -> None:
    Path("t.csv").write_text("name\n" + "\n".join([*TINY, '"a" b', "lee"]) + "\n")
    missing = pd.Series([*TINY, None])
    for data, message in (
        (missing, "1 of 21 documents is missing"),
        ("t.csv", "line 22: .*quoted"),
    ):
        said: list[list[str]] = []
        for call in (
            partial(microgpt.train, data, n_embd=2, n_head=1),
            partial(microgpt.study, data, {"n_embd": 2, "n_head": 1}, 1, jobs=1),
        ):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                call(**SMALL)
            assert {warning.filename for warning in caught} == {__file__}
            said.append([str(warning.message) for warning in caught])
        assert said[0] == said[1]
        assert re.search(message, said[0][-1])


@pytest.mark.slow
def test_a_script_without_a_guard_may_call_it(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import microgpt\n"
        "print('once')\n"
        "frame = microgpt.study('t.txt', {'n_embd': 2, 'n_head': 1}, 2, preset='microgpt', steps=2,"
        " holdout=0.3, engine='scalar', jobs=1, out='s')\n"
        "print(len(frame))\n"
    )
    done = subprocess.run([sys.executable, "script.py"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["once", "2"]


@pytest.mark.slow
def test_two_askers_of_one_study_share_the_grid(capsys: Capture) -> None:
    told(capsys, f"{GRID} {POINT} --json --out one --trials 1")
    with folder.resume(Path("one")) as made:
        assert isinstance(made.study, GridStudy)
        other = GridStudy("sqlite:///one/study.db", "one", made.settings)
        asked = [study.ask() for study in (made.study, other, made.study, other)]
        assert len({point(values) for _, values in filter(None, asked)}) == 4
        other.close()


def test_differences_are_taken_seed_by_seed() -> None:
    def trial(lr: float, seed: int, loss: float, outcome: Any = "done") -> Trial:
        return Trial(1, {"lr": lr, "seed": seed}, outcome, loss, 1, 0.0)

    pairs = [(1, 2.0, 2.1), (2, 2.4, 2.6), (3, 2.9, 3.2)]
    found = cells(
        [trial(0.1, s, a) for s, a, _ in pairs]
        + [trial(0.2, s, b) for s, _, b in pairs]
        + [trial(0.3, 1, 0.1), trial(0.3, 2, math.nan, "diverged")]
    )
    best, worse, broken = found
    assert best.to_best is None
    assert worse.to_best is not None
    assert worse.to_best.mean == pytest.approx(0.2)
    # By hand: sd 0.1 of three differences, t = 4.303 with two degrees of freedom.
    half = 4.302653 * 0.1 / math.sqrt(3)
    assert (worse.to_best.low, worse.to_best.high) == pytest.approx((0.2 - half, 0.2 + half))
    # One of a diverging combination is not the best, however little its other seed costs.
    assert (broken.n, broken.unfinished) == (1, 1)
    assert broken.to_best is not None
    assert math.isnan(broken.to_best.low)
    assert Paired.of({1: 2.0}, {2: 1.0}).n == 0


def test_quantiles_are_those_of_student_s_distribution() -> None:
    t = pytest.importorskip("scipy.stats").t
    for freedom in (*range(1, 12), 30, 99):
        for share in (0.5, 0.9, 0.95, 0.99):
            assert student(share, freedom) == pytest.approx(t.ppf((1 + share) / 2, freedom))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--grid lr=0.01..0.1", "grid lr must list its values, lr=A,B,C; got the range 0.01..0.1."),
        ("--grid seed=1,2", "knob must not be seed: "),
        ("--grid n_embd=3", "n_embd must be a multiple of n_head; got n_embd=3, n_head=4."),
        ("--grid lr=0.01 --knob n_embd=2,4", "knob must stand without --grid: "),
        ("--grid lr=0.01 --final 3s", "final must stand without --grid: "),
        ("--grid lr=0.01 --seeds 0", "seeds must be a whole number from 1; got 0."),
        ("--grid n_embd=4..4000 n_layer=1..400", "a grid must have at most 100,000 trainings; "),
    ],
)  # fmt: skip
def test_what_is_no_grid_is_one_sentence(capsys: Capture, words: str, message: str) -> None:
    base = GRID if "--seeds" not in words else GRID.replace("--seeds 2", "")
    assert run(f"{base} {words}".split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"microgpt: {message}")
    assert error.count("\n") == 1
    assert not Path("sweeps").exists()


def test_what_is_no_study_is_refused() -> None:
    for grid, message in (({"lr": []}, "grid lr must list its values"), ({"lx": [1]}, "knob must")):
        with pytest.raises(UsageError, match=message):
            microgpt.study("t.txt", grid, 2, **SMALL)
    with pytest.raises(UsageError, match="seeds must be a whole number from 1"):
        microgpt.study("t.txt", {"lr": [0.1]}, 0, **SMALL)


@pytest.mark.slow
def test_a_combination_that_diverges_is_told_as_such(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(capsys, f"{GRID} --grid block_size=8 n_head=1 n_embd=2 lr=0.01,0.1 --json --trials 2")
    with folder.resume(Path("sweeps/t-1")) as made:
        while asked := made.study.ask():
            made.study.tell(asked[0], "diverged", None)
        made.trials = made.study.trials()
        assert sum(row["loss"] is None for row in rows(made)) == 2
    last = told(capsys, "sweep --resume sweeps/t-1 --json")[-1]
    assert [(cell["n"], cell["unfinished"]) for cell in last["cells"]] == [(1, 1), (1, 1)]
