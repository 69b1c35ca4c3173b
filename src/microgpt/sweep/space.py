"""The search space of a sweep: its knobs, and the settings that are fixed for all trials.

In: knobs as text, a preset. Out: a `Space`, all points of which the configs accept.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from microgpt.config import GPTConfig, TrainConfig
from microgpt.config.setting import settings
from microgpt.errors import UsageError
from microgpt.sweep.knob import KNOBS, Knob, Value, parse

# A space of at most this many points is enumerated; from a larger one this many are drawn.
_DRAWS = 10_000
_MOST = 100_000


@dataclass(frozen=True)
class Space:
    """The search space of a sweep.

    Attributes:
        knobs: those of two values or more.
        fixed: the settings that were given a single value.
    """

    knobs: tuple[Knob, ...]
    fixed: Mapping[str, Value]

    @classmethod
    def of(
        cls,
        texts: Iterable[str],
        model: Mapping[str, Any],
        training: Mapping[str, Any],
        *,
        or_default: bool = True,
    ) -> Space:
        """Make the space of some knobs.

        A knob of one value is fixed to it.

        Args:
            texts: as `parse` takes them.
            model: the preset's fields of GPTConfig.
            training: the preset's fields of TrainConfig.
            or_default: whether those of KNOBS are swept if no knob of two values or more is given.

        Raises:
            UsageError: a knob is invalid, or the configs refuse a point of the space.
        """
        parsed = [parse(text) for text in texts]
        for name in {knob.name for knob in parsed}:
            if sum(knob.name == name for knob in parsed) > 1:
                raise UsageError(f"knob {name} must be given once; got it more often.")
        fixed = {knob.name: knob.choices[0] for knob in parsed if len(knob.choices) == 1}
        named = [knob for knob in parsed if knob.name not in fixed]
        knobs = named
        if or_default and not named:
            knobs = [parse(name) for name in KNOBS if name not in fixed]
        if or_default and not knobs:
            raise UsageError("a sweep must have a knob of two values or more; got none.")
        space = cls(tuple(_whole_heads(knobs, {**model, **fixed})), fixed)
        space.check(model, training)
        return space

    @property
    def points(self) -> Iterator[dict[str, Value]]:
        """All combinations of the knobs' values, the last knob changing first."""
        names = [knob.name for knob in self.knobs]
        return (dict(zip(names, each)) for each in product(*(knob.every for knob in self.knobs)))

    def check_grid(self, seeds: int) -> None:
        """Raise UsageError unless the points can be counted, and are not too many."""
        for knob in self.knobs:
            if not knob.every:
                raise UsageError(
                    f"grid {knob.name} must list its values, {knob.name}=A,B,C; got the range "
                    f"{knob.low:g}..{knob.high:g}."
                )
        trainings = seeds * math.prod(len(knob.every) for knob in self.knobs)
        if trainings > _MOST:
            raise UsageError(
                f"a grid must have at most {_MOST:,} trainings; got {trainings:,}. "
                "Leave values out."
            )

    def draw(
        self, generator: random.Random, wanted: Callable[[dict[str, Value]], bool]
    ) -> dict[str, Value] | None:
        """Draw values that satisfy `wanted`; None: there are none, or they are too rare to draw."""
        if 0 < math.prod(len(knob.every) for knob in self.knobs) <= _DRAWS:
            left = [point for point in self.points if wanted(point)]
            return generator.choice(left) if left else None
        drawn = ({k.name: k.draw(generator) for k in self.knobs} for _ in range(_DRAWS))
        return next(filter(wanted, drawn), None)

    def check(self, model: Mapping[str, Any], training: Mapping[str, Any]) -> None:
        """Raise UsageError unless the configs accept all knobs' ends, and all widths with heads."""
        first = {**self.fixed, **{knob.name: knob.ends[0] for knob in self.knobs}}
        points = [{**first, knob.name: end} for knob in self.knobs for end in knob.ends]
        shared = [knob for knob in self.knobs if knob.name in ("n_embd", "n_head")]
        for values in product(*(knob.ends for knob in shared)):
            points.append({**first, **dict(zip((knob.name for knob in shared), values))})
        for point in points:
            configs(point, 1, model, {**training, "steps": 1})


def _whole_heads(knobs: Iterable[Knob], shape: Mapping[str, Any]) -> list[Knob]:
    """Restrict a range of widths to those that all numbers of heads divide."""
    heads = next((k.ends for k in knobs if k.name == "n_head"), None)
    ranged = next((k for k in knobs if k.name == "n_head" and not k.choices), None)
    if ranged:
        heads = tuple(range(int(ranged.low), int(ranged.high) + 1))
    # A step above the largest width allows none: the least common multiple may stop there.
    bounds = settings(GPTConfig)["n_embd"].bounds
    step, most = 1, int(bounds.high) + 1 if bounds else 1
    for n in heads or (shape.get("n_head", GPTConfig.n_head),):
        step = int(min(math.lcm(step, int(n)), most))
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
    """Return a preset's configs with some values overridden.

    Raises:
        UsageError: the configs refuse a value.

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
