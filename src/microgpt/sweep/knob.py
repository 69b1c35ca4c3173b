"""One setting that a sweep varies, and the values it may take.

In: text such as `lr=1e-3..1e-1` or `n_embd=16,32,64`. Out: a `Knob`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from microgpt.config import GPTConfig, TrainConfig
from microgpt.config.setting import Setting, settings
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
"""The knobs and ranges swept by default. Any other field of the two configs can be a knob too,
except `_SHARED`."""

# All trainings of a sweep share these, or the data sets them.
_SHARED = ("vocab_size", "steps", "seconds", "holdout", "seed")

SEED = "seed"
"""The value in which the trainings of one point of a grid differ. It is no knob."""

Value = int | float | str | bool


@dataclass(frozen=True)
class Knob:
    """A setting and the values it may take: a range, or choices.

    Attributes:
        name: the config's field.
        low, high: the ends of a range.
        step: the values are multiples of it, as whole numbers; None: any numbers of the range.
        choices: the values, instead of a range.
    """

    name: str
    low: float = 0.0
    high: float = 0.0
    step: int | None = None
    choices: tuple[Value, ...] = ()

    @property
    def log(self) -> bool:
        """Whether values are drawn log-uniformly: in a range over a factor of ten or more."""
        return self.low > 0 and self.high >= 10 * self.low and self.step in (None, 1)

    @property
    def ends(self) -> tuple[Value, ...]:
        """The values to validate: if the configs accept these they accept all others."""
        low, high = (self.low, self.high) if self.step is None else (int(self.low), int(self.high))
        return self.choices or (low, high)

    def holds(self, value: Value) -> bool:
        """Return whether a value is one of the knob's.

        >>> parse("n_embd=8,16").holds(16), parse("lr=0.1..0.2").holds(0.3)
        (True, False)
        """
        if self.choices or isinstance(value, str):
            return value in self.choices
        return self.low <= value <= self.high and (not self.step or value % self.step == 0)

    @property
    def every(self) -> Sequence[Value]:
        """All values; empty for a range of numbers that are not whole."""
        if self.choices or self.step is None:
            return self.choices
        return range(int(self.low), int(self.high) + 1, self.step)

    def draw(self, generator: random.Random) -> Value:
        """Draw a value, uniformly, or log-uniformly if `log`."""
        if every := self.every:
            return generator.choice(every)
        if not self.log:
            return generator.uniform(self.low, self.high)
        drawn = math.exp(generator.uniform(math.log(self.low), math.log(self.high)))
        return min(max(drawn, self.low), self.high)


def parse(text: str) -> Knob:
    """Parse `NAME=LOW..HIGH`, `NAME=A,B,C`, or, for a knob of `KNOBS`, NAME alone.

    Raises:
        UsageError: there is no such knob, or its values are missing or invalid.

    >>> parse("lr=1e-3..1e-1")
    Knob(name='lr', low=0.001, high=0.1, step=None, choices=())
    >>> parse("n-embd=16,32").choices
    (16, 32)
    """
    name, equals, values = text.partition("=")
    name = name.strip().replace("-", "_")
    if name == "seed":
        raise UsageError(
            "knob must not be seed: the lowest of several seeds is luck, which no other text "
            "shares. Try --seed for all trainings, and the best settings again with other seeds."
        )
    known = _settings()
    if name not in known:
        raise UsageError(f'knob must be one of {", ".join(known)}; got "{name}".')
    values = values.strip() if equals else KNOBS.get(name, "")
    if not values:
        raise UsageError(f"knob {name} must say its values; got none. Try {name}=LOW..HIGH.")
    setting = known[name]
    low, dots, high = values.partition("..")
    if not dots:
        choices = tuple(_value(name, setting, part.strip()) for part in values.split(","))
        if len(set(choices)) < len(choices):
            raise UsageError(f"knob {name} must say each value once; got {values}.")
        return Knob(name, choices=choices)
    if setting.bounds is None:
        raise UsageError(f"knob {name} must be choices, {name}=A,B; got {values}.")
    ends = [float(_value(name, setting, part.strip())) for part in (low, high)]
    if not ends[0] < ends[1] < math.inf:
        raise UsageError(f"knob {name} must go from a lower to a higher value; got {values}.")
    return Knob(name, ends[0], ends[1], 1 if setting.type is int else None)


def _settings() -> dict[str, Setting]:
    """Return all settings that can be knobs, by name."""
    known = {**settings(GPTConfig), **settings(TrainConfig)}
    return {name: setting for name, setting in known.items() if name not in _SHARED}


def _value(name: str, setting: Setting, text: str) -> Value:
    kind = str if setting.choices else setting.type
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    try:
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if not text:
            raise ValueError
        value: Value = kind(text)
    except (KeyError, ValueError):
        raise UsageError(f'knob {name} must be {words[kind]}; got "{text}".') from None
    if kind is int:
        # Checked here: multiples within a range are computed before any config is.
        setting.check(f"knob {name}", value)
    return value
