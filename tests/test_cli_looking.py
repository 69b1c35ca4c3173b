"""The commands that look at runs and data: sample, score, evaluate, why, data, plot, runs."""

from __future__ import annotations

import io
import json
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from microgpt.cli.app import run
from microgpt.cli.front import COMMANDS
from tests.conftest import out

Capture = pytest.CaptureFixture[str]
CORPUS = ["ada", "alan", "anna", "bea", "ben", "bob", "dana", "dean", "eba", "lea", "lena", "noa"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file and two runs, the second without held-out documents."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "t.txt").write_text("\n".join(CORPUS) + "\n")
    (folder / "other.txt").write_text("ada\nxyz\n\nlea\n")
    small = "--n-embd 4 --n-head 1 --block-size 6 --engine scalar"
    for number, words in ((1, "--holdout 0.3 --steps 30"), (2, "--lr 0.02 --steps 25")):
        out = folder / "runs" / f"t-{number}"
        assert run(f"train {folder / 't.txt'} {small} {words} --out {out}".split()) == 0
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(home)
    capsys.readouterr()


def objects(capsys: Capture, words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out(capsys, words).splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(capsys: Capture, command: str) -> None:
    text = out(capsys, f"{command} --help")
    example = re.search(rf"^Example: microgpt {command}\b.*$", text, re.MULTILINE)
    assert example is not None
    assert text.isascii()


def test_help_and_version_are_no_mistakes(capsys: Capture) -> None:
    for words in ("--help", "-h", ""):
        assert all(f"{name}:" in out(capsys, words) for name in COMMANDS)
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", out(capsys, "--version"))


def test_samples_are_told_with_loss_and_whether_they_were_seen(capsys: Capture) -> None:
    told = objects(capsys, "sample t-2 --json -n 30")
    assert len(told) == 30
    for one in told:
        assert {"text", "loss", "seen"} <= set(one)
        assert one["seen"] == (one["text"] in CORPUS)
    # A sample that ended costs what `score` says of its text.
    ended = [one for one in told if one["ended"] == "end" and one["text"]][:5]
    assert ended
    scores = objects(capsys, f"score t-2 --json --text {' '.join(one['text'] for one in ended)}")
    assert [one["loss"] for one in ended] == pytest.approx([one["loss"] for one in scores])
    texts = [line.split()[0].rstrip("*…") for line in out(capsys, "sample t-2 -n 30").splitlines()]
    assert texts[:30] == [one["text"] or "(empty)" for one in told]


def test_new_samples_are_not_in_the_training_data(capsys: Capture) -> None:
    told = objects(capsys, "sample t-2 --json --new -n 20 --prompt a")
    assert len(told) == 20
    assert all(one["text"].startswith("a") and not one["seen"] for one in told)
    assert not {one["text"] for one in told} & set(CORPUS)


def test_a_score_has_the_fields_of_the_format_and_prices_the_end(capsys: Capture) -> None:
    (told,) = objects(capsys, "score t-1 --json lena")
    assert {"text", "loss", "nats", "positions", "bits", "characters"} <= set(told)
    assert [c["char"] for c in told["characters"]] == ["l", "e", "n", "a", None]
    assert all({"char", "nats", "p"} <= set(c) for c in told["characters"])
    nats = math.fsum(c["nats"] for c in told["characters"])
    assert (told["text"], told["positions"]) == ("lena", 5)
    assert told["nats"] == pytest.approx(nats)
    assert told["loss"] == pytest.approx(nats / 5)
    assert told["bits"] == pytest.approx(nats / 5 / math.log(2))
    for c in told["characters"]:
        assert c["p"] == pytest.approx(math.exp(-c["nats"]))


def test_a_score_goes_on_after_an_unknown_character(capsys: Capture) -> None:
    (told,) = objects(capsys, "score t-2 --json aéa")
    assert [c["char"] for c in told["characters"]] == ["a", "é", "a", None]
    assert [c.get("unknown", False) for c in told["characters"]] == [False, True, False, False]
    # That it is unseen, 1 in 46 by Good and Turing (no letter once, 45 in all), and which of all.
    letters = "".join(CORPUS)
    once = max(1, sum(letters.count(c) == 1 for c in set(letters)))
    price = math.log(0x110000 - 2048 - len(set(letters))) - math.log(once / (len(letters) + 1))
    assert told["characters"][1]["nats"] == pytest.approx(price)
    printed = out(capsys, "score t-2 aéa")
    assert "é?" in printed
    assert f"? unknown to this model: priced at {price:.1f} nats, once for each." in printed


def test_scores_are_sorted_by_loss_when_asked(capsys: Capture) -> None:
    as_given = objects(capsys, "score t-1 --json t.txt zzz")
    assert [one["text"] for one in as_given] == [*CORPUS, "zzz"]
    worst = objects(capsys, "score t-1 --json --sort worst t.txt zzz")
    losses = [one["loss"] for one in worst]
    assert worst[0]["text"] == "zzz"
    assert losses == sorted((one["loss"] for one in as_given), reverse=True)
    assert objects(capsys, "score t-1 --json --sort best t.txt zzz")[-1] == worst[0]


def test_a_word_is_a_file_if_there_is_one_unless_it_is_to_be_text(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    (told,) = objects(capsys, "score t-1 --json --text t.txt")
    assert told["text"] == "t.txt"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ada\r\nlea")))
    assert [one["text"] for one in objects(capsys, "score t-1 --json -")] == ["ada", "lea"]


def test_an_evaluation_has_the_fields_of_the_format(capsys: Capture) -> None:
    (told,) = objects(capsys, "evaluate t-1 other.txt t.txt --json")
    fields = "loss nats positions documents bits perplexity baselines"
    assert set(fields.split(" ")) <= set(told)
    assert told["loss"] == told["nats"] / told["positions"]
    assert told["bits"] == pytest.approx(told["loss"] / math.log(2))
    assert told["perplexity"] == pytest.approx(math.exp(told["loss"]))
    texts = ["ada", "xyz", "lea", *CORPUS]
    assert (told["documents"], told["positions"]) == (15, sum(len(t) + 1 for t in texts))
    assert told["unknown"] == 3
    assert set(told["baselines"]) == {"uniform", "unigram", "bigram", "ngram", "xz"}


def test_an_evaluation_is_the_sum_of_the_scores(capsys: Capture) -> None:
    (told,) = objects(capsys, "evaluate t-1 t.txt --json")
    nats = math.fsum(one["nats"] for one in objects(capsys, "score t-1 t.txt --json"))
    assert told["nats"] == pytest.approx(nats)
    (some,) = objects(capsys, "evaluate t-1 t.txt --json --limit 5")
    assert some["documents"] == 5
    (all_of_them,) = objects(capsys, "evaluate t-1 t.txt --json --limit 12")
    for one in (told, all_of_them):
        assert one["cost"].pop("seconds") > 0.0  # of this time and machine
    assert all_of_them == told


def test_without_a_file_held_out_documents_are_measured_or_else_all(capsys: Capture) -> None:
    (held,) = objects(capsys, "evaluate t-1 --json")
    (all_of_them,) = objects(capsys, "evaluate t-2 --json")
    assert 0 < held["documents"] < 12 == all_of_them["documents"]
    assert (held["on"], all_of_them["on"]) == ("held-out documents", "documents it was trained on")
    log = [json.loads(line) for line in Path("runs/t-1/log.jsonl").read_text().splitlines()]
    closing = log[-1]["heldout"]
    assert held["positions"] == closing["positions"]
    assert held["loss"] == pytest.approx(closing["loss"])
    # Blind is ln V on any text that the model can read.
    assert held["baselines"]["uniform"] == pytest.approx(math.log(8))


def test_why_tells_the_loss_alone_and_on_a_run(capsys: Capture) -> None:
    alone = out(capsys, "why")
    for nats in ("0.00", "0.69", "2.30", "4.61", "9.21"):
        assert nats in alone
    (table,) = objects(capsys, "why --json")
    last = table["table"][-1]
    assert (last["p"], last["nats"]) == (0.0001, pytest.approx(9.2103, abs=1e-4))
    # w(p) (p - 1) with w = 1, p and 2 p (1 - p): sure and wrong, only the first still pushes.
    expected = {"cross-entropy": -0.9999, "linear": -9.999e-5, "quadratic": -1.9996e-4}
    assert last["slopes"] == pytest.approx(expected, rel=1e-4)
    (told,) = objects(capsys, "why t-1 lena --json")
    (score,) = objects(capsys, "score t-1 lena --json")
    assert told["loss"] == pytest.approx(score["loss"])
    printed = out(capsys, "why t-1 lena")
    assert printed.startswith('"lena": what came at each position')
    assert out(capsys, "why loss t-1 lena") == printed
    assert f"{score['nats']:.4f} / 5 = {score['loss']:.4f} nats a character" in printed


def test_a_mistyped_idea_is_answered_with_the_idea_that_was_meant(capsys: Capture) -> None:
    for words, meant in (
        ("why softmx t-1 lena", 'got "softmx". Did you mean softmax?'),
        ("why atention", "Did you mean the idea attention?"),
        ("why softmax --json", "microgpt why softmax RUN TEXT --json"),
    ):
        assert run(words.split()) == 2
        assert capsys.readouterr().err.endswith(f"{meant}\n")


def test_data_counts_what_is_there(capsys: Capture) -> None:
    Path("d.txt").write_text("ab\nabba\n \nab\nc\n")
    (told,) = objects(capsys, "data d.txt --json --holdout 0")
    counts = {"documents": 4, "duplicates": 1, "blank": 1, "blank_characters": 1, "characters": 9}
    assert counts.items() <= told.items()
    assert told["most_common"] == {"text": "ab", "times": 2}
    assert (told["train"], told["held_out"], told["bytes"]) == (4, 0, 9)
    assert told["alphabet"] == {"a": 4, "b": 4, "c": 1}
    assert (told["lengths"]["0%"], told["lengths"]["100%"]) == (1, 4)
    assert told["losses"]["uniform"] == pytest.approx(math.log(4))
    # 13 positions: four a, four b, one c, four ends, by Witten and Bell's rule with 4 types of 4.
    unigram = -(12 * math.log(5 / 17) + math.log(2 / 17)) / 13
    assert told["losses"]["unigram"] == pytest.approx(unigram)
    block = {b["block_size"]: b for b in told["blocks"]}[8]
    assert (block["longer"], block["windows"], block["dropped_by_cut"]) == (0, 4, 0)
    assert "4 documents · 9 characters" in out(capsys, "data d.txt")


def test_a_plot_on_a_pipe_is_plain_text_with_the_baselines(capsys: Capture) -> None:
    printed = out(capsys, "plot t-1 t-2")
    assert "runs/t-1: " in printed
    assert "runs/t-2: " in printed
    assert "Level lines: blind 2.08" in printed
    (told,) = objects(capsys, "plot t-1 --json")
    log = [json.loads(line) for line in Path("runs/t-1/log.jsonl").read_text().splitlines()]
    assert told["curves"][0]["losses"] == pytest.approx([x["loss"] for x in log if "loss" in x])


@pytest.mark.slow
def test_a_plot_is_saved_as_png_or_svg(capsys: Capture, tmp_path: Path) -> None:
    for name in ("a.png", "a.SVG"):
        assert out(capsys, f"plot t-1 t-2 --save {tmp_path / name}").startswith("Saved in ")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert ET.parse(tmp_path / "a.SVG").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_runs_lists_them_all_and_tells_two_apart(capsys: Capture) -> None:
    told = objects(capsys, "runs --json")
    assert [(one["run"], one["steps"]) for one in told] == [("runs/t-1", 30), ("runs/t-2", 25)]
    assert told[1]["heldout"] is None
    assert told[0]["heldout"] is not None
    table = out(capsys, "runs")
    assert all(f"{one['loss']:.4f}" in table for one in told)
    (pair,) = objects(capsys, "runs t-1 t-2 --json")
    assert {name: pair["differs"][name] for name in ("lr", "holdout", "steps")} == {
        "lr": [0.01, 0.02], "holdout": [0.3, 0.0], "steps": [30, 25],
    }  # fmt: skip
    assert "n_embd" not in pair["differs"]
    printed = out(capsys, "runs t-1 t-2")
    assert re.search(r"^lr +0\.0100 +0\.0200 +\+0\.0100 *$", printed, re.MULTILINE)
    assert re.search(r"^steps +30 +25 +-5 *$", printed, re.MULTILINE)


def test_a_run_on_bytes_says_what_a_byte_costs(capsys: Capture, tmp_path: Path) -> None:
    words = (
        f"--tokenizer bytes --steps 2 --block-size 6 --n-embd 4 --n-head 1 --out {tmp_path / 'b'}"
    )
    assert run(f"train t.txt --engine scalar {words}".split()) == 0
    capsys.readouterr()
    for command in ("score {} anna", "sample {}", "why {} anna", "plot {}", "runs {} --sort loss"):
        printed = out(capsys, command.format(tmp_path / "b"))
        assert "nats a byte" in printed
        assert "nats a character" not in printed


def test_json_is_json_where_the_output_cannot_show_every_character() -> None:
    command = [sys.executable, "-m", "microgpt", "score", "t-2", "--json", "é\u2028😀"]
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, capture_output=True, env=env, check=True)
    assert json.loads(done.stdout)["text"] == "é\u2028😀"
