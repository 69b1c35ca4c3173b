"""The native engine's logits of a whole batch, computed at once: its losses follow from them."""

from __future__ import annotations

import numpy as np
import pytest

from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.engines import why_not_native
from microgpt.engines.contract import Floats
from microgpt.errors import UsageError
from tests.conftest import REQUIRED, laid_out

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.engines.native import BUILDS
from tests.native_engines import SHAPES, documents, named, native

EPS = float(np.finfo(np.float32).eps)
ROTARY = GPTConfig(
    vocab_size=9, block_size=12, n_layer=2, n_head=2, n_embd=20, activation="squared-relu",
    position="rotary", qk_norm=True, final_norm=True,
)  # fmt: skip


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("config", [*SHAPES, ROTARY], ids=named)
def test_logits_are_those_of_a_decoder_token_by_token(config: GPTConfig, build: str) -> None:
    batch, engine = documents(config), native(config, build=build)
    logits_NV = engine.logits(batch)
    assert logits_NV.shape == (batch.positions, config.vocab_size)
    assert logits_NV.dtype == np.float64
    pushed: list[Floats] = []
    for d in range(len(batch)):
        decoder = engine.decoder(1)
        pushed += [decoder.push([int(token)]) for token in batch.document(d)[0]]
    # Sums over the positions attended to may be made in another order: a few roundings of float32.
    error = np.abs(logits_NV - np.concatenate(pushed)).max()
    assert error <= 16 * EPS * np.abs(logits_NV).max()


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("config", [*SHAPES, ROTARY], ids=named)
def test_their_cross_entropy_is_the_loss(config: GPTConfig, build: str) -> None:
    # One document is longer than the block: it is read in windows.
    text = [i * i % (config.vocab_size - 1) for i in range(2 * config.block_size + 1)]
    batch = laid_out([text, [0], []], config.vocab_size - 1, config.block_size)
    engine = native(config, build=build)
    logits_NV = engine.logits(batch)
    top_N = logits_NV.max(axis=1)
    log_totals_N = top_N + np.log(np.exp(logits_NV - top_N[:, None]).sum(axis=1))
    expected = log_totals_N - logits_NV[np.arange(batch.positions), batch.targets_N]
    # The engine's exponentials and their sum are float32.
    assert np.abs(engine.losses(batch) - expected).max() <= 8 * EPS * max(1.0, np.ptp(logits_NV))


@pytest.mark.parametrize("build", BUILDS)
def test_logits_are_the_same_bits_for_any_threads_and_any_company(build: str) -> None:
    # Rows of logits so long that this batch is worked on in many pieces.
    wide = GPTConfig(vocab_size=20_000, block_size=8, n_layer=1, n_head=1, n_embd=4)
    for config in (SHAPES[0], SHAPES[3], SHAPES[5], ROTARY, wide):
        V, T = config.vocab_size, config.block_size
        batch = laid_out([[i * j % (V - 1) for j in range(i % T)] for i in range(60)], V - 1, T)
        expected = native(config, 1, build).logits(batch)
        for threads in (2, 3):
            engine = native(config, threads, build)
            assert np.array_equal(engine.logits(batch), expected)
            for d in (0, 31, 59):
                start, stop = batch.documents[d : d + 2]
                alone = engine.logits(batch.take(np.array([d])))
                assert np.array_equal(alone, expected[start:stop])


def test_logits_follow_the_parameters_and_read_no_targets() -> None:
    config = SHAPES[3]
    batch, engine = documents(config), native(config)
    before = engine.logits(batch)
    no_targets = Batch(batch.tokens_N, np.full_like(batch.targets_N, -1), batch.documents)
    assert np.array_equal(engine.logits(no_targets), before)
    state = engine.state()
    state.parameters *= 0.0
    engine.load(state)
    assert not engine.logits(batch).any()


@pytest.mark.parametrize(
    ("tokens", "offsets", "text"),
    [
        ([1, 7], [0, 2], "token at position 1 must be in [0, 5); got 7."),
        ([1, -1], [0, 2], "token at position 1 must be in [0, 5); got -1."),
        ([1] * 7, [0, 7], "a document must have 1 to block_size=6 positions; got 7 in"),
        ([1, 1], [0, 5, 2], "a document must have 1 to block_size=6 positions; got 5 in"),
        ([1, 1], [0, 3], "documents must run from position 0 to the last; got 0 to 3 of 2 tokens."),
        ([], [0], "a batch must have a document; got none."),
    ],
)
def test_what_has_no_logits_is_refused(tokens: list[int], offsets: list[int], text: str) -> None:
    ids = np.array(tokens, np.int32)
    with pytest.raises(UsageError) as caught:
        native(SHAPES[0]).logits(Batch(ids, ids, np.array(offsets, np.int64)))
    assert str(caught.value).startswith(text)


def test_logits_too_many_for_memory_are_refused_in_a_sentence() -> None:
    # 2^21 documents of 65,536 logits are 2^40 bytes.
    config = GPTConfig(vocab_size=65_536, block_size=1, n_layer=1, n_head=1, n_embd=1)
    n = 1 << 21
    ids = np.zeros(n, np.int32)
    with pytest.raises(UsageError, match=r"^what is computed at once must fit in memory"):
        native(config).logits(Batch(ids, ids, np.arange(n + 1, dtype=np.int64)))
