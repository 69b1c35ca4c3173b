"""The native engine: odd sizes, every build, any number of threads, and rejected arguments."""

from __future__ import annotations

import threading
from functools import cache

import numpy as np
import pytest

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.data.plan import Plan
from microgpt.engines import open_engine, why_not_native
from microgpt.engines.contract import SLOTS, State, Tensors
from tests.conftest import REQUIRED, laid_out, some
from tests.test_engines_agree import numpy_losses

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.engines.native import BUILDS
from tests.native_engines import SHAPES, documents, named, native, numbers


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("config", SHAPES, ids=named)
def test_losses_are_as_near_the_truth_as_plain_float32(config: GPTConfig, build: str) -> None:
    batch, flat = documents(config), numbers(config).parameters
    truth = numpy_losses(config, flat, batch)
    plain = numpy_losses(config, flat.astype(np.float32), batch)
    error = np.abs(native(config, build=build).losses(batch) - truth).max()
    few_ulp = 8 * float(np.finfo(np.float32).eps) * truth.max()
    assert error <= 2 * np.abs(plain - truth).max() + few_ulp


def shorter(config: GPTConfig) -> Batch:
    """Return documents that the scalar engine reads in less than a second, however wide it is."""
    longest = min(config.block_size, 800 // config.n_embd)
    return documents(GPTConfig(**{**vars(config), "block_size": longest}))


@cache
def scalar_gradients(config: GPTConfig) -> Tensors:
    reference = open_engine("scalar", config)
    reference.load(numbers(config))
    return reference.gradients(shorter(config))


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("config", some(SHAPES, 0, 1, 3, 7, 8), ids=named)
def test_gradients_are_the_scalar_engine_s(config: GPTConfig, build: str) -> None:
    gradients = native(config, build=build).gradients(shorter(config))
    for name, expected in scalar_gradients(config).items():
        hair = 1e-5 * np.abs(expected).max() + 1e-7
        assert np.abs(gradients[name] - expected).max() <= hair, name


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("config", SHAPES, ids=named)
def test_results_are_the_same_bits_for_any_number_of_threads(config: GPTConfig, build: str) -> None:
    data = laid_out(
        [
            [i * j % (config.vocab_size - 1) for j in range(i % config.block_size)]
            for i in range(90)
        ],
        config.vocab_size - 1,
        config.block_size,
    )
    batches = Plan(data, batch_size=30).batches(0, 5)
    results = []
    for threads in (1, 2, 3, 7):
        engine = native(config, threads, build)
        sums = engine.train(batches, np.full(5, 0.01))
        state = engine.state()
        buffers = (sums.nats_K, *state.buffers.values())
        results.append([buffer.tobytes() for buffer in buffers])
    assert all(other == results[0] for other in results[1:])


def test_many_threads_share_out_the_chunks_of_a_large_batch() -> None:
    config = GPTConfig(vocab_size=27, n_embd=16, n_layer=2, block_size=16)
    data = laid_out([[i * j % 26 for j in range(3 + i % 13)] for i in range(900)], 26, 16)
    batches = Plan(data, batch_size=450).batches(0, 3)
    assert batches.step(0).positions > 32 * 128  # 32 chunks, and as many groups of threads
    results: list[bytes] = []
    for threads in (1, 6, 16, 20, 64):
        engine = native(config, threads)
        engine.train(batches, np.full(3, 0.01))
        results.append(engine.state().parameters.tobytes())
    assert len({*results}) == 1


def test_a_run_goes_on_under_the_other_engine() -> None:
    config = SHAPES[0]
    batches = Plan(documents(config), batch_size=2).batches(0, 6)
    alone = native(config)
    sums = alone.train(batches, np.full(6, 0.01))
    scalar = open_engine("scalar", config)
    first = native(config)
    first.train(Plan(documents(config), batch_size=2).batches(0, 3), np.full(3, 0.01))
    scalar.load(first.state())
    rest = scalar.train(Plan(documents(config), batch_size=2).batches(3, 3), np.full(3, 0.01))
    assert [s.nats for s in rest] == pytest.approx([s.nats for s in sums[3:]], rel=1e-4)
    assert scalar.state().updates == alone.state().updates == 6


def test_tiny_gradients_and_moments_end_as_zero_not_as_slow_numbers() -> None:
    engine = native(SHAPES[3])
    state = engine.state()
    state.slots["adam.m"][:], state.slots["adam.v"][:] = 1e-30, 1e-38
    engine.load(state)
    engine.train(Plan(documents(SHAPES[3])).batches(0, 100), np.full(100, 1e-3))
    kept = engine.state()
    for moment in kept.slots.values():
        smallest = np.abs(moment[moment != 0.0]).min()
        assert smallest >= np.finfo(np.float32).tiny


def test_updates_are_counted_and_a_state_comes_back_bit_for_bit() -> None:
    config = SHAPES[3]
    engine, other = native(config), native(config)
    assert engine.updates == 0
    engine.train(Plan(documents(config)).batches(0, 7), np.full(7, 0.01))
    assert engine.updates == engine.state().updates == 7
    other.load(engine.state())
    assert other.updates == 7
    for name in ("parameters", *SLOTS):
        assert np.array_equal(other.state().buffers[name], engine.state().buffers[name]), name


def test_a_number_beyond_float32_is_infinite_without_a_warning() -> None:
    engine = native(SHAPES[0])
    size = len(engine.state().parameters)
    state = State.fresh(np.zeros(size))
    state.parameters[3], state.slots["adam.m"][4] = 1e300, 1e-300
    engine.load(state)
    assert engine.state().parameters[3] == np.inf
    assert engine.state().slots["adam.m"][4] == 0.0


@pytest.mark.parametrize("build", BUILDS)
def test_every_norm_adds_the_one_epsilon(build: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # So large that no norm is what it is without.
    monkeypatch.setattr(model, "RMSNORM_EPSILON", 0.5)
    for n_embd in (8, 12):  # heads that fill a vector evenly, and others
        config = GPTConfig(
            vocab_size=5, block_size=6, n_head=2, n_embd=n_embd, qk_norm=True, final_norm=True
        )
        batch, scalar = documents(config), open_engine("scalar", config)
        scalar.load(numbers(config))
        engine = native(config, build=build)
        assert engine.losses(batch) == pytest.approx(scalar.losses(batch), rel=1e-5)
        decoder, other = engine.decoder(1), scalar.decoder(1)
        for token in (4, 2, 0):
            assert decoder.push([token]) == pytest.approx(other.push([token]), rel=1e-4, abs=1e-5)


def test_a_decoder_outlives_its_engine() -> None:
    engine = native(SHAPES[0], threads=2)
    expected = engine.decoder(1).push([4])
    decoder = engine.decoder(1)
    del engine
    assert np.array_equal(decoder.push([4]), expected)


def test_many_rows_decode_as_one_does() -> None:
    config = SHAPES[3]
    one, many = native(config).decoder(1), native(config, threads=2).decoder(300)
    for token in (26, 3, 7):
        alone = one.push([token])
        together = many.push([token] * 300)
        assert np.array_equal(together, np.repeat(alone, 300, axis=0))


def test_python_threads_wait_for_each_other() -> None:
    config = SHAPES[3]
    engine, batch = native(config, threads=2), documents(SHAPES[3])
    expected = engine.losses(batch)
    got = []
    threads = [
        threading.Thread(target=lambda: got.extend(engine.losses(batch) for _ in range(200)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 800
    assert all(np.array_equal(losses, expected) for losses in got)
