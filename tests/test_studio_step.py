"""One update, taken apart: its numbers are those of other computations; the run stays as it is."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import Run
from microgpt.data.batch import lay_out
from microgpt.engines import open_engine
from microgpt.errors import DivergedError, UsageError
from microgpt.loss import OBJECTIVES, cross_entropy
from microgpt.model import views
from microgpt.studio.copies import LONGEST, Copies
from microgpt.studio.library import Library
from microgpt.studio.server import Server
from microgpt.studio.step import ManyAsked, many
from microgpt.training.onestep import OneStep
from microgpt.training.task import open_for

from .conftest import TINY
from .studios import ask, request, serving

TEXT = "annalena"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("runs")
    file = folder / "names.txt"
    file.write_text("\n".join([*TINY, *(a + b for a in TINY for b in TINY)]), "utf-8")
    return microgpt.train(
        file, engine="scalar", steps=20, n_embd=8, block_size=6, holdout=0.2, out=folder / "a"
    )


@pytest.fixture(scope="module")
def server(run: Run) -> Iterator[Server]:
    with serving(run.folder.parent) as served:
        yield served


def copied(run: Run, loss: Any = "cross-entropy") -> OneStep:
    training = microgpt.TrainConfig(**{**vars(run.settings.training), "loss": loss})
    engine = open_for("scalar", run.settings.model, training)
    model = run.settings.model
    return OneStep(engine, run.engine.state(), run.tokenizer, model, training, [*TINY])


@pytest.mark.parametrize("loss", OBJECTIVES)
def test_the_gradient_at_the_logits_is_that_of_finite_differences(run: Run, loss: str) -> None:
    step, h = copied(run, loss), 1e-6
    batch = step.batch(TEXT)
    found, logits_NV = step.forward(batch), run.engine.logits(batch)

    def mean(logits_NV: Any) -> float:
        pairs = zip(logits_NV.tolist(), batch.targets_N.tolist())
        values = [OBJECTIVES[loss].value(cross_entropy(z_V, t)[0]) for z_V, t in pairs]
        return math.fsum(values) / len(values)

    for n, v in [(0, 0), (3, int(batch.targets_N[3])), (8, 2)]:
        low, high = logits_NV.copy(), logits_NV.copy()
        low[n, v] -= h
        high[n, v] += h
        slope = (mean(high) - mean(low)) / (2 * h)
        assert found.d_logits_NV[n, v] == pytest.approx(slope, abs=1e-8)


def trained(run: Run, text: str) -> Any:
    """The losses that training minimises: in windows side by side."""
    ids = run.tokenizer.encode(text)[0]
    return run.engine.losses(lay_out([ids], run.tokenizer.bos, run.settings.model.block_size).batch)


def test_losses_and_probabilities_are_those_of_training(run: Run) -> None:
    step = copied(run)
    found = step.forward(step.batch(TEXT))
    assert found.losses_N.tolist() == pytest.approx(trained(run, TEXT).tolist(), abs=1e-9)
    short = step.forward(step.batch(TEXT[:5]))
    assert short.losses_N.tolist() == pytest.approx(run.score(TEXT[:5]).losses, abs=1e-9)
    N = np.arange(len(found.losses_N))
    assert np.allclose(-np.log(found.p_NV[N, found.batch.targets_N]), found.losses_N)
    assert np.allclose(found.p_NV.sum(axis=1), 1.0)


def test_an_update_is_the_engines_and_its_losses_are_measured_after_it(run: Run) -> None:
    step = copied(run)
    batch = step.batch(TEXT)
    found = step.update(batch, 0.01)
    # The same by another way: gradients of the mean, and Adam written out for one step.
    state, training = run.engine.state(), run.settings.training
    weights = views(state.parameters, run.settings.model)
    m, v = (views(state.slots[name], run.settings.model) for name in ("adam.m", "adam.v"))
    t = state.updates + 1
    for name, g in run.engine.gradients(batch).items():
        mean = g / batch.positions
        m_hat = (training.beta1 * m[name] + (1 - training.beta1) * mean) / (1 - training.beta1**t)
        v_hat = (training.beta2 * v[name] + (1 - training.beta2) * mean**2) / (
            1 - training.beta2**t
        )
        delta = 0.01 * m_hat / (np.sqrt(v_hat) + training.eps)
        moved = next(one for one in found.moved if one.name == name)
        assert moved.gradient == pytest.approx(math.sqrt((mean**2).mean()), rel=1e-9)
        assert moved.change == pytest.approx(math.sqrt((delta**2).mean()), rel=1e-6)
        weights[name] -= delta
    after = open_engine("scalar", run.settings.model)
    after.load(state)
    assert found.before == pytest.approx(trained(run, TEXT).mean(), abs=1e-9)
    assert found.after == pytest.approx(after.losses(batch).mean(), abs=1e-9)
    assert found.others_before.tolist() == pytest.approx(
        [nats_N.mean() for nats_N in run.losses(TINY)], abs=1e-9
    )
    assert step.made == 1


def test_many_updates_are_one_after_the_other(run: Run) -> None:
    one, many = copied(run), copied(run)
    batch = one.batch("ada")
    for _ in range(7):
        last = one.update(batch, 0.01)
    seen = list(many.again(batch, 0.01, 7))
    assert [watched.updates for watched in seen] == [*range(8)]
    assert seen[-1].loss == pytest.approx(last.after, abs=1e-12)
    assert seen[0].loss > seen[-1].loss


@pytest.mark.slow
def test_of_many_updates_some_are_shown(run: Run) -> None:
    step = copied(run)
    assert len(list(step.again(step.batch("ada"), 0.001, 150))) == 76


def test_a_rate_that_is_too_large_diverges_in_a_sentence(run: Run) -> None:
    with pytest.raises(DivergedError, match=r"Try a smaller learning rate than --lr inf"):
        copied(run).update(copied(run).batch("ada"), math.inf)
    with pytest.raises(UsageError, match='the document has "é"'):
        copied(run).batch("adé")


def test_the_page_gets_these_numbers_and_the_run_stays_as_it_is(run: Run, server: Server) -> None:
    def files() -> dict[str, str]:
        found = sorted(p for p in run.folder.rglob("*") if p.is_file() and p.suffix != ".lock")
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in found}

    before = files()
    step = copied(run)
    words = {"page": "one", "run": "a", "text": TEXT}
    seen = ask(server, "/api/step/look", **words)
    found = step.forward(step.batch(TEXT))
    assert seen["loss"] == pytest.approx(found.loss, abs=1e-5)
    assert np.allclose(seen["d_logits"], found.d_logits_NV, atol=1e-5)
    assert [one["symbol"] for one in seen["positions"]] == [*TEXT, "⏎"]
    assert [m["name"] for m in seen["matrices"]] == [m.name for m in step.gradients(found.batch)]
    assert seen["others"] == {"what": "held-out documents", "count": len(run.held_out) - 1}
    did = ask(server, "/api/step/update", **words, lr=0.01)
    assert did["after"] < did["before"] == pytest.approx(seen["loss"], abs=1e-5)
    others = did["others"]
    assert others["fell"] + others["rose"] <= others["count"] == seen["others"]["count"]
    assert others["what"] == "held-out documents"
    # The bars are the documents: those left of 0 fell (a bar may have 0 inside).
    bins = others["changes"]
    assert sum(n for *_, n in bins) == others["count"]
    assert bins[0][0] <= 0.0 <= bins[-1][1]
    assert sum(n for _, high, n in bins if high <= 0) <= others["fell"]
    assert sum(n for low, _, n in bins if low >= 0) <= others["count"] - others["fell"]
    assert ask(server, "/api/step/look", **words)["loss"] == pytest.approx(did["after"], abs=1e-5)
    # Another page has a copy of its own; the same page gets a fresh one when it starts over.
    other = {**words, "page": "two"}
    assert ask(server, "/api/step/look", **other)["loss"] == pytest.approx(seen["loss"], abs=1e-5)
    assert ask(server, "/api/step/look", **words, again=True)["made"] == 0
    assert files() == before


def test_many_updates_come_as_events_on_the_document_or_on_the_runs_own(
    run: Run, server: Server
) -> None:
    words: dict[str, Any] = {"page": "many", "run": "a", "text": TEXT, "lr": 0.01}
    for own in (False, True):
        body = microgpt.schema.encode({**words, "times": 4, "own": own})
        events = request(server, "/api/step/many", body).events()
        assert [event["updates"] for event in events] == [n + 4 * own for n in range(5)]


def test_updates_stop_when_the_page_goes_away(run: Run) -> None:
    copies = Copies(Library(run.folder.parent, None))
    events = many(copies, ManyAsked("left", "a", TEXT, 0.01, 1_000))
    seen = [next(events) for _ in range(3)]
    assert [one.updates for one in seen] == [0, 10, 20]
    assert isinstance(events, Generator)
    events.close()
    copy = copies.get("left", "a")
    assert copy.step.made == 20
    assert not copy.lock.locked()


def test_a_run_with_a_single_document_to_watch_says_so(tmp_path: Path) -> None:
    file = tmp_path / "one.txt"
    file.write_text("ada\n", "utf-8")
    microgpt.train(file, engine="scalar", steps=2, n_embd=8, holdout=0.0, out=tmp_path / "one")
    with serving(tmp_path) as server:
        did = ask(server, "/api/step/update", page="p", run="one", text="ada", lr=0.01)
    assert did["others"]["count"] == 1
    assert "the run has no other" in did["others"]["what"]
    assert did["others"]["after"] == pytest.approx(did["after"], abs=1e-9)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"text": "x" * (LONGEST + 1)}, f"at most {LONGEST} characters; got {LONGEST + 1}."),
        ({"text": "ada", "lr": 0.0}, "lr must be above 0 and at most 1; got 0."),
        ({"text": "ada", "lr": -1.0}, "lr must be above 0 and at most 1; got -1."),
        ({"text": "é"}, 'the document has "é", which this model has never seen.'),
    ],
)
def test_a_mistake_is_one_sentence(server: Server, words: Any, sentence: str) -> None:
    body = microgpt.schema.encode({"page": "x", "run": "a", **words})
    answer = request(server, "/api/step/update", body)
    assert answer.status == 400
    assert sentence in answer.json()["error"]


def test_without_its_documents_the_samples_of_the_model_are_watched(
    run: Run, tmp_path: Path
) -> None:
    lost = microgpt.train(
        [*TINY], engine="scalar", steps=3, n_embd=8, holdout=0.0, out=tmp_path / "lost"
    )
    with serving(lost.folder.parent) as server:
        seen = ask(server, "/api/step/look", page="p", run="lost")
        assert "samples of the model" in seen["others"]["what"]
        body = microgpt.schema.encode(
            {"page": "p", "run": "lost", "text": "ada", "lr": 0.01, "times": 2, "own": True}
        )
        refused = request(server, "/api/step/many", body)
        assert refused.status == 400
        assert "its documents came from a Python program" in refused.json()["error"]
