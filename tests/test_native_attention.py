"""Attention head by head: long documents in tiles, and short blocks with scores of all pairs."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.data.plan import Plan
from microgpt.engines import why_not_native
from microgpt.optim import Optimizer
from tests.conftest import REQUIRED, laid_out, some
from tests.test_engines_agree import numpy_losses, slope

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.engines.native import BUILDS, NativeEngine
from tests.native_engines import native, numbers
from tests.native_programs import megabytes

# Lengths around those of a vector, of a tile of 128 and of two.
LENGTHS = (25, 31, 32, 33, 63, 64, 65, 127, 128, 129, 130, 257)
# How many tokens documents share, of which each has 29 more.
SHARED = (5, 15, 16, 17, 31, 32, 34, 63, 64, 65, 127, 128, 129, 139)
# Heads of width 1, 3, 4, 5, 8, 16, 20 and 24.
HEADS = [(16, 16), (2, 6), (4, 16), (3, 15), (2, 16), (2, 32), (2, 40), (1, 24)]
LONG = GPTConfig(vocab_size=7, block_size=257, n_layer=1, activation="squared-relu")
# Short blocks, with heads of 4, 8, 16 and 32: whole vectors, the first two in some builds alone.
SHORT = replace(LONG, block_size=64)
SHORT_LENGTHS = (1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64)
CONFIGS = [replace(LONG, n_head=heads, n_embd=width) for heads, width in HEADS] + [
    replace(SHORT, n_head=heads, n_embd=width)
    for heads, width in ((4, 16), (2, 16), (2, 32), (2, 64))
]
# In each of these, one way of computing attention serves documents of all lengths, in every build.
UNIFORM = CONFIGS[:8] + CONFIGS[10:]


def named(config: GPTConfig) -> str:
    return f"K{config.n_embd // config.n_head}T{config.block_size}"


def lengths_of(config: GPTConfig) -> tuple[int, ...]:
    return LENGTHS if config.block_size > 64 else SHORT_LENGTHS


def tokens(length: int, seed: int) -> list[int]:
    return np.random.default_rng(seed).integers(0, 6, length - 1).tolist()


def documents(*lengths: int) -> Batch:
    return laid_out([tokens(T, seed) for seed, T in enumerate(lengths)], 6, 257)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_losses_of_documents_are_as_near_the_truth_as_plain_float32(
    config: GPTConfig, build: str
) -> None:
    batch, flat = documents(*lengths_of(config)), numbers(config).parameters
    truth = numpy_losses(config, flat, batch)
    plain = numpy_losses(config, flat.astype(np.float32), batch)
    few_ulp = 8 * float(np.finfo(np.float32).eps) * truth.max()
    error = np.abs(native(config, build=build).losses(batch) - truth).max()
    assert error <= 2 * np.abs(plain - truth).max() + few_ulp


@cache
def slopes(config: GPTConfig) -> list[tuple[str, np.ndarray, float]]:
    """Return the gradients along random directions, a matrix of attention each, in numpy."""
    batch, flat, rng = (
        documents(*lengths_of(config)),
        numbers(config).parameters,
        np.random.default_rng(5),
    )
    found: list[tuple[str, np.ndarray, float]] = []
    for name in ("wpe", *(f"layer0.attn_w{part}" for part in "qkvo")):
        direction = np.zeros_like(flat, dtype=np.float64)
        along = model.views(direction, config)[name]
        along[:] = rng.normal(size=along.shape)
        found.append((name, along, slope(config, "cross-entropy", flat, batch, direction)))
    return found


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("config", some(CONFIGS, 1, 2, 5, 7, 9, 10, 11), ids=named)
def test_gradients_of_documents_are_central_differences(config: GPTConfig, build: str) -> None:
    gradients = native(config, build=build).gradients(documents(*lengths_of(config)))
    for name, along, expected in slopes(config):
        hair = 1e-5 * np.abs(gradients[name]).max() * np.sqrt((along * along).sum())
        assert float((gradients[name] * along).sum()) == pytest.approx(
            expected, rel=1e-5, abs=hair
        ), name


@pytest.mark.parametrize("config", UNIFORM, ids=named)
def test_a_position_s_loss_depends_on_no_later_one_by_a_bit(config: GPTConfig) -> None:
    engine, text = native(config), tokens(config.block_size, 3)
    whole_T = engine.losses(laid_out([text], 6, 257))
    for T in lengths_of(config)[:-1]:
        # The last target of the shorter document is its end.
        part_T = engine.losses(laid_out([text[: T - 1]], 6, 257))
        assert (part_T[:-1] == whole_T[: T - 1]).all()


@pytest.mark.parametrize("config", CONFIGS, ids=named)
def test_a_shared_beginning_of_documents_is_computed_once_and_changes_no_bit(
    config: GPTConfig,
) -> None:
    start, T = tokens(140, 3), config.block_size
    texts = [start[:n] + tokens(30, n) for n in SHARED if n + 30 <= T]
    batch = laid_out(texts, 6, 257)
    engines = [native(config, threads) for threads in (1, 2)]
    alone_N = np.concatenate(
        [engines[0].losses(batch.take(np.array([d]))) for d in range(len(batch))]
    )
    for engine in engines:
        assert (engine.losses(batch) == alone_N).all()


@pytest.mark.parametrize("config", some(CONFIGS, 2, 5, 10), ids=named)
def test_threads_and_dropout_leave_long_trainings_bit_identical(config: GPTConfig) -> None:
    batches = Plan(documents(*lengths_of(config)), batch_size=6).batches(0, 3)
    states: list[list[bytes]] = []
    for threads in (1, 2, 3):
        engine = NativeEngine(config, Optimizer(dropout=0.3), "cross-entropy", threads)
        engine.load(numbers(config))
        engine.train(batches, np.full(3, 0.01))
        states.append([buffer.tobytes() for buffer in engine.state().buffers.values()])
    assert states[0] == states[1] == states[2]


@pytest.mark.parametrize("config", some(CONFIGS, 2, 5, 10), ids=named)
def test_scores_far_apart_give_finite_losses(config: GPTConfig) -> None:
    # Hundreds of nats apart: exponentials overflow unless they are relative to the largest.
    engine, state = native(config), numbers(config)
    wild = state.parameters.copy()
    for part in "qk":
        model.views(wild, config)[f"layer0.attn_w{part}"][:] *= 60.0
    engine.load(replace(state, parameters=wild))
    batch = documents(config.block_size)
    truth = numpy_losses(config, wild, batch)
    plain = numpy_losses(config, wild.astype(np.float32), batch)
    error = np.abs(engine.losses(batch) - truth).max()
    assert error <= 8 * np.abs(plain - truth).max()
    assert all(np.isfinite(g).all() for g in engine.gradients(batch).values())


@pytest.mark.skipif(sys.platform == "win32", reason="memory is asked of the operating system")
def test_the_memory_of_a_document_is_linear_in_its_length() -> None:
    # Its probabilities alone would be 2 GB, as many as it has pairs of positions and heads.
    before = (
        "T = 11_000\n"
        "config = GPTConfig(vocab_size=5, block_size=T, n_layer=1, n_head=4, n_embd=16)\n"
        "engine = native(config)\n"
        "batches = Plan(lay_out([[t % 4 for t in range(T - 1)]], 4, T).batch).batches(0, 1)"
    )
    work = "assert np.isfinite(engine.train(batches, np.array([0.01])).nats_K).all()"
    assert megabytes(before, work) < 100.0
