"""The effects that a sweep reports, against studies whose truth is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from microgpt.cli.sweep.trials import moved
from microgpt.data.corpus import Source
from microgpt.sweep.effects import Course, Effect, Effects, effects
from microgpt.sweep.knob import parse
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.study import Study
from microgpt.sweep.trainer import SHARES, Report

from .conftest import some

# The loss of `response`: branches by n_embd, a valley in lr, nothing by dropout; momentum up where
# the order is one way, down where it is the other.
KNOBS = ("n_embd=16,32", "lr=0.001..0.1", "dropout=0..0.2", "momentum=0.8..0.98",
         "order=per-epoch,once")  # fmt: skip
BRANCH, VALLEY, CROSSING = 0.15, 0.3, 0.06


def response(values: Mapping[str, Any]) -> float:
    x = math.log10(values["lr"]) + 2.0
    crossing = CROSSING * (values["momentum"] - 0.89) / 0.09
    return (
        2.0
        + BRANCH * (values["n_embd"] == 16)
        + VALLEY * x * x
        + (crossing if values["order"] == "once" else -crossing)
    )


def steep(values: Mapping[str, Any]) -> float:
    """The same, but far worse at high learning rates, which dwarfs all other effects."""
    x = math.log10(values["lr"]) + 2.0
    return response(values) + 20.0 * max(0.0, x - 0.5) ** 2


def swept(loss: Callable[[Mapping[str, Any]], float], seed: int) -> Effects:
    """Return the effects of a sweep that learns from its trials and prunes the worse ones."""
    noise = random.Random(seed)
    settings = SweepSettings(
        preset="microgpt", tokenizer="characters", source=Source(files=("t.txt",)), fingerprint="",
        engine="scalar", seconds=None, steps=100, holdout=0.2, seed=seed, knobs=KNOBS,
    )  # fmt: skip
    study = Study("no address", "s", settings)
    for _ in range(64):
        asked = study.ask()
        assert asked
        number, values = asked
        ends = loss(values) + noise.gauss(0.0, 0.005)
        for share, more in zip(SHARES, (0.6, 0.3, 0.1)):
            report = Report(share, ends + more + noise.gauss(0.0, 0.01), share, 0.0)
            if study.report(number, report):
                study.tell(number, "pruned", report)
                break
        else:
            study.tell(number, "done", Report(100, ends, 100, 0.0))
    found = study.effects()
    study.close()
    return found


@pytest.mark.parametrize("seed", some([0, 1, 2], 0))
@pytest.mark.parametrize("loss", [response, steep])
@pytest.mark.usefixtures("in_memory")
def test_two_branches_are_told_as_far_apart_as_they_are_and_nothing_as_nothing(
    loss: Callable[[Mapping[str, Any]], float], seed: int
) -> None:
    found = swept(loss, seed)
    branch = found.of["n_embd"]
    # The crossing pulls at it: a sweep tries one order more often in one branch.
    assert branch.nats == pytest.approx(BRANCH, abs=max(0.06, 3 * branch.error))
    assert found.of["lr"].nats > 0.5 * branch.nats
    assert "dropout" not in found.seen


def test_branches_and_valley_are_seen_and_come_first_where_all_was_tried_alike() -> None:
    generator = random.Random(5)
    knobs = [parse(text) for text in KNOBS]
    courses = []
    for _ in range(120):
        values = {knob.name: knob.draw(generator) for knob in knobs}
        courses.append(Course(values, {100: response(values) + generator.gauss(0.0, 0.005)}))
    found = effects(knobs, courses)
    assert set(found.seen) == {"n_embd", "lr"}
    assert found.of["n_embd"].nats == pytest.approx(BRANCH, abs=3 * found.of["n_embd"].error)
    # On average the valley is 7/12 of its height in the outer quarters, 1/12 in the inner ones.
    assert found.of["lr"].nats == pytest.approx(VALLEY * 0.5, abs=4 * found.of["lr"].error)
    # What momentum and order do they do together: it is left, and said so.
    assert found.left == pytest.approx(CROSSING / math.sqrt(3.0), rel=0.5)
    assert [knob.name for knob in found.ordered(knobs)] == [
        *found.seen, "dropout", "momentum", "order",
    ]  # fmt: skip


def test_the_order_in_which_a_crossing_is_tried_in_one_way_alone_shows_it() -> None:
    """Where the order is one, momentum is no crossing any more but a slope."""
    generator = random.Random(6)
    knobs = [parse(text) for text in KNOBS if not text.startswith("order")]
    courses = []
    for _ in range(120):
        values = {knob.name: knob.draw(generator) for knob in knobs}
        courses.append(Course(values, {100: response({**values, "order": "once"})}))
    slope = effects(knobs, courses).seen["momentum"]
    # From the middle of the first quarter to that of the last one.
    assert slope.nats == pytest.approx(2 * CROSSING * 0.75, abs=4 * slope.error)


def test_what_was_given_up_or_diverged_counts_though_no_value_of_it_came_to_its_end() -> None:
    knobs = [parse("n_embd=16,32"), parse("dropout=0..0.2")]
    generator = random.Random(7)
    courses = []
    for i in range(60):
        values = {"n_embd": (16, 32)[i % 2], "dropout": generator.uniform(0.0, 0.2)}
        early = 3.0 + 0.2 * (i % 2 == 0) + generator.gauss(0.0, 0.01)
        courses.append(Course(values, {12: early, **({100: early - 1.0} if i % 2 else {})}))
    found = effects(knobs, courses)
    assert found.seen["n_embd"].nats == pytest.approx(0.2, abs=0.02)
    assert list(found.seen) == ["n_embd"]
    lost = [Course(c.values, {}, diverged=True) if not i % 4 else c for i, c in enumerate(courses)]
    assert list(effects(knobs, lost).seen) == ["n_embd"]
    assert effects(knobs, lost).trials == 60


def test_from_too_few_trials_nothing_is_told_and_that_is_said() -> None:
    knobs = [parse("n_embd=16,32"), parse("lr=0.001..0.1")]
    for trials in (0, 1, 31):
        courses = [Course({"n_embd": 16, "lr": 0.01}, {100: 2.0})] * trials
        found = effects(knobs, courses)
        assert (found.of, found.trials, found.needed) == ({}, trials, 32)
        assert moved(found) == [
            f"How far each knob moves the loss is told from 32 trials or more; there are {trials}."
        ]
    # Five knobs in quarters are 16 numbers: 40 trials say nothing of them.
    names = ("beta1", "beta2", "dropout", "momentum", "weight_decay")
    many = [parse(f"{name}=0..0.5") for name in names]
    generator = random.Random(8)
    drawn = [Course({k.name: k.draw(generator) for k in many}, {100: 2.0}) for _ in range(40)]
    assert effects(many, drawn).needed == 3 * (1 + 3 * len(many))
    assert not effects(many, drawn).of


def test_equal_losses_and_a_single_value_move_nothing() -> None:
    knobs = [parse("n_embd=16,32"), parse("lr=0.001..0.1")]
    courses = [Course({"n_embd": (16, 32)[i % 2], "lr": 0.05}, {100: 2.0}) for i in range(40)]
    found = effects(knobs, courses)
    assert found.of == {
        "n_embd": Effect(pytest.approx(0.0, abs=1e-9), pytest.approx(0.0, abs=1e-9))
    }
    assert "lr" not in found.seen


def test_what_is_said_has_the_error_and_names_what_is_chance() -> None:
    found = Effects(
        {"n_embd": Effect(0.1523, 0.0101), "lr": Effect(0.02, 0.01), "eps": Effect(0.0, 0.1)},
        0.0312, 60, 32,
    )  # fmt: skip
    assert moved(found) == [
        "Nats by which each knob moves the loss from its best to its worst, the others held: "
        "n_embd 0.152 ± 0.010",
        "Not to be told from chance: lr, eps",
        "What is left spreads by 0.031: chance, and what knobs do only together.",
    ]


def test_the_picture_says_the_same_as_the_line_below_the_table(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from microgpt.cli.sweep import knobs as picture
    from microgpt.sweep.trial import Trial

    titles: list[str] = []

    class Sweep:
        trials = tuple(
            Trial(i + 1, {"n_embd": (16, 32)[i % 2], "lr": 0.01 + i / 1000}, "done", 2.0, 1, 0.1)
            for i in range(8)
        )

        class settings:  # noqa: N801
            class space:  # noqa: N801
                knobs = (parse("lr=0.001..0.1"), parse("n_embd=16,32"))

    def savefig(self: Figure, *_: Any, **__: Any) -> None:
        titles.extend(axes.get_title() for axes in self.axes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", savefig)
        found = Effects({"n_embd": Effect(0.15, 0.01), "lr": Effect(0.1, 0.1)}, 0.0, 40, 32)
        picture.save(tmp_path / "p.png", Sweep, found)  # type: ignore[arg-type]
    assert titles == ["n_embd · moves it 0.150", "lr"]
