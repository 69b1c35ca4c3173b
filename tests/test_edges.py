"""The edges of the loss, the autograd and the engines: where sums overflow and bits differ."""

from __future__ import annotations

import itertools
import math
import random

import mpmath
import numpy as np
import pytest
from numpy.typing import NDArray

from microgpt import model
from microgpt.autograd import Value, dot
from microgpt.config import GPTConfig, ObjectiveName, TrainConfig
from microgpt.data.batch import Batch, Batches
from microgpt.data.plan import Plan
from microgpt.engines import open_engine
from microgpt.engines.contract import SLOTS, State
from microgpt.engines.scalar.operations import ScalarOps, softmax
from microgpt.loss import OBJECTIVES, LossSum, cross_entropy
from microgpt.optim import Optimizer
from tests.conftest import PRECISION, hair, laid_out, opened

CONFIG = GPTConfig(vocab_size=5, block_size=6, n_layer=2, n_head=2, n_embd=8)
DOCUMENTS = [[0, 1, 2, 3, 0], [3], [], [2, 1, 1]]


def one_step(batch: Batch) -> Batches:
    steps = np.array([0, len(batch)], dtype=np.int64)
    return Batches(batch.tokens_N, batch.targets_N, batch.documents, steps)


# --- false today -----------------------------------------------------------------------------


def test_a_sum_past_the_largest_float_is_infinite() -> None:
    assert LossSum.of([1e308, 1e308]) == LossSum(math.inf, 2)


def test_training_stops_where_finite_losses_have_an_infinite_sum() -> None:
    # In float32 no loss is so large that float64 could not sum them.
    config = GPTConfig(vocab_size=3, block_size=4, n_head=1, n_embd=1)
    w = model.views(flat := np.zeros(model.size(config)), config)
    w["wte"][:], w["lm_head"][0] = 1.0, 1e308
    engine = open_engine("scalar", config)
    engine.load(State.fresh(flat))
    (total,) = engine.train(one_step(laid_out([[1, 1]], bos=2, block_size=4)), np.array([0.01]))
    assert total.nats == math.inf
    assert engine.state().updates == 0


def test_softmax_on_floats_and_on_values_gives_the_same_bits() -> None:
    rng = random.Random(1)
    for _ in range(1000):
        scores = [rng.gauss(0, 1) for _ in range(8)]
        values = [v.data for v in softmax([Value(s) for s in scores])]  # type: ignore[union-attr]
        assert softmax(list(scores)) == values


def test_losses_of_floats_and_of_values_are_the_same_bits() -> None:
    engine, ops = opened("scalar", CONFIG), ScalarOps()
    batch = laid_out(DOCUMENTS, bos=4, block_size=6)
    matrices = model.views(engine.state().parameters, CONFIG)
    nodes = {n: [[Value(x) for x in row] for row in m.tolist()] for n, m in matrices.items()}
    got: list[float] = []
    for d in range(len(batch)):
        tokens, targets = batch.document(d)
        logits = model.gpt(ops, CONFIG, nodes, tokens.tolist())
        got += [v.data for v in ops.cross_entropy(logits, targets.tolist())]  # type: ignore[union-attr]
    assert got == engine.losses(batch).tolist()


@pytest.mark.parametrize("mean", [709.0, 709.5, 709.75])
def test_perplexity_is_e_to_the_mean_wherever_that_is_a_number(mean: float) -> None:
    assert LossSum(mean, 1).perplexity == math.exp(mean)


def test_a_leaf_s_slope_on_itself_is_added_too() -> None:
    x = Value(1.0)
    (x * 2.0).backward()
    x.backward()
    assert x.grad == 3.0


def test_training_stops_where_a_loss_is_infinite(engine_name: str) -> None:
    huge = float(np.finfo(PRECISION[engine_name]).max) / 2 * (1 + 1e-4)
    config = GPTConfig(vocab_size=3, block_size=4, n_head=1, n_embd=1)
    w = model.views(flat := np.zeros(model.size(config)), config)
    w["wte"][:], w["lm_head"][0], w["lm_head"][1] = 1.0, huge, -huge
    engine = open_engine(engine_name, config)
    engine.load(State.fresh(flat))
    (total,) = engine.train(one_step(laid_out([[1]], bos=2, block_size=4)), np.array([0.01]))
    assert total.nats == math.inf
    assert engine.state().updates == 0


def test_scores_of_thousands_do_not_overflow_the_softmax(engine_name: str) -> None:
    engine = opened(engine_name, CONFIG)
    state = engine.state()
    for name in ("attn_wq", "attn_wk"):
        model.views(state.parameters, CONFIG)[f"layer0.{name}"][:] *= 300.0
    engine.load(state)
    # A softmax this sharp picks one position: sharper still changes nothing.
    losses = engine.losses(laid_out(DOCUMENTS, 4, 6))
    model.views(state.parameters, CONFIG)["layer0.attn_wq"][:] *= 100.0
    engine.load(state)
    assert np.isfinite(losses).all()
    assert engine.losses(laid_out(DOCUMENTS, 4, 6)) == pytest.approx(losses, rel=1e-6)


# --- true, and not held by the six files --------------------------------------------------------


def test_sixty_diamonds_have_two_to_the_sixty_paths() -> None:
    x = y = Value(1.0)
    for _ in range(60):
        y = y + y
    y.backward()
    assert x.grad == 2.0**60


def test_gradients_are_of_the_sum_over_documents(engine_name: str) -> None:
    engine = opened(engine_name, CONFIG)
    whole = engine.gradients(laid_out(DOCUMENTS, 4, 6))
    parts = [engine.gradients(laid_out([d], 4, 6)) for d in DOCUMENTS]
    for name, g in whole.items():
        assert g == pytest.approx(sum(p[name] for p in parts), rel=1e-6, abs=hair(engine_name))


def test_a_loss_that_breaks_at_the_third_step_leaves_two_updates(engine_name: str) -> None:
    data = laid_out([[0], [1], [2], [3]], bos=4, block_size=6)
    batches = Plan(data, order="once").batches(0, 4)
    state = opened(engine_name, CONFIG).state()
    third = int(batches.step(2).tokens_N[1])
    model.views(state.parameters, CONFIG)["wte"][third] = np.nan
    engine, other = open_engine(engine_name, CONFIG), open_engine(engine_name, CONFIG)
    engine.load(state), other.load(state)
    sums = engine.train(batches, np.full(4, 0.01))
    assert [math.isfinite(s.nats) for s in sums] == [True, True, False]
    other.train(Plan(data, order="once").batches(0, 2), np.full(2, 0.01))
    a, b = engine.state(), other.state()
    assert (a.updates, b.updates) == (2, 2)
    for name in ("parameters", *SLOTS):
        assert np.array_equal(a.buffers[name], b.buffers[name], equal_nan=True)


@pytest.mark.parametrize("loss", ["linear", "quadratic"])
def test_what_is_reported_is_nats_whatever_is_pushed_down(
    engine_name: str, loss: ObjectiveName
) -> None:
    engine = opened(engine_name, CONFIG, loss=loss)
    batch = laid_out(DOCUMENTS, 4, 6)
    expected = math.fsum(opened(engine_name, CONFIG).losses(batch).tolist())
    assert math.fsum(engine.losses(batch).tolist()) == pytest.approx(expected, rel=1e-6)
    (total,) = engine.train(one_step(batch), np.array([0.01]))
    assert total.nats == pytest.approx(expected, rel=1e-6)


def test_eps_keeps_the_division_finite_and_counts(engine_name: str) -> None:
    # With a first update m_hat / (sqrt(v_hat) + eps) is g / (|g| + eps): eps = 1 shows.
    engine = opened(engine_name, CONFIG, optimizer=Optimizer(0.5, 0.5, 1.0))
    batch = laid_out(DOCUMENTS, 4, 6)
    g = np.concatenate([x.ravel() for x in engine.gradients(batch).values()]) / batch.positions
    before = engine.state().parameters
    engine.train(one_step(batch), np.array([0.5]))
    step = before - engine.state().parameters
    assert step == pytest.approx(
        0.5 * g / (np.abs(g) + 1.0), rel=1e-6, abs=max(1e-9, hair(engine_name))
    )


def test_later_tokens_change_no_earlier_loss(engine_name: str) -> None:
    engine = opened(engine_name, CONFIG)
    a, b = (engine.losses(laid_out([[0, 1, 2, x, x]], 4, 6)) for x in (0, 3))
    assert a[:3] == pytest.approx(b[:3], rel=1e-6)


@pytest.mark.parametrize("loss", ["cross-entropy", "linear", "quadratic"])
def test_objective_values_and_weights_are_within_4_ulp(loss: str) -> None:
    rng = random.Random(5)
    objective = OBJECTIVES[loss]
    with mpmath.workdps(700):
        for nats in [0.0, 1e-300, 700.0, *(10 ** rng.uniform(-300, 2.84) for _ in range(300))]:
            p = mpmath.exp(-mpmath.mpf(nats))
            value, weight = {
                "cross-entropy": (mpmath.mpf(nats), mpmath.mpf(1)),
                "linear": (1 - p, p),
                "quadratic": ((1 - p) ** 2, 2 * p * (1 - p)),
            }[loss]
            for got, true in ((objective.value(nats), value), (objective.weight(nats), weight)):
                assert abs(got - true) <= 4 * mpmath.mpf(math.ulp(float(true)))


@pytest.mark.parametrize("loss", ["cross-entropy", "linear", "quadratic"])
def test_an_objective_s_slope_on_logits_is_its_weight_times_cross_entropy_s(loss: str) -> None:
    rng, objective, h = random.Random(6), OBJECTIVES[loss], 1e-5
    logits = [rng.gauss(0, 2) for _ in range(5)]
    for target, i in itertools.product(range(5), range(5)):
        nats, slopes = cross_entropy(logits, target)
        up, down = ([z + s * h * (j == i) for j, z in enumerate(logits)] for s in (1, -1))
        rise = objective.value(cross_entropy(up, target)[0])
        rise -= objective.value(cross_entropy(down, target)[0])
        assert objective.weight(nats) * slopes[i] == pytest.approx(rise / (2 * h), abs=1e-9)


def test_adam_s_corrections_are_exact_to_a_unit() -> None:
    for b1, b2, t in itertools.product((0.0, 0.85, 0.9), (0.95, 0.99, 0.999), (1, 2, 50, 10_000)):
        for got, b in zip(Optimizer(b1, b2).corrections(t), (b1, b2)):
            assert got == pytest.approx(float(1 - mpmath.mpf(b) ** t), rel=0, abs=2.3e-16)
    assert Optimizer.of(TrainConfig(beta1=0.1, beta2=0.2, eps=0.3)) == Optimizer(0.1, 0.2, 0.3)


def test_dot_sums_the_slopes_of_a_number_that_stands_twice() -> None:
    x = Value(3.0)
    dot([x, x], [x, Value(1.0)]).backward()
    assert x.grad == 7.0


def test_the_table_has_a_block_of_six_matrices_a_layer() -> None:
    table = model.parameters(GPTConfig(vocab_size=7, block_size=3, n_layer=2, n_embd=8))
    names = ["attn_wq", "attn_wk", "attn_wv", "attn_wo", "mlp_fc1", "mlp_fc2"]
    shapes: list[NDArray[np.int64] | tuple[int, int]] = [(8, 8)] * 4 + [(32, 8), (8, 32)]
    expected = [(f"layer{i}.{n}", s) for i in range(2) for n, s in zip(names, shapes)]
    assert [(p.name, p.shape) for p in table[3:]] == expected
    assert [p.std for p in model.parameters(GPTConfig(vocab_size=7, zero_init=True))][6::2] == [
        0,
        0,
    ]
