"""A page's model in Chromium beside the engine: losses, probabilities, every kind of model."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt.counting.linear import LinearMixture
from microgpt.data.datasets import names_path
from microgpt.engines.contract import State
from microgpt.export.html import export
from microgpt.sampling import Choice, probabilities
from microgpt.scoring.price import Pricer
from microgpt.wording import printable

from .browser import Browser, silent
from .kinds import KINDS, LINES, trained

# Small models are mixed with counts that know more than they do.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::microgpt.errors.TrainingWarning"),
]

CLOSE = 1e-4
"""Nats a position."""

ODD = [
    "", "emma", "xyzzy", "ada took 9999ms", "took 10.0.0.1:80 42", "né naïve", "😀🎉", "\ud800x",
    "a" * 100, "ORD-12345 ORD-7", "0xdeadbeef deadbeef1 12 1234567", "2024-01-02T03:04:05Z",
    "\n\t ", "فارسی 日本語", "<b>&amp;</b>", "٣٤ took ²ms",
]  # fmt: skip


def written(run: Run, path: Path, bits: Any = 32) -> str:
    path.write_bytes(export(run, documents=4, bits=bits).page)
    return path.as_uri()


def losses(tab: Any, texts: list[str]) -> list[list[float]]:
    # As code points: half of a pair would not survive the way into the browser.
    found: list[list[float]] = tab.evaluate(
        "(all) => all.map((codes) => microgpt.score(String.fromCodePoint(...codes)).losses)",
        [[*map(ord, text)] for text in texts],
    )
    return found


ALL: dict[str, dict[str, Any]] = {
    **KINDS,
    "ensemble": {"preset": "micro", "models": 3, "block_size": 16},
    "ensemble, counts": {"preset": "micro", "models": 2, "ngram": 3, "block_size": 16},
}


@pytest.mark.parametrize("kind", [kind for kind in ALL if not kind.startswith("bpe")])
def test_losses_are_the_engines_whatever_the_model(
    kind: str, browser: Browser, tmp_path: Path
) -> None:
    run = trained(tmp_path / "lines.txt", **ALL[kind])
    texts = [*ODD, *LINES[::3]]
    with silent(browser, written(run, tmp_path / "page.html")) as tab:
        found = losses(tab, texts)
    for text, theirs, ours in zip(texts, found, run.losses(texts), strict=True):
        assert np.allclose(theirs, ours, rtol=0, atol=CLOSE), printable(text)


@pytest.mark.parametrize("tokenizer", ["characters", "bytes"])
def test_a_long_text_is_read_with_the_cache_of_what_it_has_said(
    tokenizer: Any, browser: Browser, tmp_path: Path
) -> None:
    rng, names = random.Random(2), names_path().read_text("utf-8").split("\n")[:60]
    (tmp_path / "t.txt").write_text(" ".join(rng.choices(names, k=2000)))
    run = microgpt.train(
        tmp_path / "t.txt", stream=True, tokenizer=tokenizer, preset="micro", steps=60, ngram=2,
        block_size=16, n_embd=16, holdout=0.2, out=tmp_path / "run",
    )  # fmt: skip
    assert run.mixture is not None
    assert run.mixture.cache is not None
    text = run.held_out[0][:1500]
    texts = [text, text[:100], text[:300] + "😀é" + text[:200], "a" * 200, text[:127], text[:128]]
    with silent(browser, written(run, tmp_path / "page.html")) as tab:
        found = losses(tab, texts)
    for one, theirs, ours in zip(texts, found, run.losses(texts), strict=True):
        assert np.allclose(theirs, ours, rtol=0, atol=CLOSE), printable(one)
    bare = LinearMixture(run.gpt, run.mixture.ngram, run.mixture.weight)
    without = Pricer(bare, run.tokenizer, 16).price(texts[:2])
    assert without.means_D[0] > np.mean(found[0]) + 0.1  # a page without it would be far off
    assert without.means_D[1] == pytest.approx(np.mean(found[1]), abs=CLOSE)


@pytest.mark.parametrize("kind", ["microgpt", "counts", "bytes", "masks"])
def test_a_score_has_the_same_characters_and_the_same_likeliest_tokens(
    kind: str, browser: Browser, tmp_path: Path
) -> None:
    run = trained(tmp_path / "lines.txt", **KINDS[kind])
    texts = [text for text in ODD if "\ud800" not in text]
    with silent(browser, written(run, tmp_path / "page.html")) as tab:
        found = tab.evaluate("(all) => all.map((text) => microgpt.score(text))", texts)
    for theirs, ours in zip(found, run.scores(texts), strict=True):
        assert [c["char"] for c in theirs["characters"]] == [c.char for c in ours.characters]
        assert [c["unknown"] for c in theirs["characters"]] == [c.unknown for c in ours.characters]
        assert theirs["loss"] == pytest.approx(ours.loss, abs=CLOSE)
        for one, its in zip(theirs["characters"], ours.characters, strict=True):
            tops = [likely["token"] for likely in one["likely"][:3]]
            shares = [likely["p"] for likely in one["likely"][:4]]
            if min(a - b for a, b in pairwise(shares)) > CLOSE:  # no two alike
                assert tuple(tops) == its.likely


@pytest.mark.parametrize("bits", [16, 32])
def test_a_thousand_names_cost_what_the_engine_says(
    bits: int, browser: Browser, tmp_path: Path
) -> None:
    run = microgpt.train(
        names_path(), preset="small", steps=150, ngram=5, out=tmp_path / "run", seed=3
    )
    texts = random.Random(1).sample([*run.held_out], 1000)
    page = written(run, tmp_path / "page.html", bits)
    assert (tmp_path / "page.html").stat().st_size < 1_000_000
    if bits == 16:  # what the file holds, exactly
        short = run.engine.state().parameters.astype(np.float16).astype(np.float64)
        run.engine.load(State.fresh(short))
    with silent(browser, page) as tab:
        theirs = losses(tab, texts)
        rarer = tab.evaluate("(all) => all.map((text) => microgpt.score(text).percentile)", texts)
    ours = run.losses(texts)
    off = np.abs(np.concatenate(theirs) - np.concatenate(ours))
    assert len(off) > 6000
    assert off.max() < CLOSE
    if bits == 32:
        lengths, means = np.array([*map(len, texts)]), np.array([one.mean() for one in ours])
        wanted = run.judge.percentiles(lengths, means)
        assert wanted is not None
        assert np.mean(np.floor(wanted + 1e-9) == rarer) > 0.99  # losses round otherwise
        assert np.abs(wanted - rarer).max() < 2


def test_tokens_are_drawn_with_the_probabilities_of_python(
    browser: Browser, tmp_path: Path
) -> None:
    run = trained(tmp_path / "lines.txt", **KINDS["counts"])
    choices = [
        {"temperature": t, "top_k": k, "top_p": p, "min_p": m}
        for t in (0.0, 0.5, 1.0, 1.7) for k in (None, 1, 5) for p in (1.0, 0.6) for m in (0.0, 0.2)
    ]  # fmt: skip
    logits_V = np.random.default_rng(0).normal(size=60).round(3)
    with silent(browser, written(run, tmp_path / "page.html")) as tab:
        found = tab.evaluate(
            "([z, all]) => all.map((one) => Array.from(microgpt.probabilities("
            "Float64Array.from(z), one)))",
            [logits_V.tolist(), choices],
        )
        drawn = tab.evaluate(
            "() => { let n = 0; const random = () => ((n += 1) * 0.6180339887498949) % 1;"
            "return Array.from({length: 50}, () => microgpt.sample("
            "{temperature: 1, top_k: null, top_p: 1, min_p: 0, prompt: 'ada'}, random)); }"
        )
    for theirs, choice in zip(found, choices, strict=True):
        assert np.allclose(theirs, probabilities(logits_V[None], Choice(**choice))[0], atol=1e-12)
    assert {one["ended"] for one in drawn} <= {"end", "block"}
    for one in drawn:
        assert one["text"].startswith("ada")
        priced = run.score(one["text"]).losses[: one["positions"]]
        assert one["nats"] == pytest.approx(sum(priced), abs=CLOSE * len(priced))
