"""`microgpt score` on files and pipes: a row per text, columns preserved, rare texts flagged."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
from multiprocessing import synchronize
from multiprocessing.context import SpawnProcess
from pathlib import Path

import numpy as np
import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.runs.run import Run
from microgpt.scoring.rows import processes

from .conftest import TINY, some

Capture = pytest.CaptureFixture[str]
MICROGPT = [sys.executable, "-m", "microgpt"]
LINES = ["anna", "x\xe9nia", 'a "b", c', "lea", "nnnnnnnn", "bob\x1b[1m", "ola"]


def printed(capsys: Capture, *words: object, code: int = 0) -> tuple[str, list[str]]:
    """Return what a command prints on stdout, and the lines on stderr."""
    assert cli([*map(str, words)]) == code
    got = capsys.readouterr()
    return got.out, got.err.splitlines()


def of_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def best_span(losses: list[float], usual: float) -> float:
    """Return the largest sum of (loss - usual) over adjacent positions, by trying all spans."""
    over = np.array(losses) - usual
    n = len(over)
    return max(over[a:b].sum() for a in range(n) for b in range(a + 1, n + 1))


def test_rows_of_every_form_say_what_scores_say(model: Run, capsys: Capture) -> None:
    held_out = model.documents[1]
    usual = sum(s.nats for s in model.scores(held_out)) / sum(len(t) + 1 for t in held_out)
    means = np.array([s.loss for s in model.scores(held_out)])
    with open("in.txt", "w", encoding="utf-8") as file:  # noqa: PTH123  (as a user's program would)
        file.write("\n".join(LINES))
    table, _ = printed(capsys, "score", model.folder, "in.txt")
    objects = printed(capsys, "score", model.folder, "in.txt", "--format", "jsonl")[0]
    cells = of_csv(printed(capsys, "score", model.folder, "in.txt", "--format", "csv")[0])
    rows = [json.loads(line) for line in objects.splitlines()]
    assert "\x1b" not in table
    assert [row["text"] for row in rows] == [cell["text"] for cell in cells] == LINES
    for row, cell, line, one in zip(rows, cells, table.splitlines()[1:], model.scores(LINES)):
        assert row["loss"] == float(cell["loss"]) == pytest.approx(one.loss, abs=5.1e-5)
        assert row["bits"] == pytest.approx(one.loss / math.log(2), abs=5.1e-5)
        assert line.split()[:2] == [f"{one.loss:.2f}", f"{one.loss / math.log(2):.2f}"]
        assert row["unknown"] == int(cell["unknown"]) == sum(c.unknown for c in one.characters)
        rarer = 100 * float((means < one.loss).sum()) / (len(means) + 1)
        assert row["percentile"] == float(cell["percentile"]) == pytest.approx(rarer, abs=5.1e-3)
        assert row["span"] == cell["span"]
        marked = one.text + "⏎"
        assert row["span"] in marked
        losses = [c.nats for c in one.characters]
        at = [i for i in range(len(marked)) if marked.startswith(row["span"], i)]
        sums = [sum(losses[i : i + len(row["span"])]) - usual * len(row["span"]) for i in at]
        assert max(sums) == pytest.approx(best_span(losses, usual), abs=1e-3)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_columns_are_kept_whatever_is_in_them(model: Run, capsys: Capture, form: str) -> None:
    rows = [{"loss": f'{n}, "q"\n\'', "t": text, "ü": "😀"} for n, text in enumerate(LINES)]
    with open("in.csv", "w", encoding="utf-8", newline="") as file:  # noqa: PTH123
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    Path("in.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    for words in (["in.csv", "--column", "t"], ["in.jsonl", "--field", "t"]):
        out = printed(capsys, "score", model.folder, *words, "--format", form)[0]
        got = of_csv(out) if form == "csv" else [json.loads(line) for line in out.splitlines()]
        assert [{name: one[name] for name in rows[0]} for one in got] == rows
        assert [*got[0]] == [*rows[0], "model_loss", "bits", "percentile", "span", "unknown"]


def test_a_return_in_a_text_is_quoted_in_csv(model: Run, capsys: Capture) -> None:
    Path("in.jsonl").write_text('{"text": "an\\rna"}\n')
    out = printed(capsys, "score", model.folder, "in.jsonl", "--format", "csv")[0]
    assert out.splitlines(keepends=True)[1].startswith('"an\r')
    assert of_csv(out)[0]["text"] == "an\rna"


def test_what_is_flagged_lies_above_the_threshold_and_is_counted(
    model: Run, capsys: Capture
) -> None:
    held_out = model.documents[1]
    Path("in.txt").write_text("\n".join([*held_out, "xqzwv"]))
    words = ["score", model.folder, "in.txt", "--format", "jsonl", "--flag-rate", 0.1]
    out, said = printed(capsys, *words)
    rows = [json.loads(line) for line in out.splitlines()]
    n, k = len(held_out), round(0.1 * (len(held_out) + 1))
    threshold = sorted(s.loss for s in model.scores(held_out))[-k]
    for row, one in zip(rows, model.scores([*held_out, "xqzwv"])):
        assert row["flagged"] == (one.loss > threshold)
    flagged = sum(row["flagged"] for row in rows)
    assert flagged == k  # k - 1 of the held-out ones lie above the k-th, and the odd one
    assert said[0].startswith(f"Of good lines {k / (n + 1):.2%} will be flagged (")
    assert said[-1] == f"{flagged} of {n + 1} lines flagged ({flagged / (n + 1):.2%})."
    words[3:5] = ["--json"]
    rows = [json.loads(line) for line in printed(capsys, *words)[0].splitlines()]
    assert sum(row["flagged"] for row in rows) == flagged


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--flag-rate 0", "flag-rate must be above 0 and below 1; got 0."),
        ("--flag-rate 1e-6", "Try a higher rate, or hold out more of them."),
        ("--json --format csv", "json or format must be given, not both"),
        ("--format xml", "table"),
        ("nowhere.csv", "nowhere.csv: no such file. To score it as text, add --text."),
    ],
)
def test_mistakes_are_one_sentence(model: Run, capsys: Capture, words: str, said: str) -> None:
    out, lines = printed(capsys, "score", model.folder, "anna", *words.split(), code=2)
    assert out == ""
    assert len(lines) == 1
    assert said in lines[0]


def test_a_rate_needs_held_out_documents(tmp_path: Path, capsys: Capture) -> None:
    microgpt.train(TINY, engine="scalar", preset="microgpt", steps=2, out=tmp_path / "run")
    _, said = printed(capsys, "score", tmp_path / "run", "anna", "--flag-rate", "0.1", code=2)
    assert said == [
        f"microgpt: flag-rate needs held-out documents: {tmp_path / 'run'} held none out. "
        "Train with --holdout 0.1."
    ]
    out, _ = printed(capsys, "score", tmp_path / "run", "anna", "--format", "jsonl")
    assert json.loads(out)["percentile"] is None


def test_where_lines_repeat_what_is_judged_by_and_assumed_is_said(
    tmp_path: Path, capsys: Capture
) -> None:
    often = [f"{a}-{b}" for a in TINY for b in TINY[:5]]
    once = [f"{a}{b}" for a in TINY for b in TINY]
    Path("log.txt").write_text("\n".join([*often * 20, *once]))
    microgpt.train(
        "log.txt", engine="scalar", preset="microgpt", n_embd=4, n_head=1, block_size=6,
        steps=20, holdout=0.3, out=tmp_path / "run",
    )  # fmt: skip
    words = ["score", tmp_path / "run", "log.txt", "--format", "jsonl", "--flag-rate", 0.02]
    out, said = printed(capsys, *words)
    rows = [json.loads(line) for line in out.splitlines()]
    held_out = sum(1 for text in microgpt.load(tmp_path / "run").documents[1] if "-" not in text)
    expected = float(said[0].removeprefix("Of good lines ").split("%")[0]) / 100
    assert expected == pytest.approx(0.02, abs=0.005)
    assert sum(row["flagged"] for row in rows) / len(rows) == pytest.approx(expected, abs=0.005)
    assert said[0].endswith(
        f"95 times of 100), judging by {held_out} held-out documents whose text is there once and "
        "2,000 lines whose text repeats, of all lengths, if good lines come from where these did "
        "and repeat as they did. So low a rate takes 250 texts of a length: all are judged "
        "together."
    )
    # What is flagged is rarer than what is not, whatever their lengths.
    rare = min(row["percentile"] for row in rows if row["flagged"])
    assert rare > max(row["percentile"] for row in rows if not row["flagged"])


def test_the_first_broken_lines_are_told_of_and_all_are_counted(
    model: Run, capsys: Capture
) -> None:
    Path("in.jsonl").write_text('{"text": "anna"}\n' + "nonsense\n" * 30 + '\n{"text": "bob"}\n')
    out, said = printed(capsys, "score", model.folder, "in.jsonl", "--format", "csv")
    assert [row["text"] for row in of_csv(out)] == ["anna", "bob"]
    assert said[0].startswith("microgpt: in.jsonl: line 2: not JSON (")
    assert said[0].endswith("). Skipped.")
    assert said[10:] == ["1 blank line skipped.", "30 broken lines skipped."]


SEMAPHORES, PROCESSES = (synchronize.SemLock, "__init__"), (SpawnProcess, "start")


@pytest.mark.parametrize(
    ("place", "error", "why"),
    [
        (SEMAPHORES, OSError(30, "Read-only file system"), "Read-only file system"),
        (
            SEMAPHORES,
            FileNotFoundError(2, "No such file or directory"),
            "No such file or directory",
        ),
        (SEMAPHORES, PermissionError(13, "Permission denied"), "Permission denied"),
        (
            SEMAPHORES,
            ImportError("This platform lacks a sem_open"),
            "This platform lacks a sem_open",
        ),
        (SEMAPHORES, NotImplementedError("too few semaphores"), "too few semaphores"),
        (
            PROCESSES,
            BlockingIOError(11, "Resource temporarily unavailable"),
            "Resource temporarily",
        ),
    ],
)
def test_where_no_process_can_be_begun_one_scores_alone_and_says_so_once(
    model: Run,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    place: tuple[type, str],
    error: Exception,
    why: str,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("microgpt.data.reader.stream.BYTES", 256)
    Path("in.txt").write_text("\n".join(f"{a}{b}" for a in TINY for b in TINY))
    words = ["score", model.folder, "in.txt", "--format", "csv"]
    alone = printed(capsys, *words, "--threads", 1)
    monkeypatch.setattr(*place, refuse)
    monkeypatch.setattr(processes, "_ALONE_SECONDS", -1.0)
    out, (said,) = printed(capsys, *words, "--threads", 3)
    assert (out, alone[1]) == (alone[0], [])
    assert said.startswith(
        f"microgpt: one process scores alone: others cannot be begun here ({why}"
    )


@pytest.mark.parametrize("name", some(["in.csv", "in.txt"], 0))
def test_several_processes_print_the_same_in_the_same_order(
    model: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("microgpt.data.reader.stream.BYTES", 256)
    texts = [f"{a}{b}{c}" for a in TINY for b in TINY for c in TINY[:4]]
    Path("in.txt").write_text("\n".join(texts))
    Path("in.csv").write_text("\n".join(["id,text", *(f'1,"{text}\r\n"' for text in texts)]))
    words = ["score", model.folder, name, "--flag-rate", "0.2", "--format", "csv"]
    words += ["--column", "text"] if name == "in.csv" else []
    alone = printed(capsys, *words, "--threads", 1)
    # They begin at once, and nothing is told until they are there.
    monkeypatch.setattr(processes, "_ALONE_SECONDS", -1.0)
    monkeypatch.setattr(processes.Processes, "ready", True)
    assert printed(capsys, *words, "--threads", 3 if name == "in.txt" else 2) == alone
    if name == "in.csv":
        return
    out, _ = printed(capsys, *words, "--threads", 2, "--sort", "worst")
    assert sorted(out.splitlines()) == sorted(alone[0].splitlines())
    losses = [float(row["loss"]) for row in of_csv(out)]
    assert losses == sorted(losses, reverse=True)
