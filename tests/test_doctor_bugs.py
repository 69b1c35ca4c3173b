"""The exercises: each bug breaks a line that stands in the source, and the doctor names it."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import bugs
import pytest
from bugs import BUGS

from microgpt import Run
from microgpt.doctor import SYMPTOMS, Evidence, examine

from .conftest import some

NUMBERS = range(1, len(BUGS) + 1)
STEPS = 60


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.title)
def test_the_line_of_a_bug_stands_in_the_source_once(bug: Any) -> None:
    text = (bugs.PACKAGE / bug.file).read_text("utf-8")
    assert text.count(bug.line) == 1
    assert "\n" not in bug.line + bug.broken
    compile(text.replace(bug.line, bug.broken), bug.file, "exec")


def test_there_are_fifteen_and_each_names_a_symptom() -> None:
    assert len(BUGS) == len({bug.title for bug in BUGS}) == 15
    assert {bug.symptom for bug in BUGS} <= {*SYMPTOMS}
    assert len({bug.symptom for bug in BUGS}) >= 12


def trained(number: int, out: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    bugs.train(number, out, STEPS)
    capfd.readouterr()
    return Run(out)


@pytest.mark.parametrize("number", some(NUMBERS, 1), ids=lambda n: BUGS[n - 1].title)
def test_the_doctor_names_the_symptom_of_a_bug(
    number: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    symptom, again = BUGS[number - 1].symptom, None
    run = trained(number, tmp_path / "run", capfd)
    if symptom == "does-not-repeat":
        again = trained(number, tmp_path / "again", capfd)
    assert symptom in examine(Evidence(run, again)).found


def test_a_broken_line_is_run_where_microgpt_is_installed_in_editable_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Such an installation has a finder of its own, which is asked before the path."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "from importlib.util import spec_from_file_location\n"
        "class Finder:\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        here = {str(bugs.PACKAGE)!r}\n"
        "        if name == 'microgpt':\n"
        "            places = [here]\n"
        "            return spec_from_file_location(name, here + '/__init__.py',\n"
        "                                           submodule_search_locations=places)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    bugs.train(12, tmp_path / "run", steps=2)
    capfd.readouterr()
    losses = [line["loss"] for line in Run(tmp_path / "run").log.lines]
    assert losses == pytest.approx([math.log(27)] * 2)  # all initial values are 0


@pytest.mark.slow
def test_without_a_bug_the_same_training_shows_none(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run, again = (trained(0, tmp_path / name, capfd) for name in ("run", "again"))
    assert not examine(Evidence(run, again)).found


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    monkeypatch.setattr(sys, "argv", ["bugs.py", *words])
    bugs.main()
    return capsys.readouterr().out


def test_the_list_of_exercises_does_not_say_which_line_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The question that leads there is asked for, and so is the answer."""
    listed = told(monkeypatch, capsys)
    assert [line.split()[0] for line in listed.splitlines()] == [str(n) for n in NUMBERS]
    for bug in BUGS:
        assert bug.title not in listed
        assert bug.shows in listed
        assert bug.line.strip() not in listed
        number = str(BUGS.index(bug) + 1)
        assert told(monkeypatch, capsys, number, "--hint") == f"{bug.hint}\n"
        assert bug.line.strip() in told(monkeypatch, capsys, number, "--answer")


def test_the_page_of_exercises_is_that_of_the_record_and_its_claims_hold(make: Any) -> None:
    page = make.EXERCISES.read_text("utf-8")
    assert make.symptoms.tables(page) == page
    sound, *rows = make.symptoms.record()["rows"]
    assert sound["symptoms"] == []
    for bug, row in zip(BUGS, rows):
        assert bug.symptom in row["symptoms"]
    end = sound["training"][-1][1]
    ends = [row["training"][-1][1] for row in rows]
    # "five end with a loss that one could take for a good one, and three with one far below"
    good = [n for n, loss in zip(NUMBERS, ends) if abs(loss - end) < 0.15]
    assert good == [3, 9, 11, 13, 14]
    assert f"Exercises {', '.join(map(str, good[:-1]))} and {good[-1]} have a loss" in page
    assert [n for n, loss in zip(NUMBERS, ends) if loss < end - 0.3] == [1, 6, 15]
    held_out = {row["number"]: row["held_out"][-1][1] for row in [sound, *rows]}
    assert held_out[13] < held_out[0] - 0.05
    assert held_out[9] > held_out[0]
