"""A training without a useful model says so and fails; one that is merely short succeeds."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt.cli.app import run
from microgpt.config import TrainConfig
from microgpt.errors import TrainingWarning
from microgpt.wording import figures, rates

from .conftest import some

Capture = pytest.CaptureFixture[str]

SMALL = "--preset microgpt --n-embd 4 --n-head 1 --block-size 8 --engine scalar"
SHAPE: dict[str, Any] = {
    "preset": "microgpt", "n_embd": 4, "n_head": 1, "block_size": 8, "engine": "scalar",
}  # fmt: skip


@pytest.fixture(autouse=True)
def file(tmp_path: Path, tiny: list[str]) -> None:
    (tmp_path / "t.txt").write_text("\n".join(tiny) + "\n")


def trained(capsys: Capture, words: str, code: int) -> tuple[str, str]:
    """Train; check the exit code and return what is printed on stdout and on stderr."""
    assert run(f"train t.txt {words}".split()) == code
    told = capsys.readouterr()
    return told.out, told.err


@pytest.mark.parametrize(
    "more", some(["--lr 10", "--lr 1000", "--lr 10 --steps 300", "--lr 1e6"], 0, 3)
)
def test_a_training_that_ends_above_blind_guessing_says_so_and_is_no_success(
    capsys: Capture, more: str
) -> None:
    more = more if "--steps" in more else f"{more} --steps 60"
    out, err = trained(capsys, f"{SMALL} {more} --out r", 1)
    tail = microgpt.load("r").log.tail(50).mean
    assert tail > math.log(8)
    first = microgpt.load("r").log.lines[0]["loss"]
    rate = float(more.split()[1])
    assert err == (
        f"microgpt: the loss ended at {figures(tail)} nats: blind guessing costs 2.08, and it "
        f"began at {first:.2f}. Try a smaller learning rate than --lr {rate:g}.\n"
    )
    assert "Saved in r." in out


def test_with_json_the_verdict_is_on_stderr_and_the_lines_stay_json(capsys: Capture) -> None:
    out, err = trained(capsys, f"{SMALL} --lr 100 --steps 60 --json --out r", 1)
    assert all(isinstance(json.loads(line), dict) for line in out.splitlines())
    assert err.startswith("microgpt: the loss ended at ")


def test_counts_do_not_hide_that_the_gpt_diverged(capsys: Capture) -> None:
    words = f"{SMALL} --lr 100 --steps 60 --holdout 0.3 --ngram 2 --json --out r"
    out, err = trained(capsys, words, 1)
    summary = json.loads(out.splitlines()[-1])
    assert summary["baselines"]["model"] < math.log(8) < summary["gpt"]
    assert summary["weight"] > 0.5
    diverged, counted = err.splitlines()
    assert diverged.endswith("Try a smaller learning rate than --lr 100.")
    assert counted.startswith(f"microgpt: counts of 2 characters ({100 * summary['weight']:.0f} %)")
    assert "weigh more than the GPT" in counted


def test_what_a_first_and_only_update_did_is_seen_on_held_out_documents(capsys: Capture) -> None:
    _, err = trained(capsys, f"{SMALL} --lr 1000 --steps 1 --holdout 0.3 --out r", 1)
    assert "Try a smaller learning rate than --lr 1000." in err


@pytest.mark.parametrize("steps", some([1, 2, 5, 60], 0, 3))
@pytest.mark.parametrize(
    "documents",
    [
        ["a"] * 5,
        ["ab", "ba", "aabb"],
        [chr(0x4E00 + i * 7 % 150) + chr(0x4E00 + i) for i in range(150)],
        # Nothing to be learnt: the best loss is that of blind guessing, or nearly.
        ["".join(chr(97 + (i * i + 7 * i * k + k**3) % 26) for k in range(12)) for i in range(90)],
    ],
    ids=["one text", "two letters", "many letters", "noise"],
)
def test_a_training_that_is_short_or_has_little_to_learn_is_no_failure(
    capsys: Capture, documents: list[str], steps: int
) -> None:
    for seed in (1, 2) if steps < 60 else (1,):
        Path("t.txt").write_text("\n".join(documents), "utf-8")
        _, err = trained(capsys, f"{SMALL} --steps {steps} --seed {seed} --out r{seed}", 0)
        assert err == ""


@pytest.mark.slow
def test_an_objective_that_leaves_what_is_sure_and_wrong_is_blamed_itself(capsys: Capture) -> None:
    _, err = trained(capsys, f"{SMALL} --loss linear --lr 0.1 --steps 400 --out r", 1)
    assert "1 - p does not push on what is sure and wrong. Try --loss cross-entropy." in err


def test_a_loss_that_began_too_high_blames_no_rate(capsys: Capture) -> None:
    _, err = trained(capsys, f"{SMALL} --init-std 4 --lr 0.001 --steps 80 --out r", 1)
    assert "It began too high: try a smaller --init-std, or more steps." in err
    assert "rate" not in err


def test_a_diverged_training_that_is_resumed_is_still_no_success(capsys: Capture) -> None:
    _, err = trained(capsys, f"{SMALL} --lr 100 --steps 60 --out r", 1)
    assert run(["train", "--resume", "r"]) == 1
    assert capsys.readouterr().err == err


def test_a_loss_that_is_no_number_is_no_success_and_the_rate_that_was_set_is_named(
    capsys: Capture,
) -> None:
    _, err = trained(capsys, f"{SMALL} --lr 1e200 --steps 60 --out r", 1)
    assert re.fullmatch(
        r"microgpt: the loss became (nan|infinite) at step \d+\. Try a smaller learning rate than "
        r"--lr 1e\+200; the last good checkpoint is r \(step \d+\)\.\n",
        err,
    )


def test_of_two_rates_the_one_that_was_asked_for_is_named(capsys: Capture) -> None:
    words = f"{SMALL} --optimizer muon --muon-lr 1e300 --steps 60 --out r"
    _, err = trained(capsys, words, 1)
    assert "than --muon-lr 1e+300;" in err
    both = TrainConfig(optimizer="muon", lr=0.1, muon_lr=0.2)
    assert rates(both) == "--lr 0.1 and --muon-lr 0.2"
    assert rates(both, {"lr": 0.1, "muon_lr": 0.2}) == rates(both)
    assert rates(TrainConfig(lr=0.1, muon_lr=5.0), {"muon_lr": 5.0}) == "--lr 0.1"


def test_in_python_it_is_a_warning(tiny: list[str]) -> None:
    with pytest.warns(TrainingWarning, match=r"^the loss ended at .* than --lr 100\.$"):
        microgpt.train(tiny, steps=60, lr=100, out="r", **SHAPE)
    with pytest.warns(TrainingWarning, match="^counts of 1 character .* weigh more than the GPT"):
        microgpt.train(tiny, steps=200, lr=0.05, ngram=1, holdout=0.3, out="s", **SHAPE)


def test_no_number_of_a_diverged_run_is_longer_than_can_be_read(capsys: Capture) -> None:
    out, _ = trained(capsys, f"{SMALL} --lr 1e5 --steps 60 --holdout 0.3 --out r", 1)
    for words in ("evaluate r", "score r ada", "sample r", "runs", "plot r", "why r ada",
                  "score r t.txt"):  # fmt: skip
        assert run(words.split()) == 0, words
        out += capsys.readouterr().out
    assert max(map(len, re.findall(r"\d+", out))) < 15
    assert "e+" in out
