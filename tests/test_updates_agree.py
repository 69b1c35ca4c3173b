"""An update by each engine against the same in numpy: Adam, Muon, weight decay, dropout."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.data.plan import Plan
from microgpt.engines.contract import SLOTS, State
from microgpt.model.dropout import Dropping
from microgpt.optim import Optimizer
from tests.conftest import laid_out, opened
from tests.test_engines_agree import CONFIG, DOCUMENTS, MODERN, TOLERANCE, configured, numpy_losses


@pytest.fixture
def batch() -> Batch:
    return laid_out(DOCUMENTS, bos=4, block_size=6)


def test_ten_updates_are_those_of_adam_in_numpy(engine_name: str) -> None:
    data = laid_out([[i % 4, (i * 3) % 4, i % 3] for i in range(7)], bos=4, block_size=6)
    plan, adam, lr = (
        Plan(data, batch_size=3),
        Optimizer(0.8, 0.95, 1e-8),
        np.linspace(0.02, 0.002, 10),
    )
    engine = opened(engine_name, CONFIG, optimizer=adam)
    state = engine.state()
    p, m, v = state.parameters, *(state.slots[name] for name in SLOTS)
    other = opened("scalar", CONFIG)
    for t in range(1, 11):
        step = plan.batches(t - 1, 1).step(0)
        other.load(State.fresh(p))
        g = np.concatenate([x.ravel() for x in other.gradients(step).values()]) / step.positions
        m = adam.beta1 * m + (1 - adam.beta1) * g
        v = adam.beta2 * v + (1 - adam.beta2) * g**2
        m_hat, v_hat = m / (1 - adam.beta1**t), v / (1 - adam.beta2**t)
        p = p - lr[t - 1] * m_hat / (np.sqrt(v_hat) + adam.eps)
    engine.train(plan.batches(0, 10), lr)
    after = engine.state()
    tolerance = TOLERANCE[engine_name] * 100
    assert after.parameters == pytest.approx(p, rel=tolerance, abs=tolerance)
    assert after.slots["adam.m"] == pytest.approx(m, rel=tolerance, abs=tolerance)
    assert after.slots["adam.v"] == pytest.approx(v, rel=tolerance, abs=tolerance)


def numpy_muon(
    flat: NDArray[np.float64],
    ahead: NDArray[np.float64],
    lr: float,
    config: GPTConfig = MODERN,
) -> None:
    """Update the layers' matrices: apply the polynomial to their singular values."""
    matrices, directions = model.views(flat, config), model.views(ahead, config)
    for p in filter(lambda p: p.hidden, model.parameters(config)):
        u, s, vt = np.linalg.svd(directions[p.name], full_matrices=False)
        s = s / (np.sqrt((s * s).sum()) + 1e-7)
        for _ in range(5):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        matrices[p.name] -= lr * max(1.0, p.shape[0] / p.shape[1]) ** 0.5 * (u * s) @ vt


def test_five_updates_are_those_of_muon_in_numpy(engine_name: str) -> None:
    data = laid_out([[i % 4, (i * 3) % 4, i % 3] for i in range(7)], bos=4, block_size=6)
    plan, lr = Plan(data, batch_size=3), np.linspace(0.02, 0.01, 5)
    optimizer = Optimizer(0.8, 0.95, muon=2.0, momentum=0.9, weight_decay=0.5)
    engine = opened(engine_name, MODERN, optimizer=optimizer)
    state = engine.state()
    p, m, v = state.parameters, *(state.slots[name] for name in SLOTS)
    hidden = np.concatenate([np.full(x.size, x.hidden) for x in model.parameters(MODERN)])
    other = opened("scalar", MODERN)
    for t in range(1, 6):
        step = plan.batches(t - 1, 1).step(0)
        other.load(State.fresh(p))
        g = np.concatenate([x.ravel() for x in other.gradients(step).values()]) / step.positions
        keep = np.where(hidden, 0.9, 0.8)
        m = keep * m + (1 - keep) * g
        v = np.where(hidden, v, 0.95 * v + 0.05 * g**2)
        adam = m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-8)
        p = np.where(hidden, p * (1 - lr[t - 1] * 2.0 * 0.5), p - lr[t - 1] * adam)
        numpy_muon(p, 0.9 * m + 0.1 * g, lr[t - 1] * 2.0)
    engine.train(plan.batches(0, 5), lr)
    after = engine.state()
    tolerance = TOLERANCE[engine_name] * 10 + 1e-9
    assert after.parameters == pytest.approx(p, rel=tolerance, abs=tolerance)
    assert after.slots["adam.m"] == pytest.approx(m, rel=tolerance, abs=tolerance)
    assert after.slots["adam.v"] == pytest.approx(v, rel=tolerance, abs=tolerance)


def test_weight_decay_under_adam_shrinks_the_layers_matrices_alone(engine_name: str) -> None:
    batch = laid_out(DOCUMENTS, bos=4, block_size=6)
    steps, lr = Plan(batch, batch_size=3).batches(0, 1), np.array([0.01])
    plain, decayed = (
        opened(engine_name, CONFIG, optimizer=Optimizer(weight_decay=decay)) for decay in (0.0, 2.0)
    )
    before = model.views(plain.state().parameters, CONFIG)
    plain.train(steps, lr)
    decayed.train(steps, lr)
    less = model.views(plain.state().parameters - decayed.state().parameters, CONFIG)
    for p in model.parameters(CONFIG):
        expected = before[p.name] * (0.01 * 2.0 if p.hidden else 0.0)
        assert less[p.name] == pytest.approx(expected, abs=1e-6), p.name


@pytest.mark.parametrize("config", [configured("relu"), MODERN])
def test_what_dropout_leaves_out_has_no_part_in_a_step(
    engine_name: str, config: GPTConfig, batch: Batch
) -> None:
    config = GPTConfig(**{**vars(config), "n_layer": 1})
    optimizer = Optimizer(beta1=0.0, dropout=0.4, seed=7)
    engine = opened(engine_name, config, optimizer=optimizer)
    flat = engine.state().parameters
    steps = Plan(batch, batch_size=len(batch), order="once").batches(0, 1)
    dropping = Dropping(0.4, seed=7, update=1)
    (total,) = engine.train(steps, np.array([1e-9]))
    truth = numpy_losses(config, flat, steps, dropping)
    assert total.nats == pytest.approx(truth.sum(), rel=TOLERANCE[engine_name])
    assert total.nats != pytest.approx(numpy_losses(config, flat, steps).sum(), rel=1e-3)
    # With beta1 = 0 the first moment is the gradient of the mean.
    slopes, h = engine.state().slots["adam.m"] * steps.positions, 1e-5
    rng = np.random.default_rng(0)
    for direction in rng.normal(size=(8, len(flat))):
        above, below = (
            numpy_losses(config, flat + sign * h * direction, steps, dropping).sum()
            for sign in (1, -1)
        )
        along = float(slopes @ direction)
        assert along == pytest.approx((above - below) / (2 * h), rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("n_embd", [20, 40])
def test_muon_turns_matrices_of_any_width(engine_name: str, n_embd: int, batch: Batch) -> None:
    if (engine_name, n_embd) == ("scalar", 40):
        pytest.skip("scalars stand in no vectors, which a width could fill or not")
    config = GPTConfig(**{**vars(MODERN), "n_embd": n_embd, "n_layer": 1})
    engine = opened(engine_name, config, optimizer=Optimizer(muon=1.0, momentum=0.0))
    expected = engine.state().parameters
    steps = Plan(batch, batch_size=len(batch)).batches(0, 1)
    slopes = np.concatenate([x.ravel() for x in engine.gradients(steps).values()])
    engine.train(steps, np.array([0.1]))
    numpy_muon(expected, slopes / steps.positions, 0.1, config)
    after = model.views(engine.state().parameters, config)
    for p in filter(lambda p: p.hidden, model.parameters(config)):
        truth = model.views(expected, config)[p.name]
        assert after[p.name] == pytest.approx(truth, abs=TOLERANCE[engine_name]), p.name
