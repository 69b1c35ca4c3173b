"""Large vocabularies, whose head the native engine computes in blocks: right, in any company."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest

from microgpt import model
from microgpt.config import GPTConfig, ObjectiveName
from microgpt.data.batch import Batch, lay_out
from microgpt.data.plan import Plan
from microgpt.engines import open_engine, why_not_native
from microgpt.engines.contract import State, Tensors
from microgpt.optim import Optimizer
from tests.conftest import REQUIRED, some
from tests.test_engines_agree import OBJECTIVE_NAMES, numpy_losses

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.engines.native import BUILDS, NativeEngine
from tests.native_engines import native, numbers

# The smallest with blocks, and others whose last block or slice is cut; widths of one vector, of
# one panel and a part of another, of several panels.
LARGE = [
    GPTConfig(vocab_size=1025, block_size=6, n_layer=1, n_head=1, n_embd=3),
    GPTConfig(vocab_size=1601, block_size=6, n_layer=2, n_head=2, n_embd=20),
    GPTConfig(vocab_size=1100, block_size=6, n_layer=1, n_head=2, n_embd=40, final_norm=True),
    GPTConfig(vocab_size=2055, block_size=6, n_layer=1, n_head=2, n_embd=68),
]


def texts(config: GPTConfig, count: int, seed: int = 3) -> Batch:
    rng, bos = random.Random(seed), config.vocab_size - 1
    rows = [[rng.randrange(bos) for _ in range(rng.randrange(6))] for _ in range(count)]
    return lay_out(rows, bos, config.block_size).batch


@cache
def scalar_gradients(config: GPTConfig, loss: ObjectiveName) -> Tensors:
    reference = open_engine("scalar", config, loss=loss)
    reference.load(numbers(config))
    return reference.gradients(texts(config, 2))


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("config", LARGE)
def test_losses_and_logits_are_those_of_numpy(config: GPTConfig, build: str) -> None:
    batch, flat = texts(config, 30), numbers(config).parameters
    truth = numpy_losses(config, flat, batch)
    engine = native(config, 2, build)
    losses_N, logits_NV = engine.losses(batch), engine.logits(batch)
    assert losses_N == pytest.approx(truth, rel=1e-5)
    log_totals_N = np.log(np.exp(logits_NV).sum(axis=1))
    of_logits_N = log_totals_N - logits_NV[np.arange(batch.positions), batch.targets_N]
    assert of_logits_N == pytest.approx(truth, rel=1e-5)
    sums = engine.train(Plan(batch, batch_size=30).batches(0, 1), np.zeros(1))
    assert sums.nats_K == pytest.approx([truth.sum()], rel=1e-5)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("loss", OBJECTIVE_NAMES)
def test_gradients_of_any_objective_are_the_scalar_engine_s(
    loss: ObjectiveName, build: str
) -> None:
    config = LARGE[0]
    engine = NativeEngine(config, Optimizer(), loss, 1, build)
    engine.load(numbers(config))
    same_as_scalar(engine, config, loss)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("config", some(LARGE[1:], 0))
def test_gradients_of_any_width_are_the_scalar_engine_s(config: GPTConfig, build: str) -> None:
    same_as_scalar(native(config, build=build), config, "cross-entropy")


def same_as_scalar(engine: NativeEngine, config: GPTConfig, loss: ObjectiveName) -> None:
    gradients = engine.gradients(texts(config, 2))
    for name, expected in scalar_gradients(config, loss).items():
        hair = 1e-5 * np.abs(expected).max() + 1e-7
        assert np.abs(gradients[name] - expected).max() <= hair, name


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("rising", [1.0, -1.0])
def test_logits_that_rise_by_hundreds_overflow_nowhere(rising: float, build: str) -> None:
    # Each block of rows has larger logits than the one before, or smaller ones.
    config = LARGE[0]
    state = State.fresh(numbers(config).parameters.copy())
    scale_V1 = np.linspace(0.0, 1000.0, config.vocab_size)[:: int(rising), None]
    model.views(state.parameters, config)["lm_head"][:] = scale_V1 * [1.0, -0.5, 0.7]
    batch = texts(config, 12)
    engine = native(config, 1, build)
    engine.load(state)
    truth = numpy_losses(config, state.parameters, batch)
    assert np.ptp(truth) > 100.0
    assert engine.losses(batch) == pytest.approx(truth, rel=1e-5, abs=1e-3)
    gradients = engine.gradients(batch)
    rng, h = np.random.default_rng(1), 1e-6
    along = rng.normal(size=len(state.parameters))
    above, below = (
        numpy_losses(config, state.parameters + s * h * along, batch).sum() for s in (1, -1)
    )
    flat = np.concatenate([d.ravel() for d in gradients.values()])
    assert float(flat @ along) == pytest.approx((above - below) / (2 * h), rel=1e-3)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("config", some([*LARGE, GPTConfig(vocab_size=40_000, n_embd=4)], 0, 4))
def test_results_are_the_same_bits_for_any_number_of_threads(config: GPTConfig, build: str) -> None:
    # Of 40,000 the positions are worked on in several parts.
    batches = Plan(texts(config, 150), batch_size=75).batches(0, 3)
    results = []
    for threads in (1, 2, 3, 7):
        engine = native(config, threads, build)
        sums = engine.train(batches, np.full(3, 0.01))
        buffers = (sums.nats_K, *engine.state().buffers.values(), engine.losses(texts(config, 40)))
        results.append([buffer.tobytes() for buffer in buffers])
    assert all(other == results[0] for other in results[1:])


@pytest.mark.parametrize("build", BUILDS)
def test_updates_that_were_put_off_are_those_made_one_by_one(build: str) -> None:
    # A token is read in one step, and later or never again; others have moments from before.
    config = LARGE[1]
    state = State.fresh(numbers(config).parameters.copy())
    state.slots["adam.m"][: 900 * 20] = 0.01
    state.slots["adam.v"][: 1200 * 20] = 0.001
    batches = Plan(texts(config, 24), batch_size=2).batches(0, 40)
    lr_K = np.linspace(0.02, 0.001, 40)
    at_once, single = native(config, 2, build), native(config, 1, build)
    at_once.load(state)
    single.load(state)
    at_once.train(batches, lr_K)
    for k in range(40):
        single.train(Plan(texts(config, 24), batch_size=2).batches(k, 1), lr_K[k : k + 1])
    one, other = at_once.state(), single.state()
    for name, buffer in one.buffers.items():
        assert buffer.tobytes() == other.buffers[name].tobytes(), name


def test_updates_are_the_scalar_engine_s() -> None:
    config = LARGE[0]
    batches, lr_K = Plan(texts(config, 6), batch_size=1).batches(0, 5), np.full(5, 0.01)
    engine, reference = native(config), open_engine("scalar", config)
    reference.load(numbers(config))
    sums, expected = engine.train(batches, lr_K), reference.train(batches, lr_K)
    assert sums.nats_K == pytest.approx(expected.nats_K, rel=1e-5)
    # Signs of tiny gradients decide on whole steps: a few parameters may lie a step apart.
    apart = np.abs(engine.state().parameters - reference.state().parameters)
    assert np.quantile(apart, 0.999) < 1e-4


def test_an_update_that_runs_away_leaves_the_steps_before_it_complete() -> None:
    config = LARGE[0]
    batches = Plan(texts(config, 6), batch_size=2).batches(0, 3)
    engine, other = native(config), native(config)
    sums = engine.train(batches, np.array([0.01, np.inf, 0.01]))
    assert np.isfinite(sums.nats_K).tolist() == [True, True, False]
    other.train(Plan(texts(config, 6), batch_size=2).batches(0, 2), np.array([0.01, np.inf]))
    before = other.state().buffers
    for name, buffer in engine.state().buffers.items():
        assert buffer.tobytes() == before[name].tobytes(), name


def test_a_batch_of_many_pieces_makes_the_update_of_a_whole_one() -> None:
    # 16 Mi floats are some 50,000 positions.
    config = LARGE[0]
    rows = [[i % 1019, i % 17, i % 13, 5, i % 1021] for i in range(10_000)]
    data = lay_out(rows, config.vocab_size - 1, config.block_size).batch
    engine = native(config, 2)
    engine.train(Plan(data, batch_size=10_000).batches(0, 1), np.array([0.01]))
    g = native(config).gradients(data)
    flat = np.concatenate([d.ravel() for d in g.values()]) / data.positions
    assert engine.state().slots["adam.m"] == pytest.approx(0.15 * flat, rel=1e-4, abs=1e-7)
    parts = [data.take(np.arange(a, a + 2500)) for a in range(0, 10_000, 2500)]
    for name in ("lm_head", "wte", "layer0.mlp_fc1"):
        summed = sum(native(config).gradients(part)[name] for part in parts)
        assert g[name] == pytest.approx(summed, rel=1e-4, abs=1e-4), name
