"""The engines against finite differences, against numpy, and against each other."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from microgpt import model
from microgpt.batch import Batch, Plan
from microgpt.config import Activation, GPTConfig, ObjectiveName
from microgpt.engines.contract import Engine, State
from microgpt.loss import OBJECTIVES
from microgpt.optim import Adam
from tests.conftest import laid_out, opened

# How far an engine may lie from the float64 truth, relative to the largest number beside it.
TOLERANCE = {"scalar": 1e-12, "native": 1e-5}
CONFIG = GPTConfig(vocab_size=5, block_size=6, n_layer=2, n_head=2, n_embd=8)
DOCUMENTS = [[0, 1, 2, 3, 0], [3], [2, 1, 1]]
OBJECTIVE_NAMES: tuple[ObjectiveName, ...] = ("cross-entropy", "linear", "quadratic")
ACTIVATIONS: tuple[Activation, ...] = ("relu", "squared-relu")
KINDS = list(itertools.product(OBJECTIVE_NAMES, ACTIVATIONS))


def configured(activation: Activation) -> GPTConfig:
    return GPTConfig(**{**vars(CONFIG), "activation": activation})


@pytest.fixture
def batch() -> Batch:
    return laid_out(DOCUMENTS, bos=4, block_size=6)


def numpy_losses(config: GPTConfig, flat: NDArray[np.float64], batch: Batch) -> NDArray[np.float64]:
    """The forward pass written anew: whole matrices, a mask, heads by reshaping."""
    w = model.views(flat, config)
    H, K = config.n_head, config.n_embd // config.n_head

    def norm(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)

    losses = []
    for d in range(len(batch)):
        tokens, targets = batch.document(d)
        T = len(tokens)
        x = norm(w["wte"][tokens] + w["wpe"][:T])
        for i in range(config.n_layer):
            h = norm(x)
            q, k, v = (
                (h @ w[f"layer{i}.attn_w{name}"].T).reshape(T, H, K).swapaxes(0, 1)
                for name in "qkv"
            )
            scores = q @ k.swapaxes(1, 2) / np.sqrt(K)
            scores[:, np.triu(np.ones((T, T), bool), 1)] = -np.inf
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            mixed = (weights @ v).swapaxes(0, 1).reshape(T, H * K)
            x = x + mixed @ w[f"layer{i}.attn_wo"].T
            h = np.maximum(norm(x) @ w[f"layer{i}.mlp_fc1"].T, 0)
            h = h * h if config.activation == "squared-relu" else h
            x = x + h @ w[f"layer{i}.mlp_fc2"].T
        logits = x @ w["lm_head"].T
        log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        losses.append(-log_p[np.arange(T), targets])
    return np.concatenate(losses)


def objective(config: GPTConfig, flat: NDArray[np.float64], batch: Batch, loss: str) -> float:
    return sum(map(OBJECTIVES[loss].value, numpy_losses(config, flat, batch).tolist()))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_losses_are_those_of_a_forward_pass_in_numpy(
    engine_name: str, activation: Activation, batch: Batch
) -> None:
    config = configured(activation)
    engine = opened(engine_name, config)
    truth = numpy_losses(config, engine.state().parameters, batch)
    assert engine.losses(batch) == pytest.approx(truth, rel=TOLERANCE[engine_name])


@cache
def differences(
    config: GPTConfig, loss: ObjectiveName, numbers: tuple[float, ...]
) -> NDArray[np.float64]:
    batch, h = laid_out(DOCUMENTS, bos=4, block_size=6), 1e-5
    flat = np.array(numbers)
    truth = np.zeros_like(flat)
    for i in range(len(flat)):
        up, down = flat.copy(), flat.copy()
        up[i] += h
        down[i] -= h
        rise = objective(config, up, batch, loss) - objective(config, down, batch, loss)
        truth[i] = rise / (2 * h)
    return truth


@pytest.mark.parametrize(("loss", "activation"), KINDS)
def test_all_gradients_are_those_of_central_differences(
    engine_name: str, loss: ObjectiveName, activation: Activation, batch: Batch
) -> None:
    config = configured(activation)
    engine = opened(engine_name, config, loss=loss)
    gradients = engine.gradients(batch)
    assert list(gradients) == [p.name for p in model.parameters(config)]
    truth = differences(config, loss, tuple(engine.state().parameters.tolist()))
    for name, expected in model.views(truth, config).items():
        scale = np.abs(expected).max()
        hair = max(1e-7, TOLERANCE[engine_name])
        assert gradients[name] == pytest.approx(expected, rel=1e-6, abs=hair * scale), name


@pytest.mark.parametrize("loss", OBJECTIVE_NAMES)
def test_an_objective_s_gradient_is_its_weights_times_cross_entropy_s(
    engine_name: str, loss: ObjectiveName, batch: Batch
) -> None:
    config = configured("relu")
    whole = opened(engine_name, config, loss=loss).gradients(batch)
    plain = opened("scalar", config)
    # The gradient of one position: what a document gains by being read one position further.
    for name in whole:
        total = np.zeros_like(whole[name])
        for d in range(len(batch)):
            tokens, targets = batch.document(d)
            before = np.zeros_like(total)
            for t in range(len(tokens)):
                part = Batch(tokens[: t + 1], targets[: t + 1], np.array([0, t + 1]))
                nats = float(plain.losses(part)[-1])
                upto = plain.gradients(part)[name]
                total += OBJECTIVES[loss].weight(nats) * (upto - before)
                before = upto
        hair = max(1e-12, TOLERANCE[engine_name] * np.abs(total).max())
        assert whole[name] == pytest.approx(total, rel=1e-9, abs=hair)


def test_ten_updates_are_those_of_adam_in_numpy(engine_name: str) -> None:
    data = laid_out([[i % 4, (i * 3) % 4, i % 3] for i in range(7)], bos=4, block_size=6)
    plan, adam, lr = Plan(data, batch_size=3), Adam(0.8, 0.95, 1e-8), np.linspace(0.02, 0.002, 10)
    engine = opened(engine_name, CONFIG, adam=adam)
    state = engine.state()
    p, m, v = state.parameters, state.m, state.v
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
    assert after.m == pytest.approx(m, rel=tolerance, abs=tolerance)
    assert after.v == pytest.approx(v, rel=tolerance, abs=tolerance)


def test_floats_and_values_give_equal_losses(batch: Batch) -> None:
    engine: Engine = opened("scalar", CONFIG)
    steps = Plan(batch, batch_size=len(batch), order="once").batches(0, 1)
    (with_slopes,) = engine.train(steps, np.zeros(1))
    without = engine.losses(steps)
    assert with_slopes.nats == pytest.approx(sum(without.tolist()), rel=1e-15)
