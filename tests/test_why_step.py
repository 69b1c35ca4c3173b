"""`microgpt why RUN TEXT --step N`: one position through the model and back.

Oracles: the scalar engine's graph and its matrices after Adam's formula, finite differences, the
losses of `score`.
"""

from __future__ import annotations

import json
import math
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.cli.why import step
from microgpt.cli.why.subject import Subject
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.engines import open_engine
from microgpt.engines.contract import Floats, State
from microgpt.errors import TrainingWarning
from microgpt.inside.graph import graph
from microgpt.inside.oneloss import gradients
from microgpt.loss import cross_entropy
from microgpt.runs.run import Run

from .conftest import TINY, opened, out, shown

Capture = pytest.CaptureFixture[str]

# Learned and rotary positions, several layers, norms, bytes, masks, counts.
KINDS: dict[str, dict[str, Any]] = {
    "v1": {"preset": "microgpt-v1", "n_head": 2},
    "micro": {"preset": "micro", "n_head": 2},
    "bytes": {"preset": "microgpt", "tokenizer": "bytes", "n_head": 2},
    "masks": {"preset": "microgpt", "mask": "digits", "n_head": 1},
    "counts": {"preset": "microgpt", "ngram": 2, "n_head": 1},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of each kind."""
    folder = tmp_path_factory.mktemp("step")
    (folder / "t.txt").write_text("\n".join([*TINY, *(f"{a} {n}" for n, a in enumerate(TINY))]))
    for name, settings in KINDS.items():
        with warnings.catch_warnings():  # so short a training warns that counts weigh more
            warnings.simplefilter("ignore", TrainingWarning)
            microgpt.train(
                folder / "t.txt", steps=30, n_embd=4, block_size=6, batch_size=2, holdout=0.2,
                out=folder / "runs" / name, **settings,
            )  # fmt: skip
    return folder


@pytest.fixture(autouse=True)
def _at_home(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.chdir(home)
    capsys.readouterr()


def followed(run: Run, text: str, n: int) -> dict[str, Any]:
    return step.numbers(Subject(run, text), n)


@pytest.mark.parametrize("kind", KINDS)
def test_its_loss_is_that_of_score_at_every_position(kind: str) -> None:
    run = microgpt.load(kind, engine="scalar")
    losses = next(microgpt.load(kind).scores(["lena"])).losses
    if kind == "counts":  # the GPT's own
        losses = run.gpt.losses(_batch(run, "lena")).tolist()
    got = [followed(run, "lena", n) for n in range(len(losses))]
    assert [one["nats"] for one in got] == pytest.approx(losses, rel=1e-6)
    for one in got:
        assert one["p"] == pytest.approx(math.exp(-one["nats"]))
        assert len(one["read"]) == one["step"] + 1
        for layer in one["layers"]:
            assert [sum(shares) for shares in layer["heads"]] == pytest.approx(
                [1.0] * run.settings.model.n_head
            )


@pytest.mark.parametrize("kind", ["v1", "micro"])
def test_the_gradient_is_the_scalar_graph_s_and_p_after_the_update_another_engine_s(
    kind: str,
) -> None:
    run = microgpt.load(kind, engine="scalar")
    subject, n = Subject(run, "lena"), 2
    got = followed(run, "lena", n)
    read, config = subject.read, run.settings.model
    found = graph(config, subject.parameters, read.tokens, read.targets, n)
    slopes = {
        name: np.array([[value.grad for value in row] for row in rows])
        for name, rows in found.parameters.items()
    }
    assert got["gradients"] == pytest.approx(
        {name: math.sqrt((g**2).sum()) for name, g in slopes.items()}, rel=1e-9
    )
    # Adam's algorithm 1 at t = 1, from moments of 0.
    (b1, b2), g = (0.9, 0.99), np.concatenate([slopes[name].ravel() for name in subject.weights])
    m_hat, v_hat = (1 - b1) * g / (1 - b1), (1 - b2) * g * g / (1 - b2)
    lr = run.settings.training.lr
    other = open_engine("scalar", config)
    other.load(State.fresh(subject.parameters - lr * m_hat / (np.sqrt(v_hat) + 1e-8)))
    logits_V = other.logits(_batch(run, "lena"))[n].tolist()
    after, _ = cross_entropy(logits_V, read.targets[n])
    assert got["update"]["nats"] == pytest.approx(after, rel=1e-6)
    assert got["update"]["p"] > got["p"]
    assert run.engine.state().parameters.tolist() == subject.parameters.tolist()


def test_the_logits_and_slopes_are_another_engine_s(engine_name: str) -> None:
    run = microgpt.load("v1", engine="scalar")
    got = followed(run, "bob", 1)
    other = microgpt.load("v1", engine=engine_name)
    logits_V: list[float] = other.engine.logits(_batch(run, "bob"))[1].tolist()
    nats, slopes_V = cross_entropy(logits_V, got["target"])
    assert got["nats"] == pytest.approx(nats, rel=1e-5)
    for at in got["tokens"]:
        k = int(at["id"])
        assert at["logit"] == pytest.approx(logits_V[k], abs=1e-5)
        assert at["d_logit"] == pytest.approx(slopes_V[k], abs=1e-6)


def test_a_gradient_of_one_loss_is_a_finite_difference(engine_name: str) -> None:
    config = GPTConfig(vocab_size=5, block_size=6, n_layer=2, n_head=2, n_embd=4)
    tokens, targets, position = [4, 0, 1, 2], [0, -1, 2, 4], 2
    found = gradients(opened(engine_name, config), tokens, targets, position)
    exact = opened("scalar", config)
    first: Floats = np.array(exact.state().parameters, np.float64)
    start = 0
    batch = Batch(np.array(tokens), np.maximum(targets, 0), np.array([0, 4]))
    for name in microgpt.model.views(first, config):
        g, h = found[name].ravel(), 1e-5
        length = math.sqrt(float((g**2).sum()))
        losses: list[float] = []
        for sign in (1, -1):  # along the gradient the loss changes by its length
            nudged = np.array(first)
            nudged[start : start + g.size] += sign * h * g / length
            exact.load(State.fresh(nudged))
            losses.append(float(exact.losses(batch)[position]))
        assert (losses[0] - losses[1]) / (2 * h) == pytest.approx(length, rel=1e-4)
        start += g.size


def test_what_is_printed_has_these_numbers_and_fits_50_columns(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = json.loads(out(capsys, "why v1 lena --step 3 --engine scalar --json"))
    printed = out(capsys, "why v1 lena --step 3 --engine scalar")
    assert "position 3 (of 0 to 4): after BOS l e n comes a." in printed
    for at in got["tokens"]:
        name = f"{at['token']}, the target" if at["id"] == got["target"] else at["token"]
        slope = re.escape(f"{at['d_logit']:+.4f}")
        row = rf"^{name} +{at['logit']:.4f} +{at['p']:.4f} +{slope}$"
        assert re.search(row, printed, re.MULTILINE)
    assert f"-log p = -log {got['p']:.4f} = {got['nats']:.4f} nats" in printed
    shares = got["layers"][0]["heads"][1]
    most = max(range(4), key=shares.__getitem__)
    assert f"\n1     {shares[most]:.3f} {got['read'][most]}@{most}  " in printed
    for name in ("wte", "wpe", "lm_head", "layer0.attn_wq", "layer0.mlp_fc1"):
        row = rf"^{name} +{got['gradients'][name]:.4f}$"
        assert re.search(row, printed, re.MULTILINE)
    update = got["update"]
    assert re.search(rf"^its loss +{got['nats']:.4f} +{update['nats']:.4f}$", printed, re.MULTILINE)
    losses = microgpt.load("v1", engine="scalar").score("lena").losses
    others = (math.fsum(losses) - losses[3]) / 4
    assert update["others"]["before"] == pytest.approx(others)
    narrow = re.sub(r"\x1b\[[0-9;]*m", "", shown("why micro lena --step 3", 50, monkeypatch))
    assert max(map(len, narrow.splitlines())) <= 50
    assert "it rotates the queries" in narrow


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_run_is_followed(kind: str, capsys: Capture) -> None:
    for text, n in (("lena", 4), ("a 12", 3), ("", 0)):
        assert cli(["why", kind, text, "--step", str(n if kind != "masks" else 0)]) == 0
    assert ("GPT alone" in capsys.readouterr().out) == (kind == "counts")


def test_an_unknown_character_has_no_gradient_and_is_read_as_another(capsys: Capture) -> None:
    comes = out(capsys, "why v1 aéa --step 1")
    assert "é? is unknown to this model: it has no logit, no p and no gradient." in comes
    assert "Update" not in comes
    got = json.loads(out(capsys, "why v1 aéa --step 2 --json"))
    assert got["unknown"] == {"read": True, "comes": False}
    assert f"Token é?: unknown; {got['stand_in']} is read, id {got['id']}" in out(
        capsys, "why v1 aéa --step 2"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("why v1 lena --step=-1", '--step must be from 0 to 4 for "lena"; got -1.'),
        ("why v1 lena --step 5", '--step must be from 0 to 4 for "lena"; got 5.'),
        ("why v1 annabella --step 6",
         '--step must be from 0 to 5 for "annabella", in its first window of 6 positions; got 6.'),
        ("why --step 2", "--step must stand with RUN and TEXT alone"),
        ("why softmax v1 lena --step 2", "--step must stand with RUN and TEXT alone"),
        ("why t.txt --train --step 2", "--step must stand with RUN and TEXT alone"),
    ],
)  # fmt: skip
def test_a_position_that_is_not_there_is_refused(words: str, told: str, capsys: Capture) -> None:
    assert cli(words.split()) == 2
    assert told in capsys.readouterr().err


def _batch(run: Run, text: str) -> Batch:
    ids, bos = run.tokenizer.encode(text)[0], run.tokenizer.bos
    return Batch(np.array([bos, *ids]), np.array([*ids, bos]), np.array([0, len(ids) + 1]))
