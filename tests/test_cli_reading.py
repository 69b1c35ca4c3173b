"""The warnings about files that commands read: on standard error, the same from each command."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.runs.run import Run

from .conftest import TINY

Capture = pytest.CaptureFixture[str]
SMALL = ["--engine", "scalar", "--preset", "microgpt", "--steps", "2", "--n-embd", "4",
         "--n-head", "1", "--block-size", "6"]  # fmt: skip

BROKEN = 'id;text\n1;anna\n2;bob;x\n3;lea\n4;"ola\n' + "".join(f"5;{name}\n" for name in TINY)
SAID = [
    'microgpt: t.csv: its cells are taken to end at ";", as its first lines have it. If that is '
    'wrong, add --delimiter ",".',
    "microgpt: t.csv: line 3: expected 2 columns, as in the heading; got 3. Try --delimiter, or "
    "--quoting none. Skipped.",
    "microgpt: t.csv: line 5: the quote that opens here is not closed where a cell ends; got "
    '"ola. Skipped.',
    "2 broken lines skipped.",
]


@pytest.mark.parametrize(
    "command",
    ["train", "train --json", "data", "data --json", "evaluate", "score --format csv",
     "report --out page.html", "why --train"],
)  # fmt: skip
def test_every_command_skips_the_same_rows_and_says_so(
    model: Run, capsys: Capture, command: str
) -> None:
    Path("t.csv").write_text(BROKEN)
    name, *flags = command.split()
    words = {
        "train": ["train", "t.csv", *SMALL, "--out", "r"],
        "data": ["data", "t.csv"],
        "evaluate": ["evaluate", str(model.folder), "t.csv"],
        "score": ["score", str(model.folder), "t.csv"],
        "report": ["report", str(model.folder), "t.csv"],
        "why": ["why", "t.csv", "--steps", "2"],
    }[name]
    assert cli([*words, "--column", "text", *flags]) == 0
    printed = capsys.readouterr()
    assert printed.err.splitlines() == SAID
    assert "Skipped" not in printed.out
    if name == "train":
        assert microgpt.load("r").settings.documents == 22
    if "--json" in flags:
        for line in printed.out.splitlines():
            json.loads(line)
    if command == "data --json":
        record = json.loads(printed.out)
        assert (record["documents"], record["broken"]) == (22, 2)


def test_a_run_on_a_table_knows_how_it_was_read(capsys: Capture) -> None:
    Path("t.txt").write_text('id|text\n1|"anna"\n2|"bob\n3|lea\n')
    words = ["--delimiter", "|", "--quoting", "none", "--column", "text"]
    assert cli(["train", "t.txt", *SMALL, *words, "--out", "r"]) == 0
    assert capsys.readouterr().err == ""
    run = microgpt.load("r")
    assert sorted([*run.documents[0], *run.documents[1]]) == ['"anna"', '"bob', "lea"]
    assert run.settings.source.asked == {"column": "text", "delimiter": "|", "quoting": "none"}
    assert cli(["train", "--resume", "r"]) == 0


def test_tab_is_a_delimiter_by_its_name(capsys: Capture) -> None:
    Path("t.txt").write_text("id\ttext\n1\tanna\n2\tbob\n")
    for name in ("tab", "\\t", "\t"):
        assert cli(["data", "t.txt", "--column", "text", "--delimiter", name, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["documents"] == 2


def test_a_program_is_warned_of_what_was_skipped() -> None:
    Path("t.csv").write_text("text\nanna\nbob,x\nlea\n")
    how = {"engine": "scalar", "preset": "microgpt", "steps": 1, "n_embd": 4, "n_head": 1}
    with pytest.warns(UserWarning, match=r"^t\.csv: ") as said:
        run = microgpt.train("t.csv", out="r", **how)
    assert [str(one.message) for one in said] == [
        "t.csv: its first line (text) is taken for the heading of its one column.",
        "t.csv: line 3: expected 1 column, as in the heading; got 2. Try --delimiter, or "
        "--quoting none. Skipped.",
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run.documents[0] == ["anna", "lea"]


@pytest.mark.parametrize("text", ["to be or not to be " * 2000, "hello number 4"])
def test_data_tells_of_one_long_document(capsys: Capture, text: str) -> None:
    Path("t.txt").write_text(text)
    assert cli(["data", "t.txt", "--holdout", "0.999", "--json"]) == 0
    printed = capsys.readouterr()
    record = json.loads(printed.out)
    assert (record["documents"], record["train"], record["held_out"]) == (1, 0, 1)
    said = printed.err.splitlines()
    assert said[-1] == (
        "microgpt: holdout=0.999 leaves none of 1 document to train on. Try --holdout 0, or, if it "
        "is one long text, --stream."
    )
    assert len(said) == 2 if len(text) > 1000 else 1


def test_closed_standard_input_is_one_sentence(model: Run) -> None:
    given = ("data -", "train -", "evaluate R -", "score R -", "compress R -", "decompress R -")
    program = "import sys; from microgpt.cli.app import run; "
    program += "sys.exit(sum(run(words.split()) for words in sys.argv[1:]))"
    command = [sys.executable, "-c", program, *(w.replace("R", str(model.folder)) for w in given)]
    closed = ["sh", "-c", f"exec {shlex.join(command)} <&-"]
    done = subprocess.run(closed, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2 * len(given), "")
    sentence = "microgpt: standard input: closed. Expected text, a document a line.\n"
    assert done.stderr == sentence * len(given)
