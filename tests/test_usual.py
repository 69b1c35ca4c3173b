"""A run's folder has its reference losses and thresholds; its data is found where it lies."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.data.corpus import Source
from microgpt.errors import RunError
from microgpt.runs import prepare, usual
from microgpt.runs.checkpoint import REFERENCE
from microgpt.runs.files import write_tensors
from microgpt.runs.judging import judging
from microgpt.runs.run import Run
from microgpt.runs.session import Session
from microgpt.scoring.repetition import Repetition
from tests.conftest import TINY

Capture = pytest.CaptureFixture[str]
SMALL: dict[str, Any] = {
    "engine": "scalar", "preset": "microgpt", "n_embd": 4, "n_head": 1, "block_size": 6,
    "steps": 25, "batch_size": 4, "holdout": 0.3,
}  # fmt: skip
WORDS = [*TINY, *(a + b for a in TINY for b in TINY[:6])]
SCORED = ["score", "home/run", "--format", "jsonl", "anna", "lea", "xqzwv", "nnnnn"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a file and a run on it, made from there; and a copy to make it again of."""
    home = tmp_path_factory.mktemp("above") / "home"
    home.mkdir()
    (home / "words.txt").write_text("\n".join(WORDS))
    with pytest.MonkeyPatch.context() as here:
        here.chdir(home)
        microgpt.train("words.txt", out="run", **SMALL)
    return home, Path(shutil.copytree(home, tmp_path_factory.mktemp("kept") / "home"))


@pytest.fixture
def home(made: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """That folder as it was made, where it was made; one works in the folder above."""
    home, kept = made
    shutil.rmtree(home.parent)
    shutil.copytree(kept, home)
    monkeypatch.chdir(home.parent)
    return home


def trained(home: Path, place: Path, **others: Any) -> Session:
    """A training on the file that has not begun."""
    recipe = {**SMALL, "preset_name": SMALL["preset"], **others}
    del recipe["preset"]
    return prepare.new(Source(files=(str(home / "words.txt"),)), out=place, **recipe)


def printed(capsys: Capture, *words: object, code: int = 0) -> tuple[list[Any], list[str]]:
    assert cli([*map(str, words)]) == code
    got = capsys.readouterr()
    return [json.loads(line) for line in got.out.splitlines()], got.err.splitlines()


def test_a_run_without_its_training_file_judges_as_with_it(home: Path, capsys: Capture) -> None:
    words = [*SCORED, "--flag-rate", 0.2]
    with_it = printed(capsys, *words)
    assert {row["flagged"] for row in with_it[0]} == {True, False}
    shutil.move(home / "words.txt", home.parent / "elsewhere.txt")
    assert printed(capsys, *words) == with_it
    shutil.move(home / "run", home.parent / "moved")
    words[1] = "moved"
    assert printed(capsys, *words) == with_it


def test_percentiles_that_are_missing_are_told_of(home: Path, capsys: Capture) -> None:
    (home / "run" / REFERENCE).unlink()
    (home / "words.txt").unlink()
    rows, said = printed(capsys, *SCORED)
    assert {row["percentile"] for row in rows} == {None}
    why = (
        "home/run: what it was trained on must be there to be read again; there is no "
        f"{home / 'words.txt'}. Bring it back, or name another file where one can be given. score, "
        "sample and compress do without."
    )
    assert said == [f"microgpt: no percentiles: {why}"]
    _, said = printed(capsys, *SCORED, "--flag-rate", 0.2, code=2)
    assert said == [f"microgpt: flag-rate needs held-out documents: {why}"]


def test_a_program_judges_as_the_command_line_does_and_is_told_as_much(
    home: Path, capsys: Capture
) -> None:
    run, text = microgpt.load(home / "run"), "anna"
    for rate in (None, 0.2):
        found = judging(run, rate)
        assert capsys.readouterr() == ("", "")
        words = [*SCORED, *(() if rate is None else ("--flag-rate", rate))]
        rows, said = printed(capsys, *words)
        assert ([found.promise] if found.promise else []) == said[:1]
        assert (rate is None) == (not found.promise)
        (row,) = [row for row in rows if row["text"] == text][:1]
        where = np.array([len(text)]), np.array([run.score(text).loss])
        if rate:
            percentiles, flags = found.judge.percentiles(*where), found.judge.flags(*where)
            assert percentiles is not None
            assert flags is not None
            assert [row["percentile"]] == pytest.approx(percentiles.tolist(), abs=0.005)
            assert [row["flagged"]] == flags.tolist()


def test_what_was_measured_in_part_is_measured_whole_where_the_file_is(home: Path) -> None:
    """A training measures at most half as many held-out positions as it was trained on."""
    with trained(home, home / "part", steps=2) as session:
        for _ in session:
            pass
    shutil.copytree(home / "part", home / "away")
    whole = Run(home / "part", "scalar").usual
    (home / "words.txt").unlink()
    part = microgpt.load(home / "away").usual
    again = microgpt.load(home / "part").usual
    assert part is not None
    assert whole is not None
    assert again is not None
    assert 0 < len(part.means_D) < len(whole.means_D) == len(again.means_D)
    assert (part.whole, whole.whole, again.whole) == (False, True, True)
    assert set(part.means_D.tolist()) <= set(whole.means_D.tolist())


def test_a_finished_file_is_not_measured_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object) -> None:
        raise AssertionError

    assert microgpt.load(home / "run").usual is not None  # now it is whole
    monkeypatch.setattr(usual, "measure", no)
    assert microgpt.load(home / "run").usual is not None


def test_what_other_weights_cost_is_as_good_as_none(home: Path) -> None:
    again = Run(home / "run", "scalar")
    right = again.usual
    assert right is not None
    other = microgpt.train(home / "words.txt", out=home / "other", **{**SMALL, "seed": 7})
    shutil.copy(home / "other" / REFERENCE, home / "run" / REFERENCE)
    found = Run(home / "run", "scalar").usual
    assert found is not None
    assert found.means_D.tolist() == right.means_D.tolist()
    assert found.means_D.tolist() != (other.usual or found).means_D.tolist()


def test_a_training_that_was_stopped_ends_with_the_same_file(home: Path) -> None:
    place = home / "again"
    for resumed in (False, True):
        with prepare.resume(place) if resumed else trained(home, place) as session:
            for event in session:
                if not resumed and getattr(event, "step", 0) == 20:
                    session.stop()
        assert (place / REFERENCE).exists() == resumed
    assert (place / REFERENCE).read_bytes() == (home / "run" / REFERENCE).read_bytes()


def test_a_damaged_file_is_measured_anew_or_told_of(home: Path, capsys: Capture) -> None:
    path = home / "run" / REFERENCE
    before = printed(capsys, *SCORED)
    path.write_bytes(path.read_bytes()[:-3])
    assert printed(capsys, *SCORED) == before
    path.write_bytes(path.read_bytes()[:-3])
    (home / "words.txt").unlink()
    rows, said = printed(capsys, *SCORED)
    assert {row["percentile"] for row in rows} == {None}
    assert len(said) == 1
    assert said[0].startswith(f"microgpt: no percentiles: home/run/{REFERENCE}: damaged")


SPOILT: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "a number is none": lambda t, _: t["means"].__setitem__(0, np.nan),
    "a length is below nought": lambda t, _: t["lengths"].__setitem__(0, -1),
    "fewer of one": lambda t, _: t.update(lines=t["lines"][:-1]),
    "of other numbers": lambda t, _: t.update(lengths=t["lengths"].astype(np.float64)),
    "of two dimensions": lambda t, _: t.update({k: v[None] for k, v in t.items()}),
    "none": lambda t, _: t.update({k: v[:0] for k, v in t.items()}),
    "one is missing": lambda t, _: t.pop("means"),
    "a list for a number": lambda _, a: a.update(once=[1]),
    "more once than lines": lambda _, a: a.update(once=a["lines"] + 1),
    "no lines": lambda _, a: a.update(lines=0, once=0),
    "more twice than lines": lambda _, a: a.update(twice=a["lines"]),
    "nats of NaN": lambda _, a: a.update(nats=float("nan")),
    "no nats": lambda _, a: a.pop("nats"),
    "whole of text": lambda _, a: a.update(whole="yes"),
    "of nothing": lambda _, a: a.pop("of"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_foreign_file_is_an_error_in_one_sentence(tmp_path: Path, how: str) -> None:
    tensors = {"lengths": np.arange(3), "means": np.arange(3.0), "lines": np.array([0, 2, 3])}
    about = {"of": "x", "lines": 9, "once": 4, "twice": 1, "nats": 2.0, "whole": True}
    write_tensors(tmp_path / REFERENCE, tensors, about)
    found = usual.read(tmp_path, "x")
    assert found is not None
    assert found.repetition == Repetition(9, 4, 1)
    assert usual.read(tmp_path, "y") is None
    SPOILT[how](tensors, about)
    write_tensors(tmp_path / REFERENCE, tensors, about)
    with pytest.raises(RunError) as caught:
        usual.read(tmp_path, "x")
    whole = f"{tmp_path / REFERENCE}: damaged or foreign"
    assert str(caught.value).startswith((f"{whole}: not as microgpt writes it.", f"{whole} ("))


def test_a_folder_that_cannot_be_written_to_is_judged_by_all_the_same(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError

    (home / "run" / REFERENCE).unlink()
    monkeypatch.setattr(usual, "write", full)
    assert microgpt.load(home / "run").usual is not None


def test_the_file_is_found_from_elsewhere_and_where_it_moved_with_the_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = microgpt.load(home / "run").documents  # from the parent: by its absolute path
    assert sorted([*documents[0], *documents[1]]) == sorted(WORDS)
    (home.parent / "words.txt").write_text("other\ntext")  # of the same name, but not the same
    assert microgpt.load(home / "run").documents == documents
    moved = home.parent / "moved"
    home.rename(moved)
    assert microgpt.load(moved / "run").documents == documents
    assert microgpt.load(moved / "run").evaluate().documents == len(documents[1])
    monkeypatch.chdir("/")
    with prepare.resume(moved / "run") as session:
        assert session.task.dataset.train_documents == documents[0]
    (moved / "words.txt").unlink()
    (moved.parent / "words.txt").unlink()
    with pytest.raises(RunError, match="must be there to be read again"):
        _ = microgpt.load(moved / "run").documents


def test_a_run_of_before_there_were_paths_is_read(home: Path) -> None:
    path = home / "run" / "config.json"
    told = json.loads(path.read_text("utf-8"))
    assert told["data"].pop("paths") == [str(home / "words.txt")]
    del told["checksum"]  # nor was there one of these
    path.write_text(json.dumps(told), "utf-8")
    assert microgpt.load(home / "run").settings.paths == ()
    assert len(microgpt.load(home / "run").documents[0]) > 50


def test_of_a_stream_or_a_few_documents_no_text_is_called_rarer(capsys: Capture) -> None:
    Path("stream.txt").write_text("ada met bob. " * 40)
    Path("few.txt").write_text("\n".join(TINY))
    streamed = Source(files=("stream.txt",), stream=True)
    recipe = {**SMALL, "steps": 3}
    microgpt.train("few.txt", out="few", **recipe)
    del recipe["preset"]
    with prepare.new(streamed, preset_name="microgpt", out=Path("streamed"), **recipe) as session:
        for _ in session:
            pass
    assert not Path("streamed", REFERENCE).exists()
    for run in ("few", "streamed"):
        assert cli(["score", run, "anna"]) == 0
        got = capsys.readouterr()
        assert "rarer" not in got.out
        assert got.err == ""
        rows, _ = printed(capsys, "score", run, "anna", "--json")
        assert rows[0]["percentile"] is None
    _, said = printed(capsys, "score", "streamed", "anna", "--flag-rate", 0.5, code=2)
    assert said == [
        "microgpt: flag-rate needs held-out documents: streamed was trained on a stream, whose "
        "held-out part is one text."
    ]
