"""Output streams: a closed pipe, a full disk, and encodings that lack characters."""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from microgpt.cli.app import run
from microgpt.cli.terminal.streams import Output, opened
from microgpt.runs import log
from microgpt.runs.run import Run
from tests.conftest import TINY, some

MICROGPT = [sys.executable, "-m", "microgpt"]
SMALL = ["--n-embd", "4", "--n-head", "1", "--block-size", "6", "--engine", "scalar"]
TRAIN = ["train", "t.txt", *SMALL, "--steps", "120", "--holdout", "0.2", "--out", "r"]
LATIN = {**os.environ, "PYTHONIOENCODING": "cp1252"}
Capture = pytest.CaptureFixture[str]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pipes and terminals are POSIX's")


@pytest.fixture(autouse=True)
def file(tmp_path: Path) -> Path:
    path = tmp_path / "t.txt"
    path.write_text("\n".join(TINY * 5) + "\n", "utf-8")
    return path


def start(words: list[str], **how: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*MICROGPT, *words], **how)


def leave_after_a_line(words: list[str], **how: Any) -> tuple[int, bytes, bytes]:
    """Read a line of what a command prints and go away: its code, the line, standard error."""
    with start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
        return process.wait(60), line, said


@pytest.mark.parametrize(
    "words",
    some(["train --help", "evaluate {r}", "sample {r} -n 20000", "score {r} {many} --threads 2",
          "compress {r} {many} -o -"], 3),
)  # fmt: skip
def test_a_reader_that_goes_away_ends_a_command_quietly(model: Run, file: Path, words: str) -> None:
    many = file.with_name("many.txt")
    many.write_text("anna\nbob\n" * 30_000)
    given = words.format(r=model.folder, t=file, many=many).split()
    code, line, said = leave_after_a_line(given)
    assert line
    assert (code, said) == (0, b"")


def whole(folder: str = "r") -> None:
    """Check that a training's folder is complete."""
    assert log.read(Path(folder)).steps == 120
    assert len(Path(folder, "samples.txt").read_text("utf-8").splitlines()) == 20
    assert Run(folder).engine.updates == 120


@pytest.mark.parametrize("form", some([[], ["--json"]], 0))
def test_a_training_outlives_its_reader(form: list[str]) -> None:
    code, line, said = leave_after_a_line([*TRAIN, *form])
    assert line
    assert code == 0
    assert said.decode() == (
        "microgpt: nobody reads the output any more; the training goes on to its end, in r. "
        "Ctrl-C stops and saves it.\n"
    )
    whole()


@pytest.mark.slow
def test_a_training_outlives_both_of_its_readers() -> None:
    with start(TRAIN, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 0
    whole()


@pytest.mark.slow
def test_a_training_outlives_its_terminal_where_it_is_to_ignore_the_end_of_that() -> None:
    ours, theirs = os.openpty()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        env = {**os.environ, "TERM": "xterm-256color"}
        process = start(TRAIN, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    finally:
        signal.signal(signal.SIGHUP, before)
    os.close(theirs)
    assert os.read(ours, 100)
    os.close(ours)
    with process:
        assert process.wait(60) == 0
    whole()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_training_whose_output_has_no_room_is_made_whole_before_that_is_an_error() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*MICROGPT, *TRAIN, "--json"], stdout=full, stderr=subprocess.PIPE)
    first, last = done.stderr.decode().splitlines()
    assert first.startswith("microgpt: the output cannot be written; the training goes on to its")
    assert last == "microgpt: standard output: no space left on the disk."
    assert done.returncode == 2
    whole()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", some(["--help", "sample {r} -n 5", "score {r} {t}"], 2))
def test_an_output_without_room_is_one_sentence(model: Run, file: Path, words: str) -> None:
    given = words.format(r=model.folder, t=file).split()
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*MICROGPT, *given], stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == b"microgpt: no space left on the disk.\n"


@pytest.mark.slow
def test_samples_of_a_training_that_stopped_early_say_so(capsys: Capture) -> None:
    process = start([*TRAIN[:-6], "--steps", "100000", "--out", "r"], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline()
        while not process.stdout.readline().startswith(b"step"):
            pass
        process.kill()
    assert run(["sample", "r", "-n", "3"]) == 0
    made = Run("r").engine.updates
    assert f"; the training stopped after {made:,} of 100,000 steps" in capsys.readouterr().out
    assert run([*TRAIN[:-1], "whole"]) == 0
    assert run(["sample", "whole", "-n", "3"]) == 0
    assert "stopped" not in capsys.readouterr().out


@pytest.mark.slow
def test_a_sweep_outlives_its_reader(file: Path) -> None:
    pytest.importorskip("optuna")
    recipe = "--preset microgpt --engine scalar --steps 300 --trials 3 --jobs 1 --budget 1h"
    words = f"sweep {file} {recipe} --knob n_embd=4 --knob lr=1e-2..5e-2 --out s".split()
    code, line, said = leave_after_a_line(words)
    assert line
    assert code == 0
    assert b"the sweep goes on to its end" in said
    assert Run("s/best").log.steps == 300


def written(words: list[str], encoding: str, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Return what a command writes to a pipe under a locale of this encoding."""
    pipe = io.BytesIO()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", opened(io.TextIOWrapper(pipe, encoding)))
        assert run(words) == 0
        sys.stdout.flush()
        return pipe.getvalue()


@pytest.mark.parametrize("form", ["csv", "jsonl", "table"])
def test_what_is_written_to_a_pipe_is_utf_8_whatever_the_locale_s_encoding(
    model: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    (tmp_path / "w.csv").write_text("name,word\nanna日,日本\nbob,grüße\n", "utf-8")
    words = ["score", str(model.folder), "w.csv", "--column", "name", "--format", form]
    told = [written(words, encoding, monkeypatch) for encoding in ("utf-8", "cp1252", "ascii")]
    assert told[0] == told[1] == told[2]
    assert "日" in told[0].decode("utf-8")
    if form == "csv":
        rows = list(csv.DictReader(io.StringIO(told[1].decode("utf-8"))))
        assert [row["word"] for row in rows] == ["日本", "grüße"]


def test_a_process_writes_utf_8_to_a_pipe_whatever_its_environment_says(model: Run) -> None:
    words = [*MICROGPT, "score", str(model.folder), "--json", "日"]
    done = subprocess.run(words, env=LATIN, capture_output=True, check=True)
    assert '"text": "日"' in done.stdout.decode("utf-8")


@pytest.mark.parametrize(
    "words", ["why", "why {r} anna", "score {r} anna", "evaluate {r}", "plot {r}", "data t.txt",
              "sample {r} -n 40", "train t.txt --preset microgpt --steps 3 --engine scalar"],
)  # fmt: skip
def test_where_the_locale_has_no_unicode_decorations_are_ascii_and_nothing_is_escaped(
    model: Run, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    told = written(words.format(r=model.folder).split(), "cp1252", monkeypatch).decode("utf-8")
    assert told.isascii()
    assert "\\u" not in told
    if words == "why":
        assert re.search(r"^ *0\.01 +4\.61 +#{20}$", told, re.MULTILINE)


@pytest.mark.slow
def test_data_among_decorations_stays_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.txt").write_text("col·lecció\n" * 4, "utf-8")
    words = "train c.txt --n-embd 4 --n-head 1 --block-size 12 --engine scalar --steps 150 --lr 0.1"
    told = written([*words.split(), "--out", "c"], "cp1252", monkeypatch).decode("utf-8")
    assert "col·lecció*" in told
    assert "\nGPT | 1 layer, 1 head, width 4" in told


@pytest.mark.slow
def test_a_terminal_of_another_encoding_gets_its_own_and_escapes_for_what_that_lacks(
    model: Run,
) -> None:
    env = {**os.environ, "PYTHONIOENCODING": "latin-1", "TERM": "xterm-256color", "COLUMNS": "90"}
    # The same as `python -m microgpt`, but one command after the other.
    program = (
        "import sys; from microgpt.cli.app import run; from microgpt.cli.terminal.streams import "
        "opened; sys.stdout = opened(sys.stdout); r = sys.argv[1];"
        "codes = [run(words) or print('\f') for words in (['score', r, 'é日'], "
        "['score', r, '--json', 'é日'], ['evaluate', r])]; sys.exit(any(codes))"
    )
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", program, str(model.folder)]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, env=env) as process:
        os.close(theirs)
        told = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:
                break
            told += part
            if not part:
                break
        os.close(ours)
        assert process.wait(30) == 0
    said = told.split(b"\f")[:3]
    for one, shown, not_shown in zip(
        said,
        (b"\xe9\\u65e5", b'"\\u00e9\\u65e5"', b"#####"),
        (b"\xe6", b"\xe6", b"\\u2588"),
        strict=True,
    ):
        assert shown in one
        assert not_shown not in one


def test_an_output_gives_way_to_nowhere_only_where_that_is_wanted() -> None:
    ours, theirs = os.pipe()
    out = Output(io.TextIOWrapper(os.fdopen(theirs, "wb")))
    os.close(ours)
    with pytest.raises(BrokenPipeError):
        print("nobody reads this", file=out, flush=True)
    with out.outliving("all goes on."):
        print("nor this", file=out, flush=True)
    out.close()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc")
@pytest.mark.parametrize(
    "words",
    ["train {t} --steps 3 --out /proc/x", "compress {r} {t} -o /proc/x",
     "report {r} -o /proc/x", "plot {r} --save /proc/x.png",
     pytest.param("why --train {u} --engine scalar --steps 2 --save /proc/x.svg",
                  marks=pytest.mark.slow),
     "sweep {t} --steps 5 --budget 9s --out /proc/x"],
)  # fmt: skip
def test_a_path_that_cannot_be_made_is_one_sentence_that_names_it(
    model: Run, file: Path, capsys: Capture, words: str
) -> None:
    if words.startswith("sweep"):
        pytest.importorskip("optuna")
    letters = file.with_name("u.txt")
    letters.write_text("\n".join("abcdefghijklmnopqrst"))
    given = words.format(r=model.folder, t=file, u=letters).split()
    assert run(given) == 2
    path = next(word for word in given if word.startswith("/proc/x"))
    said = capsys.readouterr().err
    assert said == f"microgpt: {path}: there is no such file or folder, or none can be made.\n"


def test_an_error_of_the_system_about_a_file_is_the_world_s_unless_the_file_is_ours(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    import microgpt.data.corpus

    def fails(error: OSError) -> None:
        def read(*_: object) -> None:
            raise error

        monkeypatch.setattr(microgpt.data.corpus, "read", read)

    fails(OSError(74, "Bad message", "some.txt"))
    assert run(["data", "some.txt"]) == 2
    assert capsys.readouterr().err == "microgpt: some.txt: Bad message.\n"
    for bug in (
        OSError(22, "Invalid argument"),
        FileNotFoundError(2, "No such file", str(Path(microgpt.__file__).parent / "style.css")),
    ):
        fails(bug)
        with pytest.raises(OSError, match=bug.strerror or ""):
            run(["data", "some.txt"])
