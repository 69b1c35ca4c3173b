"""`microgpt evaluate` as JSON and as tables: both are complete, and agree."""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt.cli.app import run
from microgpt.evaluation.record import record
from microgpt.evaluation.rules import RULES
from tests.conftest import TINY, out

Capture = pytest.CaptureFixture[str]
TEXTS = [*TINY, "noé", "b" * 30, "lena and ada", "é😀"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts, and a run of letters, one of bytes, one that held none out."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "t.txt").write_text("\n".join(TINY * 3 + ["an an"]) + "\n")
    (folder / "other.txt").write_text("\n".join(TEXTS) + "\n", "utf-8")
    (folder / "one.txt").write_text("lena\n")
    small = "--n-embd 4 --n-head 1 --block-size 6 --engine scalar --preset microgpt-v1"
    for name, words in (
        ("letters", "--holdout 0.3 --steps 30"),
        ("bytes", "--holdout 0.3 --steps 5 --tokenizer bytes"),
        ("all", "--holdout 0 --steps 5"),
    ):
        out = folder / "runs" / name
        assert run(f"train {folder / 't.txt'} {small} {words} --out {out}".split()) == 0
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(home)
    monkeypatch.delenv("COLUMNS", raising=False)
    capsys.readouterr()


def told(capsys: Capture, words: str) -> dict[str, Any]:
    def no_number(name: str) -> None:
        pytest.fail(f"{name} is no JSON")

    object_: dict[str, Any] = json.loads(out(capsys, words + " --json"), parse_constant=no_number)
    return object_


COMMANDS = (
    "evaluate letters other.txt", "evaluate letters", "evaluate bytes other.txt", "evaluate all",
    "evaluate letters one.txt", "evaluate letters other.txt --limit 1",
)  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS)
def test_json_holds_all_of_it_and_its_lists_add_up_to_the_last_bit(
    capsys: Capture, words: str
) -> None:
    one = told(capsys, words)
    by_document = one["by_document"]
    lists = {
        "position": one["by_position"], "character": one["by_character"],
        "length": one["by_length"],
        "document": [*by_document["best"], by_document["others"], *by_document["worst"]],
    }  # fmt: skip
    for name, parts in lists.items():
        assert sum(Fraction(part["nats"]) for part in parts) == Fraction(one["nats"]), name
        assert sum(part["positions"] for part in parts) == one["positions"], name
        for part in parts:
            if part["positions"]:
                assert part["loss"] == part["nats"] / part["positions"]
    hits = [
        sum(p["hits"] for p in one[f"by_{what}"]) for what in ("position", "character", "length")
    ]
    assert hits == [round(one["accuracy"] * one["positions"])] * 3
    wrong = sum(c["positions"] for c in one["confusions"])
    assert wrong == one["positions"] - hits[0]
    assert sum(part["documents"] for part in one["by_length"]) == one["documents"]
    for document in (*by_document["best"], *by_document["worst"]):
        span = document["span"]
        assert span["text"] == document["text"][span["start"] : span["stop"]]
    every = one["calibration"]
    assert sum(b["hits"] for b in every["bins"]) == one["positions"] - one["unknown"]
    assert every["low"] <= every["error"] <= every["high"]
    marks = one["scores"]
    assert marks["log"] == one["loss"]
    assert 0.0 <= marks["brier"] <= 2.0
    assert 0.0 <= marks["spherical"] <= 1.0
    assert set(one["temperature"]) == {"value", "gain", "positions"}
    assert (one["temperature"]["gain"] is None) == (one["documents"] == 1)
    assert set(one["baselines"]) >= {"uniform", "unigram", "bigram"}


@pytest.mark.parametrize("words", COMMANDS)
def test_what_is_printed_is_what_json_tells(capsys: Capture, words: str) -> None:
    printed, one = out(capsys, words), told(capsys, words)
    assert "nan" not in printed
    lines = [line.split() for line in printed.splitlines()]
    rungs = {"blind": "uniform", "letters": "unigram", "pairs": "bigram", "xz": "xz"}
    if one.get("ngram_n"):
        rungs[f"{one['ngram_n']}-grams"] = "ngram"
    assert set(rungs.values()) >= set(one["baselines"])
    means = [*one["baselines"].values(), one["loss"]]
    table = [line for line in lines if line and (line[0] in rungs or line[:2] == ["this", "model"])]
    shown = [line[2:] if line[0] == "this" else line[1:] for line in table][: len(means)]
    assert [float(row[0]) for row in shown] == [round(x, 4) for x in sorted(means, reverse=True)]
    n_bytes = one["bits"] * one["positions"] / one["bits_per_byte"]
    for row, mean in zip(shown, sorted(means, reverse=True)):
        assert row[1] == f"{mean / math.log(2):.3f}"
        assert row[2] == f"{mean * one['positions'] / math.log(2) / n_bytes:.3f}"
        assert row[3] == f"{math.exp(mean):.1f}"
    for part in (*one["by_position"], *one["by_length"]):
        name = part.get("position") or part.get("length")
        row = [name, f"{part['loss']:.4f}", f"{part['positions']:,}"]
        assert any(line[:3] == row for line in lines), row
    for b in one["calibration"]["bins"]:
        row = [f"{b['predictions']:,}", f"{b['p']:.4f}", f"{b['observed']:.4f}"]
        assert any(line[:3] == row for line in lines), row
    for rule, value in zip(RULES, one["scores"].values()):
        (line,) = [line for line in printed.splitlines() if line.startswith(f"{rule.name} ")]
        assert re.search(rf" {value:.4f} +{rule.better} +{re.escape(rule.proper)} +", line)
    assert f"= as unsure as a choice among {one['perplexity']:.1f}" in printed


def test_bits_a_byte_count_every_byte_of_utf_8_and_one_for_each_end(capsys: Capture) -> None:
    n_bytes = sum(len(text.encode()) + 1 for text in TEXTS)
    assert n_bytes == sum(len(text) + 1 for text in TEXTS) + 1 + 4
    letters, of_bytes = (
        told(capsys, f"evaluate {name} other.txt") for name in ("letters", "bytes")
    )
    assert letters["positions"] == n_bytes - 5
    assert letters["bits_per_byte"] == pytest.approx(letters["nats"] / math.log(2) / n_bytes)
    assert of_bytes["positions"] == n_bytes
    assert of_bytes["bits_per_byte"] == pytest.approx(of_bytes["bits"])


def test_json_is_what_python_has(capsys: Capture) -> None:
    loaded = microgpt.load("runs/letters")
    expected = json.loads(json.dumps(record(loaded.evaluate())))
    one = told(capsys, "evaluate letters")
    assert {name: one[name] for name in expected} == expected
    baselines = loaded.baselines(loaded.documents[1])
    assert one["baselines"] == {name: total.mean for name, total in baselines.items()}
    assert one["ngram_n"] == loaded.ngram.n


def test_of_one_document_no_gain_is_told(capsys: Capture) -> None:
    one = told(capsys, "evaluate letters one.txt")
    assert one["temperature"]["gain"] is None
    printed = out(capsys, "evaluate letters one.txt")
    assert re.search(
        r"^Fitted temperature \d+\.\d{3} \(.*\); there are no other", printed, re.MULTILINE
    )


def test_where_nothing_is_known_nothing_is_said_of_honesty(capsys: Capture) -> None:
    Path("strange.txt").write_text("ÿ\n", "utf-8")
    # The end alone can be told.
    assert told(capsys, "evaluate letters strange.txt")["temperature"]["positions"] == 1
    assert "1 character unknown to the model" in out(capsys, "evaluate letters strange.txt")


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_a_narrow_window_folds_and_loses_no_number(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    printed = out(capsys, "evaluate letters other.txt")
    one = told(capsys, "evaluate letters other.txt")
    joined = re.sub(r"\s+", "", printed)
    for part in (*one["by_position"], *one["by_length"]):
        assert f"{part['loss']:.4f}" in joined
    assert "…" not in re.sub(r"[^\n]*\[[^\n]*\][^\n]*", "", printed)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("evaluate letters --limit 0", "limit must be a whole number from 1; got 0."),
        ("evaluate letters --limit -3", "limit must be a whole number from 1; got -3."),
        ("evaluate letters nothing.txt", "nothing.txt: no such file."),
        ("evaluate nobody", "nobody"),
        ("evaluate letters empty.txt", "empty.txt"),
    ],
)
def test_mistakes_are_said_in_one_sentence(capsys: Capture, words: str, message: str) -> None:
    Path("empty.txt").write_text("\n\n")
    assert run(words.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("microgpt: ")
    assert message in printed.err
    assert "Traceback" not in printed.err
