"""Which knobs a sweep turns, and between which values.

In: `lr=1e-3..1e-1`, `n_embd=16,32,64`, as a person writes them. Out: a `Space` of `Knob`s, all of
whose points are settings that a model and a training accept.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from microgpt.config import GPTConfig, TrainConfig
from microgpt.errors import UsageError

KNOBS = {
    "lr": "0.001..0.1",
    "muon_lr": "0.003..0.1",
    "batch_size": "1..128",
    "n_embd": "16,32,48,64",
    "n_layer": "1..4",
    "n_head": "2,4,8",
    "beta2": "0.9..0.999",
    "momentum": "0.8..0.98",
    "weight_decay": "0..0.3",
    "dropout": "0..0.2",
}
"""What is swept unless a person says otherwise. Any field of the two configs can be a knob."""

# What all trainings of a sweep must share, or what the data decides.
_SHARED = ("vocab_size", "steps", "seconds", "holdout")

Value = int | float | str | bool


@dataclass(frozen=True)
class Knob:
    """A setting and the values it may take: a range, or choices.

    Attributes:
        name: the config's field.
        low, high: the ends of a range.
        step: whole numbers are multiples of it; None: the numbers are not whole.
        choices: instead of a range.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    step: int | None = None
    choices: tuple[Value, ...] = ()

    @property
    def log(self) -> bool:
        """Whether values are even in their logarithm: a range over a factor of ten or more."""
        return self.low > 0 and self.high >= 10 * self.low and self.step in (None, 1)

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values that must be acceptable for all others to be."""
        low, high = (self.low, self.high) if self.step is None else (int(self.low), int(self.high))
        return self.choices or (low, high)

    def holds(self, value: Value) -> bool:
        """Tell whether a value can be drawn.

        >>> parse("n_embd=8,16").holds(16), parse("lr=0.1..0.2").holds(0.3)
        (True, False)
        """
        if self.choices or isinstance(value, str):
            return value in self.choices
        return self.low <= value <= self.high and (not self.step or value % self.step == 0)


def parse(text: str) -> Knob:
    """Read `NAME=LOW..HIGH`, `NAME=A,B,C`, or the NAME alone of one that has a range by itself.

    Raises:
        UsageError: no such knob, or no values for it.

    >>> parse("lr=1e-3..1e-1")
    Knob(name='lr', low=0.001, high=0.1, step=None, choices=())
    >>> parse("n-embd=16,32").choices
    (16, 32)
    """
    name, told, values = text.partition("=")
    name = name.strip().replace("-", "_")
    kinds = _kinds()
    if name not in kinds:
        raise UsageError(f'knob must be one of {", ".join(kinds)}; got "{name}".')
    values = values.strip() if told else KNOBS.get(name, "")
    if not values:
        raise UsageError(f"knob {name} must say its values; got none. Try {name}=LOW..HIGH.")
    kind = kinds[name]
    low, dots, high = values.partition("..")
    if not dots:
        choices = tuple(_value(name, kind, part.strip()) for part in values.split(","))
        if len(set(choices)) < len(choices):
            raise UsageError(f"knob {name} must say each value once; got {values}.")
        return Knob(name, choices=choices)
    if kind not in (int, float):
        raise UsageError(f"knob {name} must be choices, {name}=A,B; got {values}.")
    ends = [float(_value(name, kind, part.strip())) for part in (low, high)]
    if not ends[0] < ends[1] < math.inf:
        raise UsageError(f"knob {name} must go from a lower to a higher value; got {values}.")
    return Knob(name, ends[0], ends[1], 1 if kind is int else None)


def _kinds() -> dict[str, type]:
    """Name all fields that can be knobs, with the type of their values."""
    hints: dict[str, Any] = {
        **typing.get_type_hints(GPTConfig),
        **typing.get_type_hints(TrainConfig),
    }
    return {name: _kind(hint) for name, hint in hints.items() if name not in _SHARED}


def _kind(hint: Any) -> type:
    parts = typing.get_args(hint) if typing.get_origin(hint) in _UNIONS else (hint,)
    return next((part for part in parts if part in (bool, int, float)), str)


_UNIONS = (typing.Union, types.UnionType)


def _value(name: str, kind: type, text: str) -> Value:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if not text:
            raise ValueError
        return kind(text)
    except (KeyError, ValueError):
        raise UsageError(f'knob {name} must be {words[kind]}; got "{text}".') from None


@dataclass(frozen=True)
class Space:
    """The knobs of a sweep, and what it sets once for all.

    Attributes:
        knobs: with two values or more.
        fixed: what was given a single value.
    """

    knobs: tuple[Knob, ...]
    fixed: Mapping[str, Value]

    @classmethod
    def of(
        cls, texts: Iterable[str], model: Mapping[str, Any], training: Mapping[str, Any]
    ) -> Space:
        """Make the space that was asked for.

        Knobs that are named are the ones swept; with none, those of KNOBS. A knob of one value is
        set to it, and does not count as named.

        Args:
            texts: as `parse` takes them.
            model: what the preset sets of the model.
            training: what it sets of the training.

        Raises:
            UsageError: not a space, or a point of it is not a setting.
        """
        parsed = [parse(text) for text in texts]
        for name in {knob.name for knob in parsed}:
            if sum(knob.name == name for knob in parsed) > 1:
                raise UsageError(f"knob {name} must be given once; got it more often.")
        fixed = {knob.name: knob.choices[0] for knob in parsed if len(knob.choices) == 1}
        named = [knob for knob in parsed if knob.name not in fixed]
        knobs = named or [parse(name) for name in KNOBS if name not in fixed]
        if not knobs:
            raise UsageError("a sweep must have a knob of two values or more; got none.")
        space = cls(tuple(_whole_heads(knobs, {**model, **fixed})), fixed)
        space.check(model, training)
        return space

    def check(self, model: Mapping[str, Any], training: Mapping[str, Any]) -> None:
        """Raise UsageError unless the ends of all knobs, and all widths by heads, are settings."""
        first = {**self.fixed, **{knob.name: knob.ends[0] for knob in self.knobs}}
        points = [{**first, knob.name: end} for knob in self.knobs for end in knob.ends]
        shared = [knob for knob in self.knobs if knob.name in ("n_embd", "n_head")]
        for values in product(*(knob.ends for knob in shared)):
            points.append({**first, **dict(zip((knob.name for knob in shared), values))})
        for point in points:
            configs(point, 1, model, {**training, "steps": 1})


def _whole_heads(knobs: Iterable[Knob], settings: Mapping[str, Any]) -> list[Knob]:
    """Let a range of widths have only those that all numbers of heads divide."""
    heads = next((k.ends for k in knobs if k.name == "n_head"), None)
    ranged = next((k for k in knobs if k.name == "n_head" and not k.choices), None)
    if ranged:
        heads = tuple(range(int(ranged.low), int(ranged.high) + 1))
    step = math.lcm(*(int(n) for n in heads or (settings.get("n_head", GPTConfig.n_head),)))
    made: list[Knob] = []
    for knob in knobs:
        if knob.name == "n_embd" and not knob.choices:
            low, high = (math.ceil(knob.low / step) * step, knob.high // step * step)
            if low >= high:
                raise UsageError(
                    f"knob n_embd must have two multiples of {step}, which all heads divide; "
                    f"got {knob.low:g}..{knob.high:g}."
                )
            made.append(Knob("n_embd", low, high, step))
        else:
            made.append(knob)
    return made


def configs(
    values: Mapping[str, Value],
    vocab_size: int,
    model: Mapping[str, Any],
    training: Mapping[str, Any],
) -> tuple[GPTConfig, TrainConfig]:
    """Set values over what a preset says.

    Raises:
        UsageError: they are no settings of a model or a training.

    >>> model, training = configs({"n_embd": 8, "lr": 0.1}, 27, {}, {"steps": 3})
    >>> model.n_embd, training.lr, training.steps
    (8, 0.1, 3)
    """
    shapes = {field.name for field in dataclasses.fields(GPTConfig)}
    of_model: dict[str, Any] = {**model}
    of_training: dict[str, Any] = {**training}
    for name, value in values.items():
        (of_model if name in shapes else of_training)[name] = value
    of_model["vocab_size"] = vocab_size
    return GPTConfig(**of_model), TrainConfig(**of_training)
