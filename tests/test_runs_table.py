"""Runs as rows: which, in which order, in which columns; as CSV, JSON and data frames."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt.cli.app import run as command_line
from microgpt.errors import MissingExtra, TrainingWarning, UsageError
from microgpt.runs.run import Run
from microgpt.runs.table import Condition, select
from tests.conftest import out

Capture = pytest.CaptureFixture[str]
NAMES = ["ada", "alan", "anna", "bea", "ben", "bob", "dana", "dean", "eba", "lea", "lena", "noa"]
SHAPE = {"n_head": 1, "preset": "microgpt", "block_size": 6, "engine": "scalar", "holdout": 0.3}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file, two runs in runs/ and one deeper, in the folder of a study."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "t.txt").write_text("\n".join(NAMES))
    recipes = [
        ("runs/a", {"lr": 0.01, "n_embd": 4, "steps": 9}),
        ("runs/b", {"lr": 0.1, "n_embd": 2, "steps": 7, "loss": "linear"}),
        ("study/one/c", {"lr": 0.03, "n_embd": 2, "steps": 8, "ngram": 1, "seed": 7}),
    ]
    for name, recipe in recipes:
        expected = pytest.warns(TrainingWarning) if "ngram" in recipe else nullcontext()
        with expected:
            microgpt.train(folder / "t.txt", out=folder / name, **SHAPE, **recipe)  # type: ignore[arg-type]
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(home)
    capsys.readouterr()


def rows(capsys: Capture, words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out(capsys, f"runs {words} --json").splitlines()]


def test_any_setting_and_result_can_be_a_column(capsys: Capture) -> None:
    told = rows(capsys, "--columns lr,n_embd,training.loss,steps --sort run")
    assert told == [
        {"run": "runs/a", "lr": 0.01, "n_embd": 4, "training.loss": "cross-entropy", "steps": 9},
        {"run": "runs/b", "lr": 0.1, "n_embd": 2, "training.loss": "linear", "steps": 7},
    ]
    table = out(capsys, "runs --columns lr,n_embd,heldout").splitlines()
    assert table[0].split() == ["run", "lr", "n_embd", "heldout"]
    assert table[1].split()[:3] == ["runs/a", "0.01", "4"]
    assert rows(capsys, "runs/a --columns all")[0]["final_norm"] is False


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("n_embd=2", "bc"), ("n_embd!=2", "a"), ("lr<=0.03", "ac"), ("lr > 1e-2", "bc"),
        ("training.loss=linear", "b"), ("training.loss!=linear", "ac"), ("gpt=none", "ab"),
        ("final_norm=true", ""), ("final_norm=false", "abc"), ("data=t", "abc"), ("data=1", ""),
        ("data!=1", "abc"), ("gpt<100", "c"), ("data<5", ""), ("lr<x", ""),
    ],
)  # fmt: skip
def test_a_condition_chooses_runs_by_any_column(capsys: Capture, where: str, expected: str) -> None:
    words = ["runs", ".", "--json", "--where", where, "--sort", "run"]
    assert command_line(words) == 0
    told = [json.loads(line)["run"] for line in capsys.readouterr().out.splitlines()]
    assert "".join(Path(name).name for name in told) == expected


def test_all_conditions_must_hold(capsys: Capture) -> None:
    assert [one["run"] for one in rows(capsys, ". --where n_embd=2 --where lr=0.1")] == ["runs/b"]
    assert out(capsys, "runs --where n_embd=77") == "No run satisfies this.\n"


def test_runs_are_ordered_by_a_column_and_what_lacks_it_comes_last(capsys: Capture) -> None:
    for sort, expected in (("lr", "acb"), ("-lr", "bca"), ("-training.loss", "bac")):
        told = [Path(one["run"]).name for one in rows(capsys, f". --sort {sort}")]
        assert (
            "".join(told[:1] if "loss" in sort else told) == expected[: 1 if "loss" in sort else 3]
        )
    mixed = [{"x": None}, {"x": 2}, {"x": float("nan")}, {"x": 1}]
    assert [row["x"] for row in select(mixed, sort="x")][:2] == [1, 2]
    assert [row["x"] for row in select(mixed, sort="-x")][:2] == [2, 1]


def test_csv_is_read_back_with_the_same_values(capsys: Capture) -> None:
    told = rows(capsys, "--columns lr,heldout,files,qk_norm,column")
    read = list(csv.DictReader(io.StringIO(
        out(capsys, "runs --csv --columns lr,heldout,files,qk_norm,column")
    )))  # fmt: skip
    assert [float(one["heldout"]) for one in read] == [one["heldout"] for one in told]
    assert [json.loads(one["files"]) for one in read] == [one["files"] for one in told]
    assert {one["qk_norm"] for one in read} == {"false"}
    assert {one["column"] for one in read} == {""}


def test_any_folders_are_searched_and_each_run_is_listed_once(capsys: Capture) -> None:
    assert [one["run"] for one in rows(capsys, "study --columns lr")] == ["study/one/c"]
    twice = rows(capsys, "runs/a runs study --columns lr")
    assert [one["run"] for one in twice] == ["runs/a", "runs/b", "study/one/c"]


def test_several_runs_are_compared_and_one_is_shown_whole(capsys: Capture) -> None:
    (told,) = rows(capsys, "a b study/one/c")
    assert told["differs"]["lr"] == [0.01, 0.1, 0.03]
    assert told["differs"]["training.loss"] == ["cross-entropy", "linear", "cross-entropy"]
    assert "block_size" not in told["differs"]
    heading = out(capsys, "runs a b study/one/c").splitlines()[0]
    assert heading.split() == ["runs/a", "runs/b", "study/one/c"]
    (whole,) = rows(capsys, "a")
    assert (whole["lr"], whole["block_size"], whole["steps"]) == (0.01, 6, 9)


def test_the_command_of_a_run_trains_it_again(capsys: Capture, tmp_path: Path) -> None:
    words = out(capsys, "runs b --command").split()
    assert words[:3] == ["microgpt", "train", Run("runs/b").settings.source.files[0]]
    done = subprocess.run(
        [sys.executable, "-m", *words, "--out", tmp_path / "again"], capture_output=True, check=True
    )
    assert done.returncode == 0
    name = "checkpoint.safetensors"
    assert (tmp_path / "again" / name).read_bytes() == Path("runs/b", name).read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--columns n_emb", 'there is no column "n_emb" of runs. Did you mean "n_embd"?'),
        ("--sort lrr", 'there is no column "lrr" of runs. Did you mean "lr"?'),
        ("--where lr", "where must be a column, a comparison (= != < <= > >=) and a value; got "),
        ("--where los=1", 'there is no column "los" of runs. Did you mean "loss"?'),
        ("--csv --json", "csv or json must be given, not both."),
        ("--command --csv", "command must stand without columns, where, sort and csv."),
        ("nowhere", "nowhere: no such run. "),
        ("empty", "empty: must be a run, or hold runs; there is no config.json in it."),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(capsys: Capture, words: str, message: str) -> None:
    Path("empty").mkdir(exist_ok=True)
    assert command_line(["runs", *words.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"microgpt: {message}")
    assert error.count("\n") == 1


def test_a_damaged_run_is_named_and_the_others_are_listed(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "config.json").write_text("{")
    (tmp_path / "x" / "tokenizer.json").write_text("{}")
    assert command_line(["runs", str(tmp_path), "runs", "--columns", "lr", "--csv"]) == 0
    printed = capsys.readouterr()
    assert printed.err.startswith(f"microgpt: {tmp_path}/x/config.json: damaged")
    assert len(printed.out.splitlines()) == 3
    with pytest.warns(UserWarning, match="damaged"):
        assert len(microgpt.runs([tmp_path, "runs"])) == 2


def test_runs_are_a_data_frame_and_so_are_their_logs() -> None:
    frame = microgpt.runs("runs")
    assert frame[["run", "lr", "steps"]].values.tolist() == [
        ["runs/a", 0.01, 9],
        ["runs/b", 0.1, 7],
    ]
    logs = microgpt.logs(["runs", "study"])
    trained = logs[logs.loss.notna()].groupby("run").step.max()
    assert trained.to_dict() == {"runs/a": 9, "runs/b": 7, "study/one/c": 8}
    measured = logs[logs.heldout.notna()]
    assert measured[measured.gpt.notna()].run.unique().tolist() == ["study/one/c"]
    last = measured[measured.run == "runs/a"].heldout.iloc[-1]
    assert last == microgpt.runs("runs/a").heldout.iloc[0]


@pytest.mark.slow
def test_the_package_runs_can_be_called_and_is_still_a_package() -> None:
    program = (
        "import microgpt, sys\n"
        "assert 'microgpt.runs' not in sys.modules\n"
        "assert len(microgpt.runs('runs')) == 2\n"
        "import microgpt.runs.table\n"
        "assert microgpt.runs.table.select([]) == []\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_a_frame_is_of_the_library_that_there_is(
    monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    pytest.importorskip(library)
    monkeypatch.setattr("microgpt.frames.LIBRARIES", (library,))
    assert type(microgpt.runs("runs")).__module__.partition(".")[0] == library


def test_without_any_library_for_frames_a_sentence_says_which_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("microgpt.frames.LIBRARIES", ("no_such_library",))
    with pytest.raises(MissingExtra, match="Try: pip install pandas"):
        microgpt.runs("runs")


def test_a_condition_that_is_none_is_refused() -> None:
    for text in ("", "=3", "lr~3"):
        with pytest.raises(UsageError, match="where must be"):
            Condition.parse(text)
