"""The type, bounds, choices and help text of each setting, as its field in a config declares them.

In: a config, whose fields are annotated with a type, bounds (of a number) and a help text. Out: its
settings by name. Checks, flags, help texts and a sweep's search space are made of these.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from microgpt.config.bounds import Real, Whole
from microgpt.errors import UsageError


@dataclass(frozen=True)
class Setting:
    """A field of a config.

    Attributes:
        type: of its values, without None.
        bounds: of a number; None: it is not a number.
        choices: the words that it may be; empty: it is not a word.
        optional: whether it may be None.
        help: what it does, a sentence.
    """

    type: Any
    bounds: Whole | Real | None
    choices: tuple[str, ...]
    optional: bool
    help: str

    def check(self, name: str, value: object) -> None:
        """Raise UsageError unless the setting may have this value."""
        if self.optional and value is None:
            return
        if self.bounds:
            self.bounds.check(name, value)
        elif self.choices:
            check_choice(name, value, self.choices)


@lru_cache
def settings(config: type[Any]) -> Mapping[str, Setting]:
    """Return the settings of a config by name, in the order of its fields.

    >>> from microgpt.config import TrainConfig
    >>> settings(TrainConfig)["order"].choices
    ('per-epoch', 'once')
    """
    hints = typing.get_type_hints(config, include_extras=True)
    return {field.name: _setting(hints[field.name]) for field in dataclasses.fields(config)}


def _setting(hint: Any) -> Setting:
    """Read the annotation of a field: its type, its bounds if it has any, its help."""
    kind, *bounds, text = typing.get_args(hint)
    is_optional = typing.get_origin(kind) in (typing.Union, types.UnionType)
    if is_optional:
        kind, _ = typing.get_args(kind)  # the other one is None
    return Setting(kind, bounds[0] if bounds else None, typing.get_args(kind), is_optional, text)


def check(config: object) -> None:
    """Raise UsageError unless each field of a config has a value that it may have."""
    for name, setting in settings(type(config)).items():
        setting.check(name, getattr(config, name))


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise UsageError unless the value is one of the choices."""
    if value not in choices:
        raise UsageError(f'{name} must be one of {", ".join(choices)}; got "{value}".')
