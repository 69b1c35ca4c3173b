"""A user's mistake is one line on stderr and exit code 2; a bug keeps its traceback."""

from __future__ import annotations

import errno
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from microgpt.cli.app import run

Capture = pytest.CaptureFixture[str]
SMALL = ["--n-embd", "4", "--n-head", "1", "--block-size", "6", "--engine", "scalar"]
KNOWS = (
    "model has never seen. It knows: a, b, d, e, l, n, o. "
    "Train on text with it, or use --tokenizer bytes."
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, strange data and a run."""
    folder = tmp_path_factory.mktemp("home")
    for name, text, flags in (
        ("r", "ada\nalan\nbea\nbob\ndean\neba\nlea\nnoa\n", ["--steps", "3"]),
        ("sure", "a\n", ["--steps", "60", "--lr", "0.1"]),
    ):
        file = folder / ("names.txt" if name == "r" else "one.txt")
        file.write_text(text)
        assert run(["train", str(file), "--out", str(folder / name), *flags, *SMALL]) == 0
    for name, data in (
        ("empty.txt", b""), ("blank.txt", b"\n \n"), ("latin.txt", b"n\xe9\n"),
        ("t.csv", b"id,name\n2\n"), ("t.jsonl", b'{"n": "ab"}\n'),
        ("bad.jsonl", b'{"text"\n'),
    ):  # fmt: skip
        (folder / name).write_bytes(data)
    (folder / "folder").mkdir()
    (folder / "full").mkdir()
    (folder / "full" / "mine.txt").write_text("precious")
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(home)
    capsys.readouterr()


def mistake(capsys: Capture, *words: str) -> str:
    """Return the one line of an error."""
    assert run(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    line = re.fullmatch(r"microgpt: ([^\n\x1b]+)\n", printed.err)
    assert line is not None
    return line[1]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nams.txt"], "nams.txt: no such file. Did you mean names.txt?"),
        (["folder"], "folder: a folder. Expected a file of text, one document a line."),
        (["empty.txt"], "empty.txt: no documents. Expected text, one document a line."),
        (
            ["blank.txt"],
            "blank.txt: no documents but blank ones (2). Expected text, one document a line.",
        ),
        (
            ["latin.txt"],
            "latin.txt: line 1: not utf-8 (0xe9). "
            "Try --encoding latin-1, or the one it was written in.",
        ),
        (["--encoding", "klingon"], 'encoding must be one that Python knows; got "klingon".'),
        (["t.csv"], "t.csv: has columns id, name. Say which with --column NAME."),
        (["t.csv", "--column", "nam"], 't.csv: no column "nam". It has id, name.'),
        (
            ["t.csv", "--column", "name"],
            "t.csv: line 2: expected 2 columns, as in the heading; got 1. "
            "Try --delimiter, or --quoting none.",
        ),
        (["t.jsonl"], 't.jsonl: line 1: no field "text" but n. Say which with --field NAME.'),
        (
            ["--preset", "gpt"],
            'preset must be one of microgpt, microgpt-v1, micro, small, medium, large, '
            'gpt2-small; got "gpt".',
        ),
        (["--n-embd", "18"], "n_embd must be a multiple of n_head; got n_embd=18, n_head=4."),
        (["--holdout", "1"], "holdout must be in [0, 1); got 1.0."),
        (
            ["--holdout", "0.9999"],
            "holdout=0.9999 leaves none of 8 documents to train on. Try --holdout 0.",
        ),
        (["--steps", "0"], "steps must be a whole number from 1; got 0."),
        (["--seconds", "0"], "seconds must be a number above 0; got 0.0."),
        (["--lr", "-1"], "lr must be a number above 0; got -1.0."),
        (["--lr", "inf"], "lr must be a number above 0; got inf."),
        (["--log-every", "0"], "log_every must be a whole number from 1; got 0."),
        (["--threads", "0"], "threads must be a whole number from 1 to 1,024; got 0."),
        (["--out", "r"], "r: holds a run already. Try --resume r, or another --out."),
        (["--out", "full"], "full: must be empty or new; it holds mine.txt. Try another --out."),
        (["--out", "names.txt"], "names.txt: a file. Expected a folder, or a name for a new one."),
    ],
)  # fmt: skip
def test_training_says_exactly_what_is_wrong(
    capsys: Capture, words: list[str], sentence: str
) -> None:
    given = words if words[0] and not words[0].startswith("-") else ["names.txt", *words]
    assert mistake(capsys, "train", *given) == sentence
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["train", "names.txt", "--frob"], "--frob"),
        (["train", "names.txt", "--steps", "x"], '"x"'),
        (["train", "names.txt", "--steps", "1.5"], "1.5"),
        (["train", "names.txt", "--steps"], "--steps"),
        (["train", "names.txt", "--loss", "mse"], "cross-entropy"),
        (["train", "names.txt", "--engine", "abacus"], "engine must be one of auto, "),
        (["train", "names.txt", "--device", "abacus"], "device"),
        (["train", "names.txt", "--n-embd", "1000000000", "--n-head", "1"], ""),
        (["train", "bad.jsonl"], "bad.jsonl: line 1: not JSON ("),
        (["train", "--resume", "r", "--preset", "microgpt-v1"], "preset"),
        (["train", "--resume", "r", "names.txt"], "--resume must stand without"),
        (["trian"], 'Did you mean "train"?'),
        (["--frob"], "--frob"),
        (["sample", "r", "more"], "more"),
        (["sample", "nowhere"], "nowhere: no such run."),
        (["why", ""], 'the name of a run must not be empty; got "".'),
        (["score"], "run"),
        (["score", "r", "--sort", "funny", "ada"], "worst"),
        (["score", "r", "nams.txt"], "Did you mean names.txt? To score it as text, add --text."),
        (["evaluate", "nowhere"], "nowhere: no such run."),
        (["evaluate", "names.txt"], "names.txt: not a run: it is a file. Expected a folder."),
        (["evaluate", "r", "--limit", "-1"], "limit must be"),
        (["data", "nams.txt"], "Did you mean names.txt?"),
        (["data", "names.txt", "--holdout", "1"], "holdout"),
        (["data", "names.txt", "--holdout", "-0.1"], "holdout must be in [0, 1); got -0.1."),
        (["runs", "r", "--where", "lr"], "where must be a column, a comparison "),
    ],
)  # fmt: skip
def test_every_mistake_is_one_line_that_names_it(
    capsys: Capture, words: list[str], part: str
) -> None:
    assert part in mistake(capsys, *words)


@pytest.mark.parametrize("command", ["sample", "evaluate", "plot"])
def test_without_a_run_the_way_to_one_is_told(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert mistake(capsys, command) == "no runs in runs/ yet. Try: microgpt train"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["sample", "r", "--prompt", "é"], f'the prompt has "é", which this {KNOWS}'),
        (
            ["sample", "r", "--prompt", "a" * 6],
            "the prompt must be shorter than the block of 6; got 6 tokens.",
        ),
        (["sample", "r", "--temperature", "-1"], "temperature must be a number from 0; got -1.0."),
        (["sample", "r", "--top-p", "0"], "top_p must be in (0, 1]; got 0.0."),
        (["sample", "r", "--top-k", "0"], "top_k must be a whole number from 1; got 0."),
        (["sample", "r", "--seed", "-1"], "seed must be a whole number from 0; got -1."),
        (["sample", "r", "-n", "0"], "number must be a whole number from 1; got 0."),
        (
            ["score", "r"],
            "score must have a run and a text; got the run r alone. Try: microgpt score r emma",
        ),
        (
            ["score", "smith"],
            'score must have a run and a text; got "smith" alone, and there are no runs in runs/. '
            "Try: microgpt train",
        ),
        (
            ["compress", "r"],
            "compress must have a run and a file; got the run r alone. "
            "Try: microgpt compress r FILE",
        ),
        (
            ["score"],
            "score must have a run and a text; got neither. Try: microgpt score RUN emma",
        ),
        (["plot", "r", "--save", "a.pdf"], "save must end in .png or .svg; got a.pdf."),
        (["plot", "r", "--save", "n/a.svg"], "save must be in a folder that exists; got n/a.svg."),
        (["train", "--resume", "no"], "no: no such run. Try: microgpt train"),
        (
            ["train", "--resume", "r", "--steps", "9"],
            "--resume must stand without steps: the run knows. "
            "Only the engine and the trackers may change.",
        ),
    ],
)  # fmt: skip
def test_looking_says_exactly_what_is_wrong(
    capsys: Capture, words: list[str], sentence: str
) -> None:
    assert mistake(capsys, *words) == sentence


def test_a_file_without_a_name_is_told_so(capsys: Capture) -> None:
    assert not mistake(capsys, "train", "").startswith(":")


def test_new_samples_that_are_not_to_be_had_are_told_after_those_that_are(capsys: Capture) -> None:
    assert run(["sample", "sure", "--new", "-n", "3", "--temperature", "0"]) == 2
    printed = capsys.readouterr()
    assert printed.err == (
        "microgpt: only 0 of 3 samples were new after 300 draws. Try a higher --temperature.\n"
    )


def run_while_the_disk_fails(calls: int, code: int, words: list[str]) -> int:
    """Run a command on a disk that fails after so many flushes to it."""
    fsync, left = os.fsync, iter(range(calls))

    def flush(file: int) -> None:
        if next(left, None) is None:
            raise OSError(code, os.strerror(code))
        fsync(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", flush)
        return run(words)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_at_the_last_save_is_one_line_and_the_one_before_is_whole(
    tmp_path: Path, capsys: Capture, code: int
) -> None:
    words = ["train", "names.txt", "--steps", "4", *SMALL, "--out", str(tmp_path / "d")]
    # The log, then a file and its folder each: the first checkpoint, tokenizer, config.
    assert run_while_the_disk_fails(7, code, words) == 2
    error = capsys.readouterr().err
    assert error.startswith("microgpt: ")
    assert error.count("\n") == 1
    assert run(["train", "--resume", str(tmp_path / "d")]) == 0


@pytest.mark.parametrize("calls", range(7))
def test_a_training_that_could_not_begin_leaves_nothing_that_is_called_a_run(
    tmp_path: Path, capsys: Capture, calls: int
) -> None:
    words = ["train", "names.txt", "--steps", "2", *SMALL, "--out", str(tmp_path / "d")]
    assert run_while_the_disk_fails(calls, errno.ENOSPC, words) == 2
    capsys.readouterr()
    if run(words) != 0 and "--resume" in capsys.readouterr().err:
        assert run(["train", "--resume", str(tmp_path / "d")]) == 0


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug of ours")

    monkeypatch.setattr(importlib.import_module("microgpt.data.corpus"), "read", broken)
    with pytest.raises(RuntimeError, match="a bug of ours"):
        run(["data", "names.txt"])


def test_a_mistake_ends_the_process_with_2_and_nothing_else(home: Path) -> None:
    command = [sys.executable, "-m", "microgpt", "train", "nams.txt"]
    done = subprocess.run(command, capture_output=True, cwd=home)
    expected = b"microgpt: nams.txt: no such file. Did you mean names.txt?" + os.linesep.encode()
    assert (done.returncode, done.stdout, done.stderr) == (2, b"", expected)
