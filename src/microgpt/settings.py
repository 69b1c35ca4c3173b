"""What a run was told: all that stands in its `config.json`.

In: a model's shape, a training's recipe, where the documents are. Out: the same as a JSON object,
and back.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

from microgpt.alphabet import shell_word
from microgpt.config import GPTConfig, TrainConfig, check_count, from_json
from microgpt.corpus import Source
from microgpt.errors import UsageError

FORMAT = 1
"""The version of the files of a run."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that `config.json` holds.

    Attributes:
        preset: where the numbers of `model` and `training` began.
        source: where the documents are; with their number and fingerprint, to know them again.
        paths: of its files, absolute: where they were when the run was trained.
        engine: what computed it.
        log_every: steps a line of the log.
        asked: the settings that were given, by name; all else is the preset's, or was chosen.
    """

    preset: str
    model: GPTConfig
    training: TrainConfig
    source: Source
    fingerprint: str
    documents: int
    engine: str
    log_every: int = 1
    asked: Mapping[str, Any] = field(default_factory=dict[str, Any])
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_count("log_every", self.log_every)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "format": FORMAT,
            "preset": self.preset,
            "engine": self.engine,
            "log_every": self.log_every,
            "asked": dict(self.asked),
            "model": dataclasses.asdict(self.model),
            "training": dataclasses.asdict(self.training),
            "data": {
                **self.source.to_json(),
                "paths": list(self.paths),
                "documents": self.documents,
                "fingerprint": self.fingerprint,
            },
            "versions": {
                "microgpt": metadata.version("microgpt-lm"),
                "python": platform.python_version(),
                "numpy": metadata.version("numpy"),
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Settings:
        """Make settings from the JSON object."""
        if data["format"] != FORMAT:
            raise UsageError(f"format must be {FORMAT}; got {data['format']}.")
        return cls(
            preset=data["preset"],
            model=from_json(GPTConfig, data["model"]),
            training=from_json(TrainConfig, data["training"]),
            source=Source.from_json(data["data"]),
            fingerprint=data["data"]["fingerprint"],
            documents=data["data"]["documents"],
            engine=data["engine"],
            log_every=data["log_every"],
            asked=data.get("asked", {}),
            paths=tuple(data["data"].get("paths", ())),
        )


def as_flag(name: str, value: Any) -> str:
    """Write a setting as a flag of `microgpt train`.

    >>> as_flag("n_embd", 32), as_flag("qk_norm", False), as_flag("out", "a b")
    ('--n-embd 32', '--no-qk-norm', "--out 'a b'")
    """
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{flag}" if value else f"--no-{flag}"
    between = "=" if str(value).startswith("-") else " "
    return f"--{flag}{between}{shell_word(str(value))}"


def as_flags(values: Mapping[str, Any]) -> list[str]:
    """Write settings as flags; those that are None are not set."""
    return [as_flag(name, value) for name, value in values.items() if value is not None]


def rates(training: TrainConfig, asked: Collection[str] = ()) -> str:
    """Write the learning rates as they were set: those that were asked for, or else all.

    >>> rates(TrainConfig(lr=0.3)), rates(TrainConfig(optimizer="muon"))
    ('--lr 0.3', '--lr 0.01 and --muon-lr 0.02')
    """
    names = ["lr", "muon_lr"] if training.optimizer == "muon" else ["lr"]
    blamed = [name for name in names if name in asked] or names
    return " and ".join(as_flag(name, f"{getattr(training, name):g}") for name in blamed)
