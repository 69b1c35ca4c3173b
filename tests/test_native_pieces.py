"""A batch too large to be worked on at once: in pieces, in bounded memory, as if it were whole."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch, Batches
from microgpt.engines import why_not_native
from microgpt.model.dropout import Dropping
from microgpt.optim import Optimizer
from tests.conftest import REQUIRED, laid_out, some
from tests.test_engines_agree import numpy_losses

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.engines.native import BUILDS, NativeEngine
from tests.native_engines import native, numbers
from tests.native_programs import megabytes


def in_one(batch: Batch) -> Batches:
    steps = np.array([0, len(batch)], dtype=np.int64)
    return Batches(batch.tokens_N, batch.targets_N, batch.documents, steps)


@pytest.mark.slow
def test_a_batch_of_many_pieces_makes_the_update_of_a_whole_one() -> None:
    # Long rows of logits: 16 Mi floats are some 12,000 positions, and this batch has more.
    config = GPTConfig(vocab_size=1_000, block_size=8, n_layer=1, n_head=1, n_embd=4)
    data = laid_out([[i % 19, i % 17, i % 13] * 2 for i in range(2_600)], 999, 8)
    engine = native(config)
    engine.train(in_one(data), np.array([0.01]))
    g = native(config).gradients(data)
    flat = np.concatenate([x.ravel() for x in g.values()]) / data.positions
    assert engine.state().slots["adam.m"] == pytest.approx(0.15 * flat, rel=1e-4, abs=1e-7)
    halves = [data.take(np.arange(a, a + 1_300)) for a in (0, 1_300)]
    summed = sum(native(config).gradients(half)["layer0.mlp_fc1"] for half in halves)
    assert g["layer0.mlp_fc1"] == pytest.approx(summed, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("build", BUILDS)
def test_dropout_counts_the_positions_of_the_pieces_before(build: str) -> None:
    # Every document the same: only dropout tells one piece from another. 16 Mi floats are some
    # 12,000 positions with such long rows of logits, and this batch has 14,000.
    config = GPTConfig(
        vocab_size=1_000,
        block_size=64,
        n_layer=1,
        n_head=1,
        n_embd=4,
        activation="squared-relu",
        position="rotary",
        qk_norm=True,
    )
    data = laid_out([[0, 1, 2] * 21] * 220, 999, config.block_size)
    engine = NativeEngine(config, Optimizer(dropout=0.5, seed=5), "cross-entropy", 2, build)
    engine.load(numbers(config))
    (sums,) = engine.train(in_one(data), np.array([0.01]))
    flat, dropping = numbers(config).parameters, Dropping(0.5, seed=5, update=1)
    assert sums.nats == pytest.approx(numpy_losses(config, flat, data, dropping).sum(), rel=1e-5)
    moments = model.views(engine.state().slots["adam.m"], config)
    direction, rng = np.zeros(len(flat)), np.random.default_rng(1)
    along = model.views(direction, config)["layer0.attn_wo"]
    along[:] = rng.normal(size=along.shape)
    h = 1e-5
    above, below = (
        numpy_losses(config, flat + s * h * direction, data, dropping).mean() for s in (1, -1)
    )
    gradient = float((moments["layer0.attn_wo"] * along).sum()) / 0.15
    assert gradient == pytest.approx((above - below) / (2 * h), rel=1e-4, abs=1e-6)


@pytest.mark.skipif(sys.platform == "win32", reason="memory is asked of the operating system")
@pytest.mark.parametrize("call", some(["losses(data)", "train(batches, np.array([0.01]))"], 0))
def test_a_large_batch_takes_no_more_memory_than_its_pieces(call: str) -> None:
    # Its logits alone are 1.5 GB; a piece of them is 64 MiB, with room to grow by a quarter.
    before = (
        "config = GPTConfig(vocab_size=20_000, block_size=1, n_layer=1, n_head=1, n_embd=1)\n"
        "engine = native(config, threads=2)\n"
        "data = lay_out([[]] * 19_000, 19_999, 1).batch\n"
        "step = np.array([0, len(data)], dtype=np.int64)\n"
        "batches = Batches(data.tokens_N, data.targets_N, data.documents, step)"
    )
    assert megabytes(before, f"engine.{call}") < 400.0
