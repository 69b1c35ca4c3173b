"""The engines against finite differences, against numpy, and against each other."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from microgpt import model
from microgpt.config import Activation, GPTConfig, ObjectiveName
from microgpt.data.batch import Batch
from microgpt.data.plan import Plan
from microgpt.engines.contract import Engine
from microgpt.loss import OBJECTIVES, cross_entropy
from microgpt.model.dropout import Dropping
from tests.conftest import laid_out, opened, some

# How far an engine may lie from the float64 truth, relative to the largest number beside it.
TOLERANCE = {"scalar": 1e-12, "native": 1e-5, "torch": 1e-5}
CONFIG = GPTConfig(vocab_size=5, block_size=6, n_layer=2, n_head=2, n_embd=8)
DOCUMENTS = [[0, 1, 2, 3, 0], [3], [2, 1, 1]]
OBJECTIVE_NAMES: tuple[ObjectiveName, ...] = ("cross-entropy", "linear", "quadratic")
ACTIVATIONS: tuple[Activation, ...] = ("relu", "squared-relu")
MODERN = GPTConfig(
    **{
        **vars(CONFIG),
        "activation": "squared-relu",
        "position": "rotary",
        "qk_norm": True,
        "final_norm": True,
    }
)


def configured(activation: Activation) -> GPTConfig:
    return GPTConfig(**{**vars(CONFIG), "activation": activation})


CONFIGS = [*map(configured, ACTIVATIONS), MODERN]
# Heads as wide as vectors or wider, and of no power of two: each goes its own way.
WIDTHS = [(8, 4), (16, 2), (20, 2), (32, 1), (32, 2), (64, 1)]


@pytest.fixture
def batch() -> Batch:
    return laid_out(DOCUMENTS, bos=4, block_size=6)


def numpy_losses(
    config: GPTConfig, flat: NDArray[np.float64], batch: Batch, dropping: Dropping | None = None
) -> NDArray[np.float64]:
    """Compute the losses in numpy: whole matrices, a mask, heads by reshaping."""
    w = model.views(flat, config)
    H, K = config.n_head, config.n_embd // config.n_head

    def norm(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-5)

    def turned(x_HTK: NDArray[np.float64]) -> NDArray[np.float64]:
        # A pair as one complex number: turning is multiplying by one of modulus 1.
        pairs = x_HTK[..., : K // 2] + 1j * x_HTK[..., K // 2 :]
        places = np.arange(x_HTK.shape[1])[:, None]
        pairs = pairs * np.exp(-1j * places * 100.0 ** (-np.arange(K // 2) / (K // 2)))
        return np.concatenate([pairs.real, pairs.imag], -1)

    def masked(x: NDArray[np.float64], d: int, place: int) -> NDArray[np.float64]:
        if not dropping:
            return x
        here = dataclasses.replace(dropping, first=int(batch.documents[d]))
        keeps = [here.keeps(place, t, x.shape[1]) for t in range(len(x))]
        return np.where(keeps, x / (1 - dropping.share), 0.0)

    losses = []
    for d in range(len(batch)):
        tokens, targets = batch.document(d)
        T = len(tokens)
        x = w["wte"][tokens]
        x = norm(x + w["wpe"][:T] if config.position == "learned" else x)
        for i in range(config.n_layer):
            h = norm(x)
            q, k, v = (
                (h @ w[f"layer{i}.attn_w{name}"].T).reshape(T, H, K).swapaxes(0, 1)
                for name in "qkv"
            )
            if config.qk_norm:
                q, k = norm(q), norm(k)
            if config.position == "rotary":
                q, k = turned(q), turned(k)
            scores = q @ k.swapaxes(1, 2) / np.sqrt(K)
            scores[:, np.triu(np.ones((T, T), bool), 1)] = -np.inf
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            mixed = (weights @ v).swapaxes(0, 1).reshape(T, H * K)
            mixed = masked(mixed, d, 2 * i)
            x = x + mixed @ w[f"layer{i}.attn_wo"].T
            h = np.maximum(norm(x) @ w[f"layer{i}.mlp_fc1"].T, 0)
            h = h * h if config.activation == "squared-relu" else h
            h = masked(h, d, 2 * i + 1)
            x = x + h @ w[f"layer{i}.mlp_fc2"].T
        x = norm(x) if config.final_norm else x
        logits = x @ w["lm_head"].T
        shifted = logits - logits.max(-1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
        losses.append(-log_p[np.arange(T), targets])
    return np.concatenate(losses)


def objective(
    config: GPTConfig,
    flat: NDArray[np.float64],
    batch: Batch,
    loss: str,
    dropping: Dropping | None = None,
) -> float:
    losses_N = numpy_losses(config, flat, batch, dropping).tolist()
    return sum(map(OBJECTIVES[loss].value, losses_N))


@pytest.mark.parametrize("config", CONFIGS)
def test_losses_are_those_of_a_forward_pass_in_numpy(
    engine_name: str, config: GPTConfig, batch: Batch
) -> None:
    engine = opened(engine_name, config)
    truth = numpy_losses(config, engine.state().parameters, batch)
    assert engine.losses(batch) == pytest.approx(truth, rel=TOLERANCE[engine_name])


@pytest.mark.parametrize(("n_embd", "n_head"), some(WIDTHS, 0, 1, 2, 4))
def test_heads_of_any_width_are_normed_and_turned(
    engine_name: str, n_embd: int, n_head: int
) -> None:
    config = GPTConfig(**{**vars(MODERN), "n_embd": n_embd, "n_head": n_head, "n_layer": 1})
    engine = opened(engine_name, config)
    batch = laid_out(DOCUMENTS[:2], bos=4, block_size=6)
    truth = numpy_losses(config, engine.state().parameters, batch)
    assert engine.losses(batch) == pytest.approx(truth, rel=TOLERANCE[engine_name])
    # The scalar engine's gradients are held against differences: width is nothing to it.
    expected = {} if engine_name == "scalar" else opened("scalar", config).gradients(batch)
    slopes_of = engine.gradients(batch) if expected else {}
    for name, slopes in slopes_of.items():
        hair = TOLERANCE[engine_name] * np.abs(expected[name]).max()
        assert slopes == pytest.approx(expected[name], rel=1e-6, abs=hair), name
    decoder = engine.decoder(1)
    tokens, targets = batch.document(0)
    for t, (token, target) in enumerate(zip(tokens, targets)):
        logits_V = decoder.push(np.array([token]))[0]
        loss, _ = cross_entropy(logits_V.tolist(), int(target))
        assert loss == pytest.approx(truth[t], rel=TOLERANCE[engine_name])


def small(config: GPTConfig) -> GPTConfig:
    """The same kinds of layers with so few parameters that each can be moved."""
    return GPTConfig(**{**vars(config), "n_layer": 1, "n_embd": 4, "block_size": 4})


# A wrong gradient hides from one direction only if it is at right angles to it, as good as never;
# each of these has numbers drawn for all parameters of one matrix.
DIRECTIONS = 4


def slope(
    config: GPTConfig,
    loss: ObjectiveName,
    flat: NDArray[np.float64],
    batch: Batch,
    direction: NDArray[np.float64],
) -> float:
    """Return the directional derivative of the objective, by a central difference."""
    h = 1e-5 / np.sqrt((direction * direction).max())
    above, below = (objective(config, flat + s * h * direction, batch, loss) for s in (1, -1))
    return (above - below) / (2 * h)


CASES = pytest.mark.parametrize(
    ("loss", "config"),
    some([*itertools.product(OBJECTIVE_NAMES, CONFIGS[:2]), ("cross-entropy", MODERN)], 0, 3, 4, 6),
)


@CASES
def test_all_gradients_are_those_of_central_differences(
    engine_name: str, loss: ObjectiveName, config: GPTConfig
) -> None:
    config = small(config)
    batch = laid_out([[0, 1, 2], [3], [2, 1, 1]], bos=4, block_size=config.block_size)
    engine = opened(engine_name, config, loss=loss)
    gradients = engine.gradients(batch)
    flat = engine.state().parameters.astype(np.float64)
    assert list(gradients) == [p.name for p in model.parameters(config)]
    each = [slope(config, loss, flat, batch, direction) for direction in np.eye(len(flat))]
    for name, expected in model.views(np.array(each), config).items():
        scale = np.abs(expected).max()
        hair = max(1e-7, TOLERANCE[engine_name])
        assert gradients[name] == pytest.approx(expected, rel=1e-6, abs=hair * scale), name


@CASES
def test_along_any_direction_gradients_are_those_of_central_differences(
    engine_name: str, loss: ObjectiveName, config: GPTConfig, batch: Batch
) -> None:
    engine = opened(engine_name, config, loss=loss)
    gradients = engine.gradients(batch)
    flat = engine.state().parameters.astype(np.float64)
    rng = np.random.default_rng(1)
    for name, slopes in gradients.items():
        for _ in range(DIRECTIONS):
            direction = np.zeros_like(flat)
            along = model.views(direction, config)[name]
            along[:] = rng.normal(size=along.shape)
            expected = slope(config, loss, flat, batch, direction)
            # Each product is within a hair of the matrix's largest slope; their errors are drawn.
            hair = max(1e-7, TOLERANCE[engine_name]) * np.abs(slopes).max()
            hair *= np.sqrt((along * along).sum())
            assert float((slopes * along).sum()) == pytest.approx(expected, rel=1e-6, abs=hair), (
                name
            )


@pytest.mark.parametrize("loss", OBJECTIVE_NAMES)
def test_an_objective_s_gradient_is_its_weights_times_cross_entropy_s(
    engine_name: str, loss: ObjectiveName, batch: Batch
) -> None:
    config = configured("relu")
    whole = opened(engine_name, config, loss=loss).gradients(batch)
    plain = opened("scalar", config)
    totals = {name: np.zeros_like(slopes) for name, slopes in whole.items()}
    # The gradient of one position: what a document gains by being read one position further.
    for d in range(len(batch)):
        tokens, targets = batch.document(d)
        before = {name: np.zeros_like(slopes) for name, slopes in whole.items()}
        for t in range(len(tokens)):
            part = Batch(tokens[: t + 1], targets[: t + 1], np.array([0, t + 1]))
            weight = OBJECTIVES[loss].weight(float(plain.losses(part)[-1]))
            upto = plain.gradients(part)
            for name, total in totals.items():
                total += weight * (upto[name] - before[name])
            before = upto
    for name, total in totals.items():
        hair = max(1e-12, TOLERANCE[engine_name] * np.abs(total).max())
        assert whole[name] == pytest.approx(total, rel=1e-9, abs=hair)


def test_floats_and_values_give_equal_losses(batch: Batch) -> None:
    engine: Engine = opened("scalar", CONFIG)
    steps = Plan(batch, batch_size=len(batch), order="once").batches(0, 1)
    (with_slopes,) = engine.train(steps, np.zeros(1))
    without = engine.losses(steps)
    assert with_slopes.nats == pytest.approx(sum(without.tolist()), rel=1e-15)
