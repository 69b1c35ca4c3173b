"""`microgpt why good-loss` and `why tensors`: the ideas that are about the whole model.

Oracles: closed forms, a jackknife over documents, sums in float32 term by term, the ladder and the
evaluation that other commands print, each engine by itself.
"""

from __future__ import annotations

import json
import math
import re
import statistics
import warnings
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.cli.why import good_loss, tensors
from microgpt.cli.why.subject import Subject
from microgpt.data.batch import Batch
from microgpt.engines.contract import Floats
from microgpt.errors import MissingExtra, TrainingWarning
from microgpt.scoring.price import Pricer

from .conftest import TINY, hair, out, shown, some

Capture = pytest.CaptureFixture[str]

KINDS: dict[str, dict[str, Any]] = {
    "chars": {"preset": "microgpt", "holdout": 0.3, "block_size": 16},
    "micro": {"preset": "micro", "n_head": 2, "holdout": 0.3, "block_size": 5},
    "bytes": {"preset": "microgpt", "tokenizer": "bytes", "holdout": 0.3, "block_size": 16},
    "masks": {"preset": "microgpt", "mask": "digits", "holdout": 0.3, "block_size": 16},
    "counts": {"preset": "microgpt", "ngram": 2, "holdout": 0.3, "block_size": 16},
    "seen": {"preset": "microgpt", "holdout": 0.0, "block_size": 16},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each kind."""
    folder = tmp_path_factory.mktemp("whole")
    texts = [*TINY, *(a + b for a in TINY for b in TINY[:4]), *(f"{a} {len(a)}" for a in TINY)]
    (folder / "t.txt").write_text("\n".join(texts))
    for name, settings in KINDS.items():
        with warnings.catch_warnings():  # so short a training warns that counts weigh more
            warnings.simplefilter("ignore", TrainingWarning)
            microgpt.train(
                folder / "t.txt", steps=30, n_embd=8, out=folder / "runs" / name, **settings
            )
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setattr(tensors, "MANY", 2)
    capsys.readouterr()


def test_blind_guessing_costs_ln_v_and_an_error_falls_with_the_square_root(
    capsys: Capture,
) -> None:
    printed = out(capsys, "why good-loss")
    for V in good_loss.CHOICES:
        row = rf"^ *{V:,} +{math.log(V):.4f} +{math.log2(V):.3f} +{V:,}\.0$"
        assert re.search(row, printed, re.MULTILINE)
    for n in (1, 4, 16, 64):
        nats = [1.0, 2.0, 2.0, 3.0] * n
        error = statistics.stdev(nats) / math.sqrt(len(nats))
        assert re.search(rf"^ *{4 * n} +{error:.3f} +{2 * error:.3f}$", printed, re.MULTILINE)


def _jackknife(nats_D: Floats, positions_D: Floats) -> float:
    """The standard error of a ratio of sums, by leaving each document out."""
    n = len(nats_D)
    left = (nats_D.sum() - nats_D) / (positions_D.sum() - positions_D)
    return math.sqrt((n - 1) / n * float(((left - left.mean()) ** 2).sum()))


def test_a_run_s_ladder_errors_and_diagram_are_those_computed_otherwise() -> None:
    run = microgpt.load("chars")
    got = good_loss.numbers(Subject(run, "lena"))
    texts, ladder = list(run.held_out), run.ladder()
    assert {r["name"]: r["nats"] for r in got["rungs"]} == pytest.approx(
        {name: total.mean for name, total, _ in ladder.rungs}
    )
    for rung in got["rungs"]:
        assert rung["bits"] == pytest.approx(rung["nats"] / math.log(2))
        assert rung["perplexity"] == pytest.approx(math.exp(rung["nats"]))
    each = run.losses(texts)
    nats_D = np.array([losses.sum() for losses in each])
    positions_D = np.array([float(len(losses)) for losses in each])
    assert got["loss"] == pytest.approx(nats_D.sum() / positions_D.sum())
    assert got["error"] == pytest.approx(_jackknife(nats_D, positions_D), rel=0.05)
    gain = ladder.baselines["ngram"].mean - got["loss"]
    assert got["ngram"]["gain"] == pytest.approx(gain)
    counts = Pricer(run.ngram, run.tokenizer, 16)
    gain_D = np.array([counts.price([text]).nats_D[0] for text in texts]) - nats_D
    assert got["ngram"]["error"] == pytest.approx(_jackknife(gain_D, positions_D), rel=0.05)
    bins, hits, p = got["calibration"]["bins"], 0, 0.0
    for one in run.scores(texts):
        hits += sum(c.hits for c in one.characters)
    for text in texts:
        ids, bos = run.tokenizer.encode(text)[0], run.tokenizer.bos
        batch = batch_of([bos, *ids], [*ids, bos])
        logits_NV = run.gpt.logits(batch)
        exps = np.exp(logits_NV)
        p += float((exps.max(axis=1) / exps.sum(axis=1)).sum())
    assert sum(b["predictions"] for b in bins) == positions_D.sum()
    assert sum(b["observed"] * b["predictions"] for b in bins) == pytest.approx(hits)
    assert sum(b["p"] * b["predictions"] for b in bins) == pytest.approx(p, rel=1e-5)
    assert got["text"]["loss"] == pytest.approx(float(run.losses(["lena"])[0].mean()))


def test_what_is_printed_of_a_run_has_these_numbers(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = json.loads(out(capsys, "why good-loss chars lena --json"))
    printed = out(capsys, "why good-loss chars lena")
    for rung in got["rungs"]:
        units = rf"{rung['nats']:.4f} +{rung['bits']:.3f} +{rung['perplexity']:.1f}"
        assert re.search(rf"^{rung['name']} +{units}$", printed, re.MULTILINE)
    low, high = (got["loss"] + k * got["error"] for k in (-2, 2))
    assert f"lies between {low:.4f} and {high:.4f}" in printed
    ngram = got["ngram"]
    told = f"{abs(ngram['gain']):.4f} {'lower' if ngram['gain'] > 0 else 'higher'} than"
    assert (
        f"Document by document it is {told} {ngram['n']}-grams, ± {ngram['error']:.4f}" in printed
    )
    for b in got["calibration"]["bins"]:
        picture = re.search(
            rf"^{b['p']:.3f} +{b['observed']:.3f}  ([.po*]+)", printed, re.MULTILINE
        )
        assert picture is not None
        both = {"p": round(20 * b["p"]), "o": round(20 * b["observed"])}
        where = {sign: picture[1].find(sign) for sign in "po"}
        if both["p"] == both["o"]:
            assert picture[1][both["o"]] == "*"
        else:
            assert where == both
    narrow = re.sub(r"\x1b\[[0-9;]*m", "", shown("why good-loss chars lena", 50, monkeypatch))
    assert max(map(len, narrow.splitlines())) <= 50


@pytest.mark.parametrize("kind", some(["counts", "seen", "micro", "bytes", "masks"], 0, 1))
def test_every_kind_of_run_has_its_ladder_and_its_engines(kind: str, capsys: Capture) -> None:
    printed = out(capsys, f"why good-loss {kind} anna")
    assert ("GPT + counts" in printed) == (kind == "counts")
    assert ("they say nothing about new ones" in printed) == (kind == "seen")
    assert ("-grams, ±" in printed) == (kind != "seen")
    for text in ("éa 7", ""):
        assert cli(["why", "tensors", kind, text]) == 0
        assert cli(["why", "good-loss", kind, text]) == 0
    assert ("the GPT alone" in capsys.readouterr().out) == (kind == "counts")


def test_a_run_without_its_documents_says_what_is_missing(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "u.txt").write_text("\n".join(TINY))
    monkeypatch.chdir(tmp_path)
    microgpt.train("u.txt", preset="microgpt", steps=2, n_embd=4, n_head=1, out="r")
    (tmp_path / "u.txt").unlink()
    assert cli(["why", "good-loss", "r", "anna"]) == 2
    assert "u.txt" in capsys.readouterr().err


def test_many_documents_are_drawn_from_and_one_has_no_error(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(good_loss, "MOST", 3)
    monkeypatch.setattr(good_loss, "FEW", 3)
    assert re.match(r"On 3 of \d\d held-out documents, ", out(capsys, "why good-loss chars anna"))
    for most in ("MOST", "FEW"):
        monkeypatch.setattr(good_loss, most, 1)
    printed = out(capsys, "why good-loss chars anna")
    assert "On 1 of " in printed
    assert "tandard error" not in printed


def test_a_sum_in_float32_depends_on_its_order_as_printed(capsys: Capture) -> None:
    printed = out(capsys, "why tensors")
    terms: list[Any] = list(1.0 / np.arange(1, 10_001, dtype=np.float32))
    assert {type(term) for term in terms} == {np.float32}  # and a sum of two is one, too
    lanes = [reduce(add, terms[i::8]) for i in range(8)]
    sums = reduce(add, terms), reduce(add, reversed(terms)), reduce(add, lanes)
    exact = math.fsum(1.0 / i for i in range(1, 10_001))
    for name, total in zip(tensors.orders(), sums):
        assert re.search(rf"^{name} +{exact:.9f} +{total:.9f}$", printed, re.MULTILINE)
    assert len({float(total) for total in (*sums, exact)}) == 4
    assert f"{np.float32(0.1):.17f}" in printed


@pytest.mark.parametrize("kind", some(["chars", "micro"], 0))
def test_each_engine_s_losses_are_its_own_and_within_its_rounding(
    kind: str, engine_name: str
) -> None:
    run = microgpt.load(kind)
    text = "anna"
    got = tensors.numbers(Subject(run, text))
    (mine,) = [one for one in got["engines"] if one["engine"] == engine_name]
    alone = microgpt.load(kind, engine=engine_name)
    losses = alone.losses([text])[0].tolist()
    assert mine["nats"] == pytest.approx(losses, rel=hair(engine_name))
    exact = microgpt.load(kind, engine="scalar").losses([text])[0].tolist()
    assert got["nats"] == pytest.approx(exact, rel=1e-12)
    assert mine["off"] == pytest.approx(
        max(abs(a - b) for a, b in zip(mine["nats"], got["nats"])), abs=1e-15
    )
    assert mine["off"] < 1e-4
    assert mine["ms"] > 0


def test_what_is_printed_of_the_engines_has_these_numbers(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = json.loads(out(capsys, "why tensors chars anné --json"))
    printed = out(capsys, "why tensors chars anné")
    there = [one["engine"] for one in got["engines"] if "nats" in one]
    assert re.search(rf"^ +loss +{' +'.join(there)}$", printed, re.MULTILINE)
    for name, nats in zip(got["coming"][:3], got["nats"]):
        assert re.search(rf"^{name} +{nats:.7f} +", printed, re.MULTILINE)
    assert got["nats"][3] is None
    assert re.search(r"^é\? +unknown$", printed, re.MULTILINE)
    narrow = re.sub(r"\x1b\[[0-9;]*m", "", shown("why tensors chars anna", 50, monkeypatch))
    assert max(map(len, narrow.splitlines())) <= 50
    for name in there:
        assert name in narrow


def test_an_engine_that_is_not_there_or_too_slow_says_so(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = tensors.open_engine

    def missing(name: str, *of: Any) -> Any:
        if name == "torch":
            raise MissingExtra("needs PyTorch")
        return opened(name, *of)

    monkeypatch.setattr(tensors, "open_engine", missing)
    monkeypatch.setattr(tensors, "_SLOW", 10)
    printed = out(capsys, "why tensors chars anna")
    assert "\ntorch: needs PyTorch\n" in printed
    assert "\nscalar: too slow for this model and text\n" in printed


def batch_of(tokens: list[int], targets: list[int]) -> Batch:
    return Batch(np.array(tokens), np.array(targets), np.array([0, len(tokens)]))
