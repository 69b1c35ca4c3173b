"""Ensembles: the mean of several GPTs' probabilities, trained side by side."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import microgpt
from microgpt import Run, model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.data.plan import Plan
from microgpt.engines import open_engine
from microgpt.engines.contract import SLOTS, Engine, State
from microgpt.engines.ensemble import ensemble
from microgpt.engines.native import ABOUT
from microgpt.errors import UsageError
from microgpt.export.alone import matrices
from microgpt.optim import Optimizer
from microgpt.runs import prepare
from microgpt.runs.files import check_file
from microgpt.runs.first import first_of, which
from microgpt.training.task import first_state
from tests.conftest import PRECISION, laid_out

CONFIG = GPTConfig(vocab_size=6, block_size=5, n_layer=2, n_head=2, n_embd=8)
DOCUMENTS = [[0, 1, 2, 3], [4], [2, 2], [], [3, 0, 1, 4]]
SHAPE: dict[str, Any] = {"n_embd": 8, "n_head": 2, "block_size": 8, "engine": "native"}


@pytest.fixture
def batch() -> Batch:
    return laid_out(DOCUMENTS, bos=5, block_size=5)


def parts(state: State, models: int) -> list[State]:
    """Return the states of the members."""
    each = [np.split(state.buffers[name], models) for name in ("parameters", *SLOTS)]
    return [State(p, dict(zip(SLOTS, slots)), state.updates) for p, *slots in zip(*each)]


def members(
    name: str, state: State, models: int, config: GPTConfig = CONFIG, **others: Any
) -> list[Engine]:
    """Open an engine for each member, with its part of a state."""
    opened: list[Engine] = []
    for part in parts(state, models):
        opened.append(open_engine(name, config, **others))
        opened[-1].load(part)
    return opened


def trained(folder: Path, documents: list[str] | Path, **others: Any) -> Run:
    settings = {**SHAPE, "models": 2, "steps": 30, "holdout": 0.2, **others}
    return microgpt.train(documents, out=folder, **settings)


@pytest.mark.parametrize("models", [2, 3])
def test_a_probability_is_the_mean_of_the_members_own(
    engine_name: str, batch: Batch, models: int
) -> None:
    state = first_state(CONFIG, seed=3, documents=5, models=models)
    engine = open_engine(engine_name, CONFIG, models=models)
    engine.load(state)
    each = [member.losses(batch).tolist() for member in members(engine_name, state, models)]
    expected = [-math.log(math.fsum(map(math.exp, [-x for x in at])) / models) for at in zip(*each)]
    near = 16 * float(np.finfo(PRECISION[engine_name]).eps)
    assert engine.losses(batch) == pytest.approx(expected, rel=near)
    log_p_NV = engine.logits(batch)
    assert np.exp(log_p_NV).sum(axis=1) == pytest.approx(1.0, rel=1e-9)
    own_N = -log_p_NV[np.arange(batch.positions), batch.targets_N]
    assert own_N == pytest.approx(expected, rel=near)


def test_the_loss_is_below_the_mean_of_the_members_losses(batch: Batch) -> None:
    for seed in range(20):
        state = first_state(CONFIG, seed, documents=5, models=2)
        engine = open_engine("native", CONFIG, models=2)
        engine.load(state)
        own_N = np.mean([m.losses(batch) for m in members("native", state, 2)], axis=0)
        assert (engine.losses(batch) <= own_N + 1e-12).all()
        assert engine.losses(batch).sum() < own_N.sum()


def test_equal_members_are_one_model(engine_name: str, batch: Batch) -> None:
    one = first_state(CONFIG, seed=3, documents=5)
    alone, engine = open_engine(engine_name, CONFIG), open_engine(engine_name, CONFIG, models=2)
    alone.load(one)
    engine.load(State.fresh(np.tile(one.parameters, 2)))
    assert engine.losses(batch) == pytest.approx(alone.losses(batch), rel=1e-12)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_members_are_trained_as_if_each_were_alone(batch: Batch, threads: int) -> None:
    optimizer = Optimizer(dropout=0.2, seed=7)
    plan, lr_K = Plan(batch, batch_size=2, seed=3), np.full(6, 0.01)
    state = first_state(CONFIG, seed=3, documents=5, models=3)
    engine = open_engine("native", CONFIG, optimizer, threads=threads, models=3)
    engine.load(state)
    sums = engine.train(plan.batches(0, 6), lr_K)
    nats_MK = []
    for k, (part, ended) in enumerate(zip(parts(state, 3), parts(engine.state(), 3))):
        # Each member's dropout has a seed of its own.
        alone = open_engine("native", CONFIG, replace(optimizer, seed=7 + k), threads=1)
        alone.load(part)
        nats_MK.append(alone.train(plan.batches(0, 6), lr_K).nats_K)
        for name, buffer in alone.state().buffers.items():
            assert np.array_equal(buffer, ended.buffers[name])
    assert np.array_equal(sums.nats_K, np.mean(nats_MK, axis=0))


def test_the_first_member_begins_as_a_model_alone_does() -> None:
    one, three = (first_state(CONFIG, 3, 5, models) for models in (1, 3))
    first, second, third = parts(three, 3)
    assert np.array_equal(first.parameters, one.parameters)
    assert not np.array_equal(second.parameters, third.parameters)


def test_the_gradients_are_the_members_own_by_name(batch: Batch) -> None:
    state = first_state(CONFIG, seed=3, documents=5, models=2)
    engine = open_engine("native", CONFIG, models=2)
    engine.load(state)
    found = engine.gradients(batch)
    assert [*found] == [p.name for p in model.parameters(CONFIG, models=2)]
    for k, member in enumerate(members("native", state, 2), 1):
        for name, d in member.gradients(batch).items():
            assert np.array_equal(found[f"model{k}.{name}"], d)


@pytest.mark.parametrize("bad", [0, 1])
def test_a_member_that_diverges_ends_the_training_of_all(batch: Batch, bad: int) -> None:
    state = first_state(CONFIG, seed=3, documents=5, models=2)
    views = model.views(state.parameters, CONFIG, 2)
    views[f"model{bad + 1}.lm_head"][:] = np.nan
    engine = open_engine("native", CONFIG, models=2)
    engine.load(state)
    sums = engine.train(Plan(batch, batch_size=2, seed=3).batches(0, 4), np.full(4, 0.01))
    assert len(sums) == 1
    assert not np.isfinite(sums[0].nats)
    assert engine.updates == 0


def test_a_resumed_ensemble_ends_with_the_same_bytes(tmp_path: Path, tiny: list[str]) -> None:
    settings = {**SHAPE, "models": 2, "steps": 40, "holdout": 0.2, "ngram": 2, "dropout": 0.1}
    for name, stops in (("whole", False), ("parts", True)):
        with prepare.new(tiny, out=tmp_path / name, **settings) as training:
            for _ in islice(training, 3 if stops else None):
                pass
            if stops:
                training.stop()
                for _ in training:
                    pass
    with prepare.resume(tmp_path / "parts", tiny) as training:
        assert 0 < training.updates < 40
        for _ in training:
            pass
    whole, again = (tmp_path / name / "checkpoint.safetensors" for name in ("whole", "parts"))
    assert whole.read_bytes() == again.read_bytes()


def test_a_checkpoint_names_its_tensors_by_member(tmp_path: Path, tiny: list[str]) -> None:
    run = trained(tmp_path / "r", tiny)
    found = load_file(run.folder / "checkpoint.safetensors")
    own = {p.name for p in model.parameters(run.settings.model)}
    named = {
        f"{slot}model{k}.{p}" for slot in ("", "adam.m.", "adam.v.") for k in (1, 2) for p in own
    }
    assert set(found) == named
    check_file(run.folder / "checkpoint.safetensors")


def test_a_run_of_one_model_has_the_tensors_that_it_had(tmp_path: Path, tiny: list[str]) -> None:
    one = trained(tmp_path / "one", tiny, models=1)
    assert "wte" in load_file(one.folder / "checkpoint.safetensors")
    assert "members" not in vars(one.engine)


def test_a_run_samples_scores_and_compresses_by_the_mean(tmp_path: Path, tiny: list[str]) -> None:
    (tmp_path / "names.txt").write_text("\n".join(tiny), "utf-8")
    run = trained(tmp_path / "r", tmp_path / "names.txt", ngram=2)
    parameters = run.engine.state().parameters
    each = []
    for part in np.split(parameters, 2):
        alone = open_engine("native", run.settings.model)
        alone.load(State.fresh(part))
        each.append(alone)
    gpts = run.gpt.losses(laid_out([[0, 1]], run.tokenizer.bos, 8))
    own = [member.losses(laid_out([[0, 1]], run.tokenizer.bos, 8)) for member in each]
    assert gpts == pytest.approx(-np.log(np.mean(np.exp(-np.stack(own)), axis=0)), rel=1e-6)
    assert run.weight is not None
    assert len(run.sample(3)) == 3
    assert run.score("anna").loss == pytest.approx(float(run.losses(["anna"])[0].mean()))
    data = b"anna\nben\n"
    assert run.decompress(run.compress(data)) == data
    ladder = run.ladder()
    assert [rung.name for rung in ladder.rungs if "GPT" in rung.name and not rung.is_this] == [
        "GPTs alone"
    ]
    assert ladder.name == "GPTs + counts"


def test_what_can_look_at_one_model_alone_says_so(tmp_path: Path, tiny: list[str]) -> None:
    run = trained(tmp_path / "r", tiny)
    with pytest.raises(UsageError) as caught:
        matrices(run)
    assert str(caught.value) == (
        "a file of one GPT must be of a run of one model; got one of 2. "
        "Try a run trained with --models 1."
    )


def test_the_first_gpt_is_a_run_of_its_own(tmp_path: Path, tiny: list[str]) -> None:
    run = trained(tmp_path / "r", tiny)
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    first, batch = first_of(run), laid_out([[0, 1]], run.tokenizer.bos, 8)
    alone = members("native", run.engine.state(), 2, config=run.settings.model)[0]
    assert np.array_equal(first.engine.losses(batch), alone.losses(batch))
    assert which(run) == f"this is the first of the 2 GPTs of {run.folder}."
    assert math.isfinite(first.score("anna").loss)
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before
    one = trained(tmp_path / "one", tiny, models=1)
    assert first_of(one) is one
    assert which(one) == ""


def test_several_ranks_train_one_model() -> None:
    with pytest.raises(UsageError, match=r"models must be 1 for 2 ranks; got 2\. Try without"):
        ensemble(lambda k, threads: pytest.fail("opened"), 2, None, 2, ABOUT)
