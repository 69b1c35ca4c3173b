"""Every value out of bounds is an error of one sentence; JSON round-trips."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from microgpt.config import GPTConfig, TrainConfig, from_json
from microgpt.config.setting import settings
from microgpt.errors import UsageError
from microgpt.training.presets import PRESETS, preset

MODEL = [
    ({"n_embd": 18}, "n_embd must be a multiple of n_head; got n_embd=18, n_head=4."),
    ({"n_layer": 0}, "n_layer must be a whole number from 1; got 0."),
    ({"block_size": 2.5}, "block_size must be a whole number from 1; got 2.5."),
    ({"vocab_size": True}, "vocab_size must be a whole number from 1; got True."),
    ({"activation": "gelu"}, 'activation must be one of relu, squared-relu; got "gelu".'),
    (
        {"position": "rotary", "n_embd": 12},
        "n_embd / n_head must be even for rotary positions, which rotate pairs; got 12 / 4.",
    ),
    ({"position": "x"}, 'position must be one of learned, rotary; got "x".'),
    ({"init": "x"}, 'init must be one of normal, fan-in; got "x".'),
    ({"init_std": -1}, "init_std must be a number from 0; got -1."),
    ({"n_embd": 10**9}, "n_embd must be at most 65,536; got 1000000000."),
    ({"block_size": 2**63}, "block_size must be at most 1,048,576; got 9223372036854775808."),
    ({"n_layer": 10**99}, "n_layer must be at most 4,096; got a number of more than 40 digits."),
    ({"vocab_size": 2**22}, "vocab_size must be at most 2,097,152; got 4194304."),
]
TRAINING = [
    ({"steps": None}, "steps or seconds must be given; got neither."),
    ({"steps": -5}, "steps must be a whole number from 1; got -5."),
    ({"seconds": 0}, "seconds must be a number above 0; got 0."),
    ({"batch_size": 0}, "batch_size must be a whole number from 1; got 0."),
    ({"lr": float("nan")}, "lr must be a number above 0; got nan."),
    ({"lr": "x"}, "lr must be a number above 0; got x."),
    ({"beta1": 1.0}, "beta1 must be in [0, 1); got 1.0."),
    ({"optimizer": "sgd"}, 'optimizer must be one of adam, muon; got "sgd".'),
    ({"muon_lr": 0.0}, "muon_lr must be a number above 0; got 0.0."),
    ({"momentum": 1.0}, "momentum must be in [0, 1); got 1.0."),
    ({"weight_decay": -1.0}, "weight_decay must be a number from 0; got -1.0."),
    ({"dropout": 1.0}, "dropout must be in [0, 1); got 1.0."),
    ({"ngram": -1}, "ngram must be a whole number from 0; got -1."),
    ({"holdout": 1.0}, "holdout must be in [0, 1); got 1.0."),
    ({"eps": 0.0}, "eps must be a number above 0; got 0.0."),
    ({"seed": -1}, "seed must be a whole number from 0; got -1."),
    ({"loss": "hinge"}, 'loss must be one of cross-entropy, linear, quadratic; got "hinge".'),
    ({"seconds": 1e300}, "seconds must be below 1e+09; got 1e+300."),
    ({"ngram": 10**9}, "ngram must be at most 62; got 1000000000."),
    ({"seed": 1.5}, "seed must be a whole number from 0; got 1.5."),
    ({"order": "x"}, 'order must be one of per-epoch, once; got "x".'),
    ({"long": "x"}, 'long must be one of window, cut; got "x".'),
]


@pytest.mark.parametrize(("fields", "sentence"), MODEL + TRAINING)
def test_a_value_outside_its_domain_is_one_sentence(
    fields: dict[str, object], sentence: str
) -> None:
    known = {f.name for f in dataclasses.fields(GPTConfig)}
    with pytest.raises(UsageError) as caught:
        if known.issuperset(fields):
            GPTConfig(**{"vocab_size": 27, **fields})  # type: ignore[arg-type]
        else:
            TrainConfig(**fields)  # type: ignore[arg-type]
    assert str(caught.value) == sentence


def test_json_comes_back_as_it_went() -> None:
    for config in (GPTConfig(vocab_size=9, n_layer=2), TrainConfig(steps=None, seconds=2.5)):
        data = json.loads(json.dumps(dataclasses.asdict(config)))
        assert from_json(type(config), data, "it") == config
        with pytest.raises(UsageError, match='got one more, "colour"'):
            from_json(type(config), {**data, "colour": 1}, "it")


def test_what_a_file_lacks_is_as_by_default_or_named() -> None:
    assert from_json(TrainConfig, {"steps": 3}, "training") == TrainConfig(steps=3)
    with pytest.raises(UsageError, match=r"^it lacks model\.vocab_size$"):
        from_json(GPTConfig, {}, "model")


def test_presets_are_whole_and_an_unknown_one_is_named() -> None:
    for name, recipe in PRESETS.items():
        assert preset(name) is recipe
        assert "\n" not in recipe.summary
        GPTConfig(vocab_size=27, **recipe.model)
        TrainConfig(**recipe.training)
    with pytest.raises(UsageError) as caught:
        preset("huge")
    names = "microgpt, microgpt-v1, micro, small, medium, large, gpt2-small"
    assert str(caught.value) == f'preset must be one of {names}; got "huge".'


@pytest.mark.parametrize("config", [GPTConfig, TrainConfig])
def test_every_setting_has_a_help_and_bounds_or_choices(config: type) -> None:
    for name, setting in settings(config).items():
        assert setting.help.endswith("."), name
        assert setting.bounds or setting.choices or setting.type is bool, name
        if setting.type is not bool:
            wrong: dict[str, Any] = {"vocab_size": 27} if config is GPTConfig else {}
            wrong[name] = "" if setting.choices else float("nan")
            with pytest.raises(UsageError, match=rf"^{name} must be "):
                config(**wrong)
