"""Knobs as users write them, and the search spaces made from them."""

from __future__ import annotations

import math
import random
from itertools import product
from typing import Any

import pytest

from microgpt.config import GPTConfig, TrainConfig
from microgpt.errors import UsageError
from microgpt.sweep.knob import KNOBS, Knob, parse
from microgpt.sweep.space import Space, configs
from microgpt.training.presets import PRESETS


def space(*texts: str, **model: Any) -> Space:
    return Space.of(texts, model, {"steps": 1})


@pytest.mark.parametrize(
    ("text", "knob"),
    [
        ("lr=1e-3..1e-1", Knob("lr", 0.001, 0.1)),
        (" beta1 = .5 .. .9 ", Knob("beta1", 0.5, 0.9)),
        ("batch-size=1..64", Knob("batch_size", 1, 64, 1)),
        ("n_embd=16,32,64", Knob("n_embd", choices=(16, 32, 64))),
        ("lr=0.1,0.2", Knob("lr", choices=(0.1, 0.2))),
        ("activation=relu,squared-relu", Knob("activation", choices=("relu", "squared-relu"))),
        ("zero_init=true,false", Knob("zero_init", choices=(True, False))),
        ("lr", Knob("lr", 0.001, 0.1)),
    ],
)
def test_a_knob_is_read_as_it_is_meant(text: str, knob: Knob) -> None:
    assert parse(text) == knob


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["lrate=1"], 'knob must be one of block_size, .*; got "lrate".'),
        (["vocab_size=3"], 'knob must be one of .*; got "vocab_size".'),
        (
            ["seed=1,2"],
            "knob must not be seed: the lowest of several seeds is luck, .* Try --seed ",
        ),
        (["seed"], "knob must not be seed: .*"),
        (["seconds=1"], 'knob must be one of .*; got "seconds".'),
        (["eps"], "knob eps must say its values; got none. Try eps=LOW..HIGH."),
        (["lr="], "knob lr must say its values; got none."),
        (["lr=fast"], 'knob lr must be a number; got "fast".'),
        (["lr=0.1,,0.2"], 'knob lr must be a number; got "".'),
        (["n_layer=1.5"], 'knob n_layer must be a whole number; got "1.5".'),
        (["zero_init=yes"], 'knob zero_init must be true or false; got "yes".'),
        (["lr=0.2..0.1"], "knob lr must go from a lower to a higher value; got 0.2..0.1."),
        (["lr=0.1..nan"], "knob lr must go from a lower to a higher value; got 0.1..nan."),
        (["lr=0.1..inf"], "knob lr must go from a lower to a higher value; got 0.1..inf."),
        (["order=once..per-epoch"], "knob order must be choices, order=A,B; got once..per-epoch."),
        (["lr=0.1,0.1"], "knob lr must say each value once; got 0.1,0.1."),
        (["lr", "lr=0.1"], "knob lr must be given once; got it more often."),
        (["lr=-1..1"], "lr must be a number above 0; got -1.0."),
        (["beta1=0.5..1"], r"beta1 must be in \[0, 1\); got 1.0."),
        (["activation=relu,elu"], 'activation must be one of relu, .*; got "elu".'),
        (["n_embd=16,18"], "n_embd must be a multiple of n_head; got n_embd=18, n_head=4."),
        (["n_embd=8,16", "n_head=1,3"], "n_embd must be a multiple .* n_embd=8, n_head=3."),
        (["n_head=1..1000000000"], "knob n_head must be at most 65,536; got 1000000000."),
        (["n_head=1..65536", "n_embd=16..64"], "knob n_embd must have two multiples of .*, which"),
        (["n_embd=5..11"], "knob n_embd must have two multiples of 4, .*; got 5..11."),
        (
            [f"{name}={values.replace('..', ',').split(',')[0]}" for name, values in KNOBS.items()],
            "a sweep must have a knob of two values or more; got none.",
        ),
    ],
)
def test_what_is_no_knob_is_told_in_one_sentence(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        space(*texts)


@pytest.mark.parametrize("name", PRESETS)
def test_every_corner_of_the_default_space_is_a_setting(name: str) -> None:
    preset = PRESETS[name]
    made = Space.of([], preset.model, {**preset.training, "steps": 1})
    assert [knob.name for knob in made.knobs] == list(KNOBS)
    for corner in product(*(knob.ends for knob in made.knobs)):
        values = dict(zip(KNOBS, corner))
        model, training = configs(values, 27, preset.model, {**preset.training, "steps": 1})
        assert {**vars(model), **vars(training)}.items() >= values.items()


def test_knobs_that_are_named_are_the_only_ones_and_one_of_one_value_is_set() -> None:
    assert [knob.name for knob in space("lr=0.1..0.2", "n_layer=2").knobs] == ["lr"]
    assert space("lr=0.1..0.2", "n_layer=2").fixed == {"n_layer": 2}
    rest = space("n_layer=2")
    assert [knob.name for knob in rest.knobs] == [name for name in KNOBS if name != "n_layer"]


def test_a_range_of_widths_has_only_those_that_all_heads_divide() -> None:
    widths = next(k for k in space("n_embd=5..70", "n_head=2,3").knobs if k.name == "n_embd")
    assert (widths.low, widths.high, widths.step) == (6, 66, 6)
    (widths,) = space("n_embd=5..70", n_head=8).knobs
    assert (widths.low, widths.high, widths.step) == (8, 64, 8)


def test_a_range_over_a_factor_of_ten_is_even_in_its_logarithm() -> None:
    assert [parse(text).log for text in ("lr=0.01..0.1", "lr=0.01..0.09", "eps=0..1")] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("text", ["lr=0.001..0.1", "beta1=0..0.5", "n_embd=8,16", "n_layer=2..5"])
def test_what_is_drawn_blindly_is_in_the_knob_and_all_of_it_is_drawn(text: str) -> None:
    knob, generator = parse(text), random.Random(1)
    drawn = [knob.draw(generator) for _ in range(2000)]
    assert all(knob.holds(value) for value in drawn)
    if knob.every:
        assert set(drawn) == set(knob.every)
    else:
        middle = math.sqrt(knob.low * knob.high) if knob.log else (knob.low + knob.high) / 2
        # A fair coin, 2,000 times: four standard deviations.
        assert abs(sum(value < middle for value in drawn) - 1000) < 4 * math.sqrt(500)


def test_of_few_points_the_last_one_is_found_and_of_none_none() -> None:
    made = space("n_embd=8,16", "n_layer=1..3")
    last = {"n_embd": 16, "n_layer": 2}
    assert made.draw(random.Random(1), lambda values: values == last) == last
    assert made.draw(random.Random(1), lambda _: False) is None
    # Millions of points are not laid out to draw one.
    wide = space("n_embd=8,16", "batch_size=1..1048576")
    drawn = wide.draw(random.Random(1), lambda values: values["n_embd"] == 8)
    assert drawn
    assert drawn["n_embd"] == 8
    assert wide.draw(random.Random(1), lambda _: False) is None


def test_the_configs_of_a_point_have_its_values_and_else_the_preset_s() -> None:
    model, training = configs(
        {"n_embd": 8, "lr": 0.5}, 5, {"block_size": 8, "n_embd": 4}, {"steps": 3, "lr": 0.1}
    )
    assert model == GPTConfig(vocab_size=5, block_size=8, n_embd=8)
    assert training == TrainConfig(steps=3, lr=0.5)
