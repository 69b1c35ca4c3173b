"""The time budget: the preset chosen for it, the limit respected, the best state saved."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import microgpt
from microgpt import model
from microgpt.cli.train import summary
from microgpt.config import GPTConfig, TrainConfig
from microgpt.counting.ladder import Ladder
from microgpt.data.corpus import Source
from microgpt.engines import why_not_native
from microgpt.loss import LossSum
from microgpt.runs import checkpoint, prepare
from microgpt.training import budget, recipe
from microgpt.training.best import Best
from microgpt.training.heldout import HeldOut
from microgpt.training.progress import Checkpoint, Progress
from microgpt.training.tail import Tail
from tests.conftest import Clock, opened, some

native = pytest.mark.skipif(why_not_native() is not None, reason=why_not_native() or "")


def test_whatever_is_chosen_is_a_model_and_a_training() -> None:
    for work in 10.0 ** np.arange(3, 18):
        for lengths in ([1], [7] * 30_000, [1_000_000], [3, 500, 20] * 50):
            choice = budget.choose(work, lengths, 27)
            GPTConfig(vocab_size=27, **choice.model)
            TrainConfig(**choice.training)
            always = {**budget.ALWAYS.model, **budget.ALWAYS.training}
            assert {*choice.model, *choice.training} == {*always, *budget.MEASURED}


def test_more_time_is_a_larger_model_and_a_longer_text_less_held_back() -> None:
    sizes = [s.model["n_layer"] * s.model["n_embd"] ** 2 for s in _chosen([7] * 30_000)]
    assert sizes == sorted(sizes)
    short, long = (_chosen([7] * n)[-1].training["dropout"] for n in (1_000, 1_000_000))
    assert short > long == 0.0


def test_prose_is_counted_at_greater_length_unless_the_counts_would_be_large() -> None:
    def n(lengths: list[int], vocab_size: int = 65) -> int:
        return budget.choose(1e12, lengths, vocab_size, mixture="linear").training["ngram"]

    assert n([7] * 30_000) == n([20] * 30_000) == 5
    assert n([40] * 30_000) == n([1_000_000]) == n([1_000_000], 257) == 7
    assert n([1_000_000], 258) == n([100_000_000]) == 5


def test_the_mixture_is_log_linear_where_tokens_are_of_few_kinds_and_there_are_enough() -> None:
    def counts(lengths: list[int], vocab_size: int) -> tuple[str, int]:
        its = budget.choose(1e12, lengths, vocab_size).training
        return its["mixture"], its["ngram"]

    assert counts([7] * 30_000, 27) == counts([20] * 30_000, 128) == ("log-linear", 8)
    assert counts([1_000_000], 65) == ("log-linear", 7)
    assert counts([7] * 30_000, 129) == counts([7] * 2000, 27) == ("linear", 5)
    assert counts([1_000_000], 129) == ("linear", 7)
    assert counts([5_000_000], 65) == ("linear", 5)
    asked = budget.choose(1e12, [7] * 2000, 300, mixture="log-linear").training
    assert (asked["mixture"], asked["ngram"]) == ("log-linear", 8)


def test_two_models_are_no_smaller_than_one_with_as_much_work_each() -> None:
    for work in 10.0 ** np.arange(8, 16):
        one, two = (budget.choose(work, [7] * 30_000, 27, models) for models in (1, 2))
        assert two.training["models"] == 2
        assert one.training["models"] == 1
        sizes = [s.model["n_layer"] * s.model["n_embd"] ** 2 for s in (one, two)]
        assert sizes[0] <= sizes[1]


@native
@pytest.mark.parametrize(
    ("rate", "threads", "models", "expected"),
    [(1e10, 2, None, 1), (1e12, 2, None, 2), (1e12, 1, None, 1), (1e12, 2, 1, 1), (1e10, 2, 3, 3)],
)
def test_two_models_are_chosen_where_time_and_processors_suffice(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tiny: list[str],
    rate: float,
    threads: int,
    models: int | None,
    expected: int,
) -> None:
    monkeypatch.setattr(budget, "speed", lambda *_: rate)
    run = microgpt.train(
        tiny * 50, seconds=1.0, steps=None, threads=threads, models=models, n_embd=8, n_layer=1,
        ngram=0, out=tmp_path / "r",
    )  # fmt: skip
    assert run.settings.training.models == expected
    assert len(run.sample(1)) == 1


def _chosen(lengths: list[int]) -> list[budget.ChosenRecipe]:
    return [budget.choose(10.0**power, lengths, 27) for power in range(8, 14)]


def test_the_speed_is_the_operations_of_the_steps_over_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = GPTConfig(vocab_size=5, block_size=8, n_head=2, n_embd=8)
    ticks = iter([10.0, 10.5, 11.0, 13.0, 13.0])
    monkeypatch.setattr(budget.time, "perf_counter", lambda: next(ticks))
    from tests.test_ngram import DOCUMENTS, batch

    data = batch(DOCUMENTS)
    measured = budget.speed(opened("scalar", config), config, data, seconds=1.0)
    assert measured == 2 * data.positions * model.flops(1, 8, 5) / 3.0


def test_without_seconds_the_preset_is_by_the_engine() -> None:
    assert recipe.default("scalar") == "microgpt"
    assert recipe.default("native") == "micro"


@native
def test_seconds_alone_choose_and_what_is_told_stands(tmp_path: Path, tiny: list[str]) -> None:
    told = {"n_layer": 1, "dropout": 0.25, "ngram": 0}
    run = microgpt.train(tiny * 50, seconds=0.3, out=tmp_path / "r", **told)
    assert run.settings.preset == recipe.CHOSEN
    assert run.settings.model.n_layer == 1
    assert (run.settings.training.dropout, run.settings.training.ngram) == (0.25, 0)
    assert run.settings.training.optimizer == "muon"
    # A preset that the user named is not replaced.
    run = microgpt.train(tiny, preset="microgpt", seconds=0.05, out=tmp_path / "s")
    assert run.settings.model.n_embd == 16


@pytest.mark.parametrize("seconds", some([1e-6, 1e-4], 0))
@pytest.mark.parametrize("engine", ["scalar", pytest.param("native", marks=native)])
def test_too_little_time_for_a_step_still_makes_one_and_ends_well(
    tmp_path: Path, tiny: list[str], capsys: pytest.CaptureFixture[str], engine: str, seconds: float
) -> None:
    from microgpt.cli.app import run

    (tmp_path / "t.txt").write_text("\n".join(tiny * 3))
    assert run(["train", "t.txt", "--seconds", f"{seconds}", "--engine", engine, "--out", "r"]) == 0
    said = capsys.readouterr().out
    assert f" s; half of the {seconds:g} s is for training all the same." in said
    assert "Mean of the last " in said
    assert microgpt.load("r").log.steps >= 1


@native
def test_the_rate_ends_at_zero_with_the_seconds(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from microgpt.engines.native import NativeEngine

    clock.steps_take(2**-8, NativeEngine, monkeypatch)
    with prepare.new(Source(), seconds=1.0, out=tmp_path / "r") as session:
        list(session)
    first, *_, last = microgpt.load(tmp_path / "r").log.lines
    assert first["seconds"] < 0.1  # half of that to choose the recipe
    assert 1.0 <= last["seconds"] < 1.0 + 2**-8
    assert 0.0 < last["lr"] < 2 * 2**-8 * first["lr"]


def test_doubling_the_time_gains_less_the_more_often_a_text_was_read() -> None:
    gains = [budget.gain(epochs, 0.5) for epochs in (0.1, 1.0, 5.0, 50.0)]
    assert gains == sorted(gains, reverse=True)
    assert budget.gain(3.0, -0.1) == 0.0


def test_the_best_state_is_kept_over_a_stop() -> None:
    config = GPTConfig(vocab_size=5, block_size=8, n_head=2, n_embd=8)
    good, bad = opened("scalar", config, seed=1), opened("scalar", config, seed=2)
    state = good.state()
    state.updates = 3
    good.load(state)
    best = Best()
    best.see(LossSum(10.0, 10), good)
    best.see(LossSum(20.0, 10), bad)
    progress = Progress(best=best.loss, best_step=best.step)
    # A checkpoint of the very step holds the parameters once.
    again = Best.of(Checkpoint(bad.state(), progress=progress, best=best.parameters))
    same = Best.of(Checkpoint(good.state(), progress=progress))
    for taken_up in (again, same):
        assert (taken_up.step, taken_up.loss) == (3, LossSum(10.0, 10))
        assert taken_up.parameters.tolist() == state.parameters.tolist()
    again.restore(bad)
    assert bad.state().parameters.tolist() == good.state().parameters.tolist()
    assert bad.state().updates == 0


@native
def test_a_text_learnt_by_heart_ends_with_the_best_state_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from microgpt.cli.app import run

    words = [f"{a}{b}{c}" for a in "bcdfg" for b in "aeiou" for c in "lmnrst"]
    (tmp_path / "t.txt").write_text("\n".join(words))
    told = "train t.txt --preset small --steps 300 --dropout 0 --weight-decay 0 --ngram 0 --out r"
    small = "--n-embd 32 --batch-size 64 --holdout 0.3"
    assert run([*told.split(), *small.split()]) == 0
    said = capsys.readouterr().out
    kept = microgpt.load("r")
    lines = kept.log.heldout
    losses = [line["heldout"]["loss"] for line in lines]
    assert lines[-1]["heldout"]["kept"] < 300
    assert losses[-1] == pytest.approx(min(losses), abs=0.02)
    assert losses[-1] < losses[-2]
    assert f"Kept: the state after step {lines[-1]['heldout']['kept']:,};" in said
    assert kept.evaluate().loss == pytest.approx(losses[-1], abs=1e-6)
    assert checkpoint.load(Path("r"), kept.settings.model).best is None


@pytest.mark.parametrize(
    ("trained", "held_out", "said"),
    [
        (0.334, 0.344, "More time would hardly help: it has gained nothing since step 450."),
        (0.05, 0.344, "More time would not help: this text has been learnt by heart. More text"),
    ],
)
def test_learnt_by_heart_is_said_only_where_what_was_trained_on_costs_much_less(
    trained: float, held_out: float, said: str
) -> None:
    tail = Tail(50)
    tail.add(50, LossSum(1000 * trained, 1000))
    # The mixture's loss does not show whether the GPT overfits.
    heldout = HeldOut(900, LossSum(200.0, 1000), 20, kept=450, gpt=LossSum(1000 * held_out, 1000))
    task = SimpleNamespace(training=TrainConfig(seconds=5.0))
    trainer: Any = SimpleNamespace(task=task, last_heldout=heldout, kept=450, tail=tail)
    ladder = Ladder("", {}, heldout.sum)
    assert str(summary._more(trainer, ladder)).startswith(said)
