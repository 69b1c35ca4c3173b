"""The settings of a run: the content of its `config.json`.

In: the settings of a model, of a training and of its data. Out: a JSON object, and back.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np

import microgpt
from microgpt import schema
from microgpt.config import GPTConfig, TrainConfig, from_json
from microgpt.config.bounds import check
from microgpt.data.corpus import Source
from microgpt.errors import UsageError

FORMAT = 1
"""The version of the files of a run."""

Asked = int | float | str | bool | tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that `config.json` holds.

    Attributes:
        preset: the preset that `model` and `training` were made from.
        model: the model's settings.
        training: the training's settings.
        source: where the documents are.
        fingerprint: a hash of the documents, to recognise them.
        documents: how many there are.
        engine: the engine that trained it.
        log_every: steps a line of the log.
        asked: the settings that the caller gave, by name; all others are the preset's, or chosen.
        paths: the absolute paths of the source's files at the time of the training.
    """

    preset: str
    model: GPTConfig
    training: TrainConfig
    source: Source
    fingerprint: str
    documents: int
    engine: str
    log_every: int = 1
    asked: Mapping[str, Asked] = field(default_factory=dict[str, Asked])
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("documents", "log_every"):
            check(name, getattr(self, name))
        for name in self.asked:
            if not name.isidentifier():  # it becomes a flag of a command that is printed
                raise UsageError(f'what was asked for must have a name; got "{name[:40]}".')

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        values = dataclasses.asdict(self)
        of_the_data = {name: values.pop(name) for name in _OF_THE_DATA}
        del values["source"]
        return {
            "format": FORMAT,
            # Single values before objects: easier to read.
            **dict(sorted(values.items(), key=lambda item: isinstance(item[1], dict))),
            "data": {**self.source.to_json(), **of_the_data, "paths": [*self.paths]},
            "versions": {
                "microgpt": microgpt.__version__,
                "python": platform.python_version(),
                "numpy": np.__version__,  # pyright: ignore[reportUnknownMemberType]
            },
        }

    @classmethod
    def from_json(cls, data: Any) -> Settings:
        """Make settings from the JSON object.

        Raises:
            UsageError: it is not one that `to_json` makes.
        """
        check_format(data)
        parts = schema.convert(_Parts, data)
        values = {
            **data,
            "model": from_json(GPTConfig, parts.model, "model"),
            "training": from_json(TrainConfig, parts.training, "training"),
            "source": Source.from_json(parts.data, "data"),
        }
        values |= {name: parts.data[name] for name in _OF_THE_DATA if name in parts.data}
        return schema.convert(cls, values)


@dataclass
class _Parts:
    """The objects in `config.json`, each of which is converted to a type of its own."""

    model: dict[str, Any]
    training: dict[str, Any]
    data: dict[str, Any]


# The fields of "data" in the JSON object that are not fields of `Source`.
_OF_THE_DATA = ("paths", "documents", "fingerprint")


# The fields in which two runs of one recipe may differ.
_ASIDE = ("asked", "paths", "versions", "checksum")


def sealed(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object of a `config.json` with a checksum of its content."""
    return {**data, "checksum": schema.fingerprint(data)}


def recipe_of(data: Mapping[str, Any]) -> str:
    """Return a hash of the settings that a training's result depends on.

    Raises:
        UsageError: the object is not the one that was sealed.
    """
    if "checksum" in data:  # not in those of the first version
        rest = {name: value for name, value in data.items() if name != "checksum"}
        if data["checksum"] != schema.fingerprint(rest):
            raise UsageError(
                "damaged or changed: its checksum is not that of what it says. "
                "Bring back the one that was written."
            )
    recipe = {name: value for name, value in data.items() if name not in _ASIDE}
    recipe["data"] = {name: value for name, value in data["data"].items() if name not in _ASIDE}
    return schema.fingerprint(recipe)


def flat(settings: Mapping[str, Any], taken: Collection[str] = ()) -> dict[str, Any]:
    """Return the settings in the object of a `config.json` by name, without their groups.

    Args:
        settings: as `Settings.to_json` returns them.
        taken: names that are in use: a setting of such a name has its group in front.

    >>> flat({"preset": "micro", "training": {"steps": 10}}, taken=["steps"])
    {'preset': 'micro', 'training.steps': 10}
    """
    named: dict[str, Any] = {}
    for group, value in settings.items():
        if isinstance(value, dict) and group not in _NONE:
            inner = cast("dict[str, Any]", value).items()
            named |= {f"{group}.{name}" if name in taken else name: one for name, one in inner}
        elif group not in (*_NONE, *taken):
            named[group] = value
    return named


# Fields that are no settings of a training.
_NONE = ("versions", "format", "asked")


def check_format(data: Any, ours: int = FORMAT) -> None:
    """Raise UsageError unless a JSON object has the format number that this version reads."""
    found = schema.convert(_Versioned, data).format
    if found != ours:
        raise UsageError(f"format must be {ours}; got {found}.")


@dataclass
class _Versioned:
    format: int
