"""The training loop: every step in order, however many the engine does in one call."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microgpt.config import TrainConfig
from microgpt.data import batch, corpus
from microgpt.data.batch import Batch, Batches
from microgpt.data.plan import Plan
from microgpt.engines import why_not_native
from microgpt.engines.contract import Floats, State
from microgpt.errors import DivergedError
from microgpt.loss import LossSum
from microgpt.loss.sums import Sums
from microgpt.runs import prepare, prepared
from microgpt.training import pace
from microgpt.training.loop import Step, Steps, train
from tests.conftest import Clock, required

DATA = batch.lay_out([[0], [1, 2], [0, 1, 2]], bos=3, block_size=8).batch
SHAPE: dict[str, Any] = {"n_embd": 4, "n_head": 1, "block_size": 4}


class FakeEngine:
    """An engine that records its calls; a step takes a given time."""

    share = (0, 1)

    def __init__(self, clock: Clock, each: float = 0.01, nan_at: int | None = None) -> None:
        self.clock, self.each, self.nan_at = clock, each, nan_at
        self.updates = 0
        self.lr: list[float] = []
        self.asked: list[int] = []

    def state(self) -> State:
        empty = np.zeros(0)
        return State(empty, {}, self.updates)

    def train(self, batches: Batches, lr_K: Floats) -> Sums:
        assert len(lr_K) == batches.n_steps
        self.asked.append(len(lr_K))
        sums = []
        for k, lr in enumerate(lr_K.tolist()):
            self.clock.now += self.each
            if self.updates + 1 == self.nan_at:
                sums.append(LossSum(math.nan, 1))
                break
            self.updates += 1
            self.lr.append(lr)
            sums.append(LossSum(float(self.updates), batches.step(k).positions))
        nats_K, positions_K = zip(*((total.nats, total.positions) for total in sums))
        return Sums(np.array(nats_K), np.array(positions_K))


def chunks(
    engine: FakeEngine, config: TrainConfig, spent: float = 0.0, **kind: Any
) -> Iterator[Steps]:
    its = pace.Pace(config, **kind)
    its.begin(before=spent)
    return train(engine, Plan(DATA), config, its)  # type: ignore[arg-type]


def run(engine: FakeEngine, config: TrainConfig, **kind: Any) -> Iterator[Step]:
    return (step for steps in chunks(engine, config, **kind) for step in steps)


@pytest.mark.parametrize("each", [1.0, 0.02, 0.003, 1e-6, 0.0])
@pytest.mark.parametrize(
    "kind", [{}, {"align": 7}, {"evaluate_every": 6}, {"align": 5, "evaluate_every": 9}]
)
def test_every_step_comes_once_and_in_order_counted_from_1(
    clock: Clock, each: float, kind: dict[str, int]
) -> None:
    engine = FakeEngine(clock, each)
    got = list(run(engine, TrainConfig(steps=40), **kind))
    assert [step.step for step in got] == list(range(1, 41))
    assert [step.sum.nats for step in got] == list(range(1, 41))
    assert sum(engine.asked) == 40


@pytest.mark.parametrize("each", [1.0, 0.004, 1e-6])
def test_the_engine_stands_after_the_last_step_of_a_chunk(clock: Clock, each: float) -> None:
    engine = FakeEngine(clock, each)
    ends = []
    for steps in chunks(engine, TrainConfig(steps=100), align=7, evaluate_every=30):
        assert engine.updates == steps.last
        ends.append(steps.last)
    assert {1, 30, 60, 90, 100} <= set(ends)


def test_the_engine_is_asked_for_one_step_at_first_and_then_for_about_50_ms(clock: Clock) -> None:
    engine = FakeEngine(clock, each=0.004)
    list(run(engine, TrainConfig(steps=100)))
    assert engine.asked[0] == 1
    assert all(0.04 <= k * 0.004 <= 0.05 + 1e-9 for k in engine.asked[1:-1])


def test_chunks_end_at_multiples_of_align_where_they_can(clock: Clock) -> None:
    engine = FakeEngine(clock, each=0.004)
    ends = [steps.last for steps in chunks(engine, TrainConfig(steps=70), align=7)]
    assert ends == [1, 7, 14, 21, 28, 35, 42, 49, 56, 63, 70]


@pytest.mark.parametrize("each", [1.0, 0.004, 1e-6])
def test_the_learning_rate_falls_in_a_line_however_steps_are_chunked(
    clock: Clock, each: float
) -> None:
    engine = FakeEngine(clock, each)
    got = list(run(engine, TrainConfig(steps=64, lr=0.25)))
    # In steps of lr / 64, which are exact.
    assert engine.lr == [0.25 * (64 - k) / 64 for k in range(64)]
    assert [step.lr for step in got] == engine.lr


@pytest.mark.parametrize("each", [2**-2, 2**-7, 2**-11])
def test_a_budget_in_seconds_ends_within_a_step_of_it(clock: Clock, each: float) -> None:
    engine = FakeEngine(clock, each)
    got = list(run(engine, TrainConfig(steps=None, seconds=2.0)))
    assert 2.0 <= clock.now - 1000.0 < 2.0 + each
    assert len(got) == engine.updates == 2.0 / each
    assert [step.seconds for step in got] == [each * step.step for step in got]


@pytest.mark.parametrize("seconds", [0.0625, 0.125, 2.0])
@pytest.mark.parametrize("each", [2**-6, 2**-7, 2**-11])
def test_with_a_budget_in_seconds_the_learning_rate_falls_in_a_line_to_the_last_step(
    clock: Clock, each: float, seconds: float
) -> None:
    engine = FakeEngine(clock, each)
    list(run(engine, TrainConfig(steps=None, seconds=seconds, lr=1.0)))
    n = len(engine.lr)
    assert n == seconds / each
    line = [1.0 - k / n for k in range(n)]
    # How long a step takes is known from the second one on.
    assert engine.lr == pytest.approx(line, abs=1e-9)


@pytest.mark.parametrize("spent", [0.0, 5.0])
def test_one_step_is_made_however_little_time_there_is(clock: Clock, spent: float) -> None:
    config = TrainConfig(steps=None, seconds=1e-9)
    assert len(list(run(FakeEngine(clock, 0.1), config, spent=spent))) == 1


def test_the_seconds_of_the_training_that_is_resumed_are_of_the_budget(clock: Clock) -> None:
    engine = FakeEngine(clock, 0.1)
    got = list(run(engine, TrainConfig(steps=None, seconds=2.0, lr=0.1), spent=1.5))
    assert 0.5 - 1e-9 <= clock.now - 1000.0 <= 0.6
    assert got[0].lr == pytest.approx(0.1 * 0.25)
    assert got[0].seconds == pytest.approx(1.6)


@pytest.mark.parametrize(
    ("prepared", "closing", "ends"),
    [(0.0, 0.5, 1.5), (0.25, 0.5, 1.5), (0.75, 0.5, 1.75), (0.25, 4.0, 1.25), (4.0, 4.0, 2.0)],
)
def test_preparing_and_closing_are_of_the_budget_but_half_of_it_is_for_training(
    clock: Clock, prepared: float, closing: float, ends: float
) -> None:
    config, engine = TrainConfig(steps=None, seconds=2.0, lr=1.0), FakeEngine(clock, 2**-7)
    its = pace.Pace(config)
    its.begin(prepared, closing=closing)
    got = [*train(engine, Plan(DATA), config, its)]  # type: ignore[arg-type]
    assert got[-1].seconds == ends
    assert clock.now - 1000.0 == ends - min(prepared, 1.0) >= 1.0
    # The rate has fallen to that of the last step, and all is done.
    assert engine.lr[-1] == pytest.approx(2**-7 / ends)
    assert its.done(engine.updates) == 1.0


@pytest.mark.parametrize(("stream", "times"), [(False, 2), (True, 1)])
def test_what_follows_the_last_step_is_estimated_by_pricing_a_few_documents(
    clock: Clock, tiny: list[str], stream: bool, times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if why := why_not_native():
        required("the native engine", why)
    text = ["anna bea " * 40] if stream else tiny
    monkeypatch.setattr(corpus, "from_documents", partial(corpus.from_texts, stream=stream))
    told = {"preset_name": "micro", "seconds": 60.0, "holdout": 0.3, "ngram": 2, **SHAPE}
    trainer = prepared.in_memory(text, **told).trainer
    right, measured = trainer.engine.losses, list[int]()

    def losses(batch: Batch) -> Floats:
        measured.append(batch.n_counted)
        clock.now += 0.001 * batch.n_counted
        return right(batch)

    monkeypatch.setattr(trainer.engine, "losses", losses)
    heldout = trainer.task.heldout.positions
    events = iter(trainer)
    next(events)
    assert measured == [heldout, heldout]
    assert trainer.pace.until == pytest.approx(60.0 - 0.001 * times * heldout)


def test_of_two_budgets_the_one_that_ends_first_counts(clock: Clock) -> None:
    assert len(list(run(FakeEngine(clock), TrainConfig(steps=5, seconds=9.0)))) == 5
    assert len(list(run(FakeEngine(clock, 2**-6), TrainConfig(steps=500, seconds=0.25)))) == 16


def test_a_training_that_has_made_its_steps_makes_no_more(clock: Clock) -> None:
    engine = FakeEngine(clock)
    engine.updates = 5
    assert list(run(engine, TrainConfig(steps=5))) == []
    assert engine.asked == []


@pytest.mark.parametrize("each", [1.0, 1e-6])
@pytest.mark.parametrize("at", [1, 2, 17])
def test_a_loss_that_is_not_finite_is_the_last_thing_seen(
    clock: Clock, each: float, at: int
) -> None:
    engine = FakeEngine(clock, each, nan_at=at)
    got = []
    with pytest.raises(DivergedError) as caught:
        for step in run(engine, TrainConfig(steps=40, lr=0.4)):
            got.append(step.step)
    assert got == list(range(1, at))
    assert caught.value.step == at
    assert engine.updates == at - 1
    # The rate that was set, not the one that it had fallen to.
    assert str(caught.value) == (
        f"the loss became nan at step {at}. Try a smaller learning rate than --lr 0.4."
    )


def losses(folder: Path, documents: Sequence[str], **told: Any) -> list[tuple[int, float, int]]:
    with prepare.new(documents, out=folder, engine="scalar", **SHAPE, **told) as session:
        steps = (step for event in session if isinstance(event, Steps) for step in event)
        return [(step.step, step.sum.nats, step.sum.positions) for step in steps]


def test_chunking_changes_no_loss(
    tmp_path: Path, tiny: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = {"steps": 30, "holdout": 0.2, "order": "per-epoch", "batch_size": 2}
    got = []
    for seconds in (0.0, 0.01, 100.0):
        monkeypatch.setattr(pace, "CHUNK_SECONDS", seconds)
        got.append(losses(tmp_path / str(seconds), tiny, **told))
    assert got[0] == got[1] == got[2]
    assert len(got[0]) == 30


def test_losses_are_taken_before_the_update(tmp_path: Path, tiny: list[str]) -> None:
    # Initial values near 0 predict uniformly: ln 8 for seven letters and the end.
    first = losses(tmp_path / "a", tiny, steps=1, init_std=1e-9)[0]
    assert first[1] / first[2] == pytest.approx(math.log(8), rel=1e-12)
