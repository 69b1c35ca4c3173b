"""Every promise of `engines.contract`, tested on every engine, and on an ensemble of two."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch, Batches
from microgpt.data.plan import Plan
from microgpt.engines import open_engine
from microgpt.engines.contract import SLOTS, Engine, State
from microgpt.engines.ensemble import Ensemble
from microgpt.errors import UsageError
from microgpt.loss import LossSum, cross_entropy
from tests.conftest import BESIDE, as_kept, laid_out, opened

CONFIG = GPTConfig(vocab_size=6, block_size=5, n_layer=2, n_head=2, n_embd=8)
DOCUMENTS = [[0, 1, 2, 3], [4], [2, 2], [], [3, 0, 1, 4]]


Open = Callable[[GPTConfig], Engine]


@pytest.fixture(params=[1, 2], ids=["one", "ensemble"])
def models(request: pytest.FixtureRequest) -> int:
    number: int = request.param
    return number


@pytest.fixture
def open_on(engine_name: str, models: int) -> Open:
    return lambda config: opened(engine_name, config, models=models)


@pytest.fixture
def engine(open_on: Open) -> Engine:
    return open_on(CONFIG)


def trained_on(engine: Engine, batch: Batch) -> LossSum:
    """Return the sum that training reports: of an ensemble, the mean of its members' own sums."""
    members = engine.members if isinstance(engine, Ensemble) else [engine]
    sums = [LossSum.of(member.losses(batch).tolist()) for member in members]
    return LossSum(sum(one.nats for one in sums) / len(sums), sums[0].positions)


@pytest.fixture
def batch() -> Batch:
    return laid_out(DOCUMENTS, bos=5, block_size=5)


def as_steps(batch: Batch, n: int) -> Batches:
    return Plan(batch, batch_size=2, seed=3).batches(0, n)


def in_one_step(batch: Batch) -> Batches:
    steps = np.array([0, len(batch)], dtype=np.int64)
    return Batches(batch.tokens_N, batch.targets_N, batch.documents, steps)


def test_losses_are_nats_one_a_position(engine: Engine, batch: Batch) -> None:
    losses = engine.losses(batch)
    assert losses.shape == (batch.positions,)
    assert losses.dtype == np.float64
    assert (losses > 0).all()


def test_parameters_of_zero_guess_blindly(engine_name: str, models: int, batch: Batch) -> None:
    losses = open_engine(engine_name, CONFIG, models=models).losses(batch)
    assert losses == pytest.approx(np.log(6.0), rel=1e-6)


def test_what_is_loaded_is_what_is_told(engine: Engine, models: int) -> None:
    rng = np.random.default_rng(1)
    n = models * model.size(CONFIG)
    state = State(
        rng.normal(size=n), {"adam.m": rng.normal(size=n), "adam.v": rng.random(n)}, updates=17
    )
    engine.load(state)
    told = engine.state()
    for name in ("parameters", *SLOTS):
        assert np.array_equal(told.buffers[name], as_kept(engine.name, state.buffers[name]))
    assert told.updates == 17


def test_states_are_copies(engine: Engine, batch: Batch) -> None:
    state = engine.state()
    engine.load(state)
    before = engine.losses(batch)
    state.parameters += 1.0
    engine.state().parameters[:] = 0.0
    assert np.array_equal(engine.losses(batch), before)


def test_training_answers_each_step_s_sum_before_its_update(
    engine: Engine, open_on: Open, batch: Batch
) -> None:
    batches = as_steps(batch, 6)
    alone = open_on(CONFIG)
    sums = engine.train(batches, np.full(6, 0.01))
    assert len(sums) == 6
    for k, total in enumerate(sums):
        before = trained_on(alone, batches.step(k))
        (again,) = alone.train(in_one_step(batches.step(k)), np.array([0.01]))
        assert total.positions == before.positions
        assert total.nats == pytest.approx(before.nats, rel=1e-6)
        assert again == total
    assert engine.state().updates == 6


@pytest.mark.parametrize("on", [True, False])
def test_the_garbage_collector_is_left_as_it_was(engine: Engine, batch: Batch, on: bool) -> None:
    before = gc.isenabled()
    try:
        for work in (
            lambda: engine.train(as_steps(batch, 2), np.full(2, 0.01)),
            lambda: engine.gradients(batch),
            lambda: engine.losses(batch),
        ):
            (gc.enable if on else gc.disable)()
            work()
            assert gc.isenabled() == on
    finally:
        (gc.enable if before else gc.disable)()


def test_a_rate_of_zero_changes_no_parameter(engine: Engine, batch: Batch) -> None:
    before = engine.state()
    engine.train(as_steps(batch, 3), np.zeros(3))
    after = engine.state()
    assert np.array_equal(after.parameters, before.parameters)
    assert not np.array_equal(after.slots["adam.m"], before.slots["adam.m"])


def in_float64(state: State) -> State:
    return replace(state, parameters=state.parameters.astype(np.float64))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_a_loss_that_is_not_finite_makes_no_update(
    engine: Engine, models: int, batch: Batch, bad: float
) -> None:
    state = in_float64(engine.state())
    state.parameters[-1] = bad
    for name, matrix in model.views(state.parameters, CONFIG, models).items():
        if name.endswith("lm_head"):
            matrix[:] = bad
    engine.load(state)
    sums = engine.train(as_steps(batch, 4), np.full(4, 0.01))
    assert len(sums) == 1
    assert not np.isfinite(sums[0].nats)
    after = engine.state()
    assert after.updates == 0
    kept = as_kept(engine.name, state.parameters)
    assert np.array_equal(after.parameters, kept, equal_nan=True)


def test_a_state_loaded_after_a_training_ran_away_is_as_in_a_new_engine(
    engine: Engine, batch: Batch
) -> None:
    state, losses = engine.state(), engine.losses(batch)
    engine.train(as_steps(batch, 3), np.full(3, 1e30))
    engine.load(state)
    assert np.array_equal(engine.losses(batch), losses)


def test_squared_relu_that_overflows_is_noticed_too(
    open_on: Open, models: int, batch: Batch
) -> None:
    config = GPTConfig(**{**vars(CONFIG), "activation": "squared-relu"})
    engine = open_on(config)
    state = in_float64(engine.state())
    # Of an ensemble the last member alone overflows.
    [*model.views(state.parameters, config, models).values()][-2][:] *= 1e200
    engine.load(state)
    (total,) = engine.train(as_steps(batch, 4), np.full(4, 0.01))
    assert not np.isfinite(total.nats)


def test_decoding_token_by_token_is_the_whole_forward_pass(engine: Engine, batch: Batch) -> None:
    losses = engine.losses(batch)
    for d in range(len(batch)):
        tokens, targets = batch.document(d)
        decoder = engine.decoder(1)
        stepwise = [
            cross_entropy(decoder.push([int(token)])[0].tolist(), int(target))[0]
            for token, target in zip(tokens, targets)
        ]
        start, stop = batch.documents[d : d + 2]
        assert stepwise == pytest.approx(losses[start:stop], rel=1e-6)


def test_rows_do_not_see_each_other_and_may_rest(engine: Engine) -> None:
    alone = engine.decoder(1)
    first, second = alone.push([5]), alone.push([2])
    together = engine.decoder(3)
    logits = together.push([5, -1, 5])
    near = 1e-6 * np.abs(first).max()
    assert np.allclose(logits[0], first[0], rtol=0, atol=near)
    assert not logits[1].any()
    logits = together.push([2, 5, -1])
    assert np.allclose(logits[0], second[0], rtol=0, atol=near)
    assert np.allclose(logits[1], first[0], rtol=0, atol=near)
    assert not logits[2].any()
    assert np.allclose(together.push([-1, -1, 2])[2], second[0], rtol=0, atol=near)


def test_a_row_that_is_full_takes_no_more(engine: Engine) -> None:
    decoder = engine.decoder(1)
    for _ in range(5):
        decoder.push([1])
    with pytest.raises(UsageError) as caught:
        decoder.push([1])
    assert str(caught.value) == ("a row must hold at most block_size tokens; got 6, block_size=5.")


def test_a_decoder_keeps_the_parameters_of_its_beginning(engine: Engine, batch: Batch) -> None:
    decoder, expected = engine.decoder(1), engine.decoder(1).push([5])
    engine.train(as_steps(batch, 3), np.full(3, 0.1))
    assert np.array_equal(decoder.push([5]), expected)
    assert not np.array_equal(engine.decoder(1).push([5]), expected)


def test_any_split_into_batches_comes_to_the_same_sum(engine: Engine) -> None:
    rng = random.Random(7)
    documents = [[rng.randrange(5) for _ in range(rng.randint(0, 12))] for _ in range(12)]
    whole = LossSum.of(engine.losses(laid_out(documents, 5, 5)).tolist())
    for _ in range(4):
        rng.shuffle(documents)
        total, rest = LossSum(), list(documents)
        while rest:
            n = rng.randint(1, len(rest))
            part, rest = rest[:n], rest[n:]
            total += LossSum.of(engine.losses(laid_out(part, 5, 5)).tolist())
        assert total.positions == whole.positions
        assert total.nats == pytest.approx(whole.nats, rel=BESIDE[engine.name])


def test_a_batch_makes_the_update_of_its_mean_whatever_its_order(open_on: Open) -> None:
    states = []
    for order in (DOCUMENTS, DOCUMENTS[::-1]):
        engine = open_on(CONFIG)
        engine.train(in_one_step(laid_out(order, 5, 5)), np.array([0.01]))
        states.append(engine.state().slots["adam.m"])
    assert states[0] == pytest.approx(states[1], rel=1e-5, abs=1e-8)


def test_a_target_out_of_range_is_named_with_its_position(engine: Engine) -> None:
    with pytest.raises(UsageError, match=r"target at position 2 must be in \[0, 6\); got 9\."):
        engine.losses(
            Batch(np.array([5, 0, 1], np.int32), np.array([0, 1, 9], np.int32), np.array([0, 3]))
        )


def test_an_engine_that_is_not_there_is_named() -> None:
    for words, text in (
        ({"name": "abacus"}, 'engine must be one of auto, native, torch, scalar; got "abacus".'),
        ({"threads": 0}, "threads must be a whole number from 1 to 1,024; got 0."),
        ({"threads": 10**9}, "threads must be a whole number from 1 to 1,024; got 1,000,000,000."),
        (
            {"device": "cuda"},
            'device must be cpu for the scalar engine; got "cuda". Try --engine torch.',
        ),
    ):
        with pytest.raises(UsageError) as caught:
            open_engine(**{"name": "scalar", "config": CONFIG, **words})
        assert str(caught.value) == text
    with pytest.raises(UsageError, match=r"^the model must fit in memory; got .* parameters"):
        open_engine("scalar", GPTConfig(vocab_size=27, n_embd=2**16, n_layer=4096))
