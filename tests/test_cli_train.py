"""`microgpt train`: its output on a pipe, its files, its summary."""

from __future__ import annotations

import gzip
import io
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from microgpt.cli.app import run
from microgpt.cli.train import progress
from microgpt.data.corpus import Source
from microgpt.engines.scalar import ScalarEngine
from microgpt.runs import checkpoint, log, prepare
from microgpt.training import pace
from microgpt.training.loop import Steps
from tests.conftest import Clock

SMALL = "--n-embd 4 --n-head 1 --block-size 8 --engine scalar"
LINE = re.compile(r"^step (\d+): loss (\d+\.\d{4})( |$)")

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def file(tmp_path: Path, tiny: list[str]) -> None:
    (tmp_path / "t.txt").write_text("\n".join(tiny) + "\n")


def out(capsys: Capture, words: str, code: int = 0) -> str:
    """What a command prints that ends well: all of it on stdout, plain."""
    assert run(words.split()) == code
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "\x1b" not in printed.out
    assert "\r" not in printed.out
    return printed.out


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def lines(folder: str) -> list[dict[str, Any]]:
    return objects(Path(folder, "log.jsonl").read_text("utf-8"))


def test_a_pipe_gets_a_line_for_each_report_and_none_is_redrawn(capsys: Capture) -> None:
    printed = out(capsys, f"train t.txt {SMALL} --steps 60 --out r")
    steps = [line for line in printed.splitlines() if line.startswith("step ")]
    found = [LINE.match(line) for line in steps]
    numbers = [int(match[1]) for match in found if match]
    assert len(numbers) == len(steps) >= 5
    assert numbers == sorted(set(numbers))
    assert (numbers[0], numbers[-1]) == (1, 60)


@pytest.mark.parametrize("holdout", [0, 0.2])
def test_the_printed_losses_are_those_of_the_log_since_the_line_before(
    capsys: Capture, holdout: float
) -> None:
    words = f"train t.txt {SMALL} --steps 23 --log-every 5 --holdout {holdout} --out r"
    printed = out(capsys, words)
    trained = {line["step"]: line for line in lines("r") if "loss" in line}
    told = {}
    for line in printed.splitlines():
        match = LINE.match(line)
        if match:
            told[int(match[1])] = match[2]
    # The first step is told of by itself, and is then not in the line of the fifth.
    for step in (10, 15, 20, 23):
        assert told[step] == f"{trained[step]['loss']:.4f}"


def test_a_line_a_step_is_the_same_however_steps_are_chunked_and_a_chunk_s_are_written_at_once(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"train t.txt {SMALL} --steps 40 --holdout 0.3 --ngram 2 --log-every 1 --out"
    printed: list[list[str]] = []
    written: list[str] = []
    monkeypatch.setattr(progress, "say", lambda text, at_once: written.append(text))
    for chunk in (0.0, 100.0):  # a step each; as far as the next evaluation
        monkeypatch.setattr(pace, "CHUNK_SECONDS", chunk)
        written.clear()
        out(capsys, f"{words} {chunk}")
        printed.append("\n".join(written).splitlines())
    assert len(written) < 25  # of ten chunks
    first, second = ([re.sub(" · [^ ]+ tok/s", "", line) for line in its] for its in printed)
    assert first == second
    assert [line.split(":")[0] for line in first] == [f"step {n}" for n in range(1, 41)]
    for line, kept in zip(first, (line for line in lines("0.0") if "loss" in line)):
        assert f": loss {kept['loss']:.4f}  " in line
        assert f"lr {kept['lr']:.4f}" in line
    assert sum("val: GPT alone" in line for line in first) == 10


def test_a_line_says_bits_rate_and_held_out_loss(capsys: Capture) -> None:
    words = f"train t.txt {SMALL} --steps 20 --holdout 0.2 --lr 0.5 --out r"
    pattern = re.compile(r"step (\d+): loss ([\d.]+)  val ([\d.]+) · ([\d.]+) bits · lr ([\d.]+)")
    found = [pattern.match(line) for line in out(capsys, words).splitlines()]
    held = {line["step"]: line["heldout"]["loss"] for line in lines("r") if "heldout" in line}
    told = [match.groups() for match in found if match]
    assert len(told) >= 5
    for step, loss, val, bits, lr in told:
        assert val == f"{held[int(step)]:.4f}"
        assert float(bits) == pytest.approx(float(loss) / math.log(2), abs=0.006)
        assert float(lr) == pytest.approx(0.5 * (21 - int(step)) / 20, abs=1e-4)


@pytest.mark.parametrize("every", [1, 4])
def test_json_lines_are_those_of_the_log_and_a_summary_at_the_end(
    capsys: Capture, every: int
) -> None:
    words = f"train t.txt {SMALL} --steps 18 --holdout 0.2 --log-every {every} --json --out r"
    *told, summary = objects(out(capsys, words))
    assert told == lines("r")
    assert set(next(line for line in told if "loss" in line)) == {
        "step",
        "loss",
        "positions",
        "lr",
        "seconds",
    }
    assert (summary["run"], summary["steps"]) == ("r", 18)
    assert set(summary["baselines"]) == {"uniform", "unigram", "bigram", "ngram", "model"}
    assert summary["samples"] == Path("r", "samples.txt").read_text("utf-8").split("\n")[:-1]


@pytest.mark.slow
def test_json_lines_say_which_state_was_kept_and_what_the_gpt_alone_costs(capsys: Capture) -> None:
    words = f"train t.txt {SMALL} --holdout 0.3 --steps 200 --batch-size 2 --lr 0.1 --ngram 2"
    assert run([*words.split(), "--json", "--out", "r"]) == 0
    *told, summary = objects(capsys.readouterr().out)
    assert told == lines("r")
    last = told[-1]["heldout"]
    assert last["kept"] < 200
    assert list(last) == ["loss", "gpt", "positions", "standard_error", "kept"]
    assert summary["gpt"] == last["gpt"] > last["loss"] == summary["baselines"]["model"]


def test_json_lines_of_a_resumed_training_are_those_that_the_log_has_of_it(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "CHUNK_SECONDS", 0.0)
    small: dict[str, Any] = {"n_embd": 4, "n_head": 1, "block_size": 8, "engine": "scalar"}
    with prepare.new(Source(files=("t.txt",)), out=Path("r"), steps=18, log_every=5,
                     preset_name="microgpt", **small) as session:  # fmt: skip
        for event in session:
            if isinstance(event, Steps) and event.last == 7:
                session.stop()
        at = session.updates
    *told, _ = objects(out(capsys, "train --resume r --json"))
    assert told == [line for line in lines("r") if line["step"] > at]
    assert (at, told[0]["step"]) == (7, 10)


def test_the_opening_says_what_is_learnt_from_and_with(capsys: Capture, tiny: list[str]) -> None:
    printed = out(capsys, f"train t.txt {SMALL} --steps 1 --holdout 0.2 --n-layer 2 --out r")
    kept = re.search(r"20 documents · (\d+) to learn from, (\d+) held out · 8 tokens", printed)
    assert kept is not None
    assert int(kept[1]) + int(kept[2]) == 20
    assert "".join(sorted(set("".join(tiny)))) == "abdelno"
    # By hand: three times 8*4, and twice 4*16 + 2*64.
    assert "2 layers, 1 head, width 4, block 8 · 480 parameters · scalar engine" in printed
    assert "Guessing blindly costs ln 8 = 2.08 nats a character." in printed


def test_the_closing_says_loss_ladder_samples_and_what_to_do_next(capsys: Capture) -> None:
    printed = out(capsys, f"train t.txt {SMALL} --steps 60 --out r")
    nats = log.read(Path("r")).tail(50)
    sentence = (
        f"Mean of the last 50 steps: {nats.mean:.4f} nats a character = "
        f"{nats.nats / nats.positions / math.log(2):.2f} bits = "
        f"as unsure as a choice among {math.exp(nats.mean):.1f}"
    )
    assert sentence in printed.splitlines()
    rungs = next(line for line in printed.splitlines() if "┃" in line).split("┃")
    values = [float(match[1]) for match in (re.search(r"(\d+\.\d\d)", r) for r in rungs) if match]
    assert values == sorted(values, reverse=True)
    assert sum("this model" in rung for rung in rungs) == 1
    words = next(line for line in printed.splitlines() if line.startswith("Samples: "))
    samples = Path("r", "samples.txt").read_text("utf-8").splitlines()
    assert len(samples) == 20
    assert all(sample in words for sample in samples[:8])
    assert "Saved in r." in printed
    for command in ("sample", "score", "why"):
        assert f"microgpt {command} r" in printed


def test_a_starred_sample_stands_in_the_training_data(capsys: Capture) -> None:
    Path("one.txt").write_text("a\n" * 5)
    printed = out(capsys, f"train one.txt {SMALL} --steps 80 --lr 0.1 --out r")
    assert "a*" in printed
    assert "(* stands in the training data)" in printed


def test_what_is_cut_windowed_or_blank_is_said(capsys: Capture) -> None:
    Path("long.txt").write_text("abcdefgh\nabcdefghij\n\n  \nab\n")
    cut = out(capsys, f"train long.txt {SMALL} --steps 1 --out cut")
    # A block of 8 keeps eight characters of a document; the tenth and ninth of one are dropped.
    assert "2 characters over the block of 8 cut." in cut.splitlines()
    assert "2 blank lines skipped." in cut.splitlines()
    windowed = out(capsys, f"train long.txt {SMALL} --long window --steps 1 --out windowed")
    assert "2 documents over the block of 8 read in windows." in windowed.splitlines()
    assert "cut." not in windowed


def test_a_run_is_named_after_its_file_and_numbered(capsys: Capture) -> None:
    for number in (1, 2):
        assert f"Saved in runs/t-{number}." in out(capsys, f"train t.txt {SMALL} --steps 1")


def test_bytes_are_called_bytes_and_not_characters(capsys: Capture) -> None:
    printed = out(capsys, f"train t.txt {SMALL} --tokenizer bytes --steps 2 --out r")
    assert "257 tokens (any text, BOS)" in printed
    assert "nats a byte" in printed
    assert "nats a character" not in printed


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "gz", "stdin", "two", "latin", "stream"])
def test_every_form_of_data_is_the_same_data(
    capsys: Capture, tiny: list[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    text, words = "\n".join(tiny), f"data.{kind}"
    if kind in ("csv", "tsv"):
        comma = "," if kind == "csv" else "\t"
        Path(words).write_text(f"id{comma}name\n" + "".join(f'1{comma}"{t}"\n' for t in tiny))
        words += " --column name"
    elif kind == "jsonl":
        Path(words).write_text("".join(json.dumps({"n": t}) + "\n" for t in tiny))
        words += " --field n"
    elif kind == "gz":
        Path(words).write_bytes(gzip.compress(text.encode()))
    elif kind == "stdin":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        words = "-"
    elif kind == "two":
        Path("a.txt").write_text("\n".join(tiny[:7]))
        Path("b.txt").write_text("\r\n".join(tiny[7:]))
        words = "a.txt b.txt"
    elif kind == "latin":
        Path("latin").write_bytes(text.replace("o", "é").encode("latin-1"))
        words = "latin --encoding latin-1"
    else:
        Path("stream").write_text("".join(tiny))
        words = "stream --stream --long window"
    out(capsys, f"train {words} {SMALL} --steps 1 --out r")
    settings, tokens = checkpoint.read_settings(Path("r"))
    counts = Counter("".join(tiny).replace("o", "é") if kind == "latin" else "".join(tiny))
    assert tokens.to_json()["characters"] == "".join(sorted(counts))
    assert tokens.to_json()["counts"] == [counts[c] for c in sorted(counts)]
    assert settings.documents == (1 if kind == "stream" else 20)


def test_a_budget_in_seconds_replaces_the_steps(
    capsys: Capture, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.steps_take(2**-6, ScalarEngine, monkeypatch)
    out(capsys, f"train t.txt {SMALL} --preset microgpt --seconds 0.5 --out r")
    told = log.read(Path("r"))
    assert (told.steps, told.seconds) == (32, 0.5)
    first, *_, last = (line["lr"] for line in told.lines)
    assert last == pytest.approx(first / 32)
    out(capsys, f"train t.txt {SMALL} --seconds 60 --steps 7 --out s")
    assert log.read(Path("s")).steps == 7


def test_a_run_on_standard_input_does_not_read_it_again(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ada\nbea\n")))
    out(capsys, f"train - {SMALL} --steps 1 --out r")
    # What comes now is for someone else: a terminal would wait for it.
    rest = io.BytesIO(b"not for this\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(rest))
    for words in (["sample", "r", "-n", "1"], ["score", "r", "ada"], ["plot", "r"]):
        assert run(words) == 0
        assert rest.tell() == 0, words


@pytest.mark.skipif(os.name != "posix", reason="a shell is POSIX")
def test_without_an_output_a_training_goes_on_all_the_same() -> None:
    words = f"{sys.executable} -m microgpt train t.txt {SMALL} --steps 1 --out r"
    done = subprocess.run(["sh", "-c", f"exec {words} >&-"], stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert log.read(Path("r")).steps == 1
