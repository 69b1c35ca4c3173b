"""The settings of a sweep, which must be equal on all machines that share its study.

In: a preset, knobs, the budget of one training, where the documents are. Out: a JSON object, and
back; the configs and the command of one trial.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from microgpt import schema
from microgpt.config import GPTConfig, TokenizerName, TrainConfig, check_count, check_tokenizer
from microgpt.data.corpus import Source
from microgpt.errors import SweepError, UsageError
from microgpt.runs.settings import check_format
from microgpt.sweep.knob import SEED, Value
from microgpt.sweep.space import Space, configs
from microgpt.training.presets import preset
from microgpt.wording import as_flags, path_word

FORMAT = 1

# Held-out positions to measure on, for each second of training: they take a few percent of it.
_POSITIONS_A_SECOND = {"native": 40_000, "torch": 10_000, "scalar": 400}
_POSITIONS_OF_STEPS = {"native": 20_000, "torch": 20_000, "scalar": 1_000}


def grid_steps(name: str) -> int:
    """Return the steps of a grid's trainings if neither steps nor seconds are given: the preset's.

    >>> grid_steps("microgpt")
    1000
    """
    return preset(name).training.get("steps", TrainConfig().steps)


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """The settings of a sweep.

    Attributes:
        preset: the recipe that the knobs of all trials override.
        tokenizer: "characters", "bytes", "bpe", or the path of a `tokenizer.json`.
        mask: what is read as one symbol, as `masks.parse` takes it.
        source: where the documents are.
        fingerprint: a hash of the documents.
        engine: by name.
        seconds, steps: the budget of one training.
        holdout: the share of documents held out of all trainings.
        seed: of all trainings, and of the trials' values.
        knobs: as text that `knob.parse` takes.
        seeds: of a grid: how many trainings each combination of values gets, with the seeds from
            `seed` up; None: the values are searched for, and all trainings share one seed.
        vocab_size: how many token ids "bpe" has; None: 1,000.
    """

    preset: str
    tokenizer: TokenizerName
    source: Source
    fingerprint: str
    engine: str
    seconds: float | None
    steps: int | None
    holdout: float
    seed: int
    knobs: tuple[str, ...] = ()
    seeds: int | None = None
    mask: tuple[str, ...] = ()
    vocab_size: int | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.holdout < 1.0:
            raise UsageError(
                "holdout must be in (0, 1): trials are compared on what is held out; "
                f"got {self.holdout}."
            )
        check_tokenizer(self.tokenizer, self.vocab_size)
        _ = self.space  # raises a UsageError if it is wrong
        self.configs({}, 1)

    @cached_property
    def space(self) -> Space:
        """The knobs and their values."""
        recipe = preset(self.preset)
        if self.seeds is None:
            return Space.of(self.knobs, recipe.model, self._training)
        check_count("seeds", self.seeds)
        space = Space.of(self.knobs, recipe.model, self._training, or_default=False)
        space.check_grid(self.seeds)
        return space

    @property
    def grid(self) -> Iterator[dict[str, Value]]:
        """All trainings of a grid: each combination of values with the first seed, then the next.

        So a study that is stopped has about as many trainings of each combination.
        """
        for seed in range(self.seed, self.seed + (self.seeds or 0)):
            for values in self.space.points:
                yield {**values, SEED: seed}

    @property
    def _training(self) -> dict[str, Any]:
        shared = {"holdout": self.holdout, "steps": self.steps, "seconds": self.seconds}
        # "cut" would leave one block of a stream.
        long = {"long": "window"} if self.source.stream else {}
        return {**preset(self.preset).training, **long, **shared, "seed": self.seed}

    @property
    def positions(self) -> int:
        """The most held-out positions on which every trial is measured."""
        if self.seconds is None:
            return _POSITIONS_OF_STEPS.get(self.engine, 1_000)
        return max(200, int(self.seconds * _POSITIONS_A_SECOND.get(self.engine, 400)))

    def configs(
        self, values: Mapping[str, Value], vocab_size: int
    ) -> tuple[GPTConfig, TrainConfig]:
        """Return the configs of a trial of these values."""
        values = {**self.space.fixed, **values}
        return configs(values, vocab_size, preset(self.preset).model, self._training)

    def of_the_preset(self) -> dict[str, Value] | None:
        """Return the preset's own values of the knobs; None: one is outside its knob's range.

        A grid has none that are special.
        """
        if self.seeds is not None:
            return None
        model, training = self.configs({}, 1)
        every = {**vars(model), **vars(training)}
        values = {knob.name: every[knob.name] for knob in self.space.knobs}
        return values if all(knob.holds(values[knob.name]) for knob in self.space.knobs) else None

    def words(self, values: Mapping[str, Value], training: TrainConfig, out: Path) -> str:
        """Return the command that trains a run with these values."""
        words: dict[str, Any] = {"preset": self.preset, **self.space.fixed, **values}
        words |= {name: getattr(training, name) for name in ("seed", "holdout", "steps", "seconds")}
        source = self.source
        words |= {
            "tokenizer": self.tokenizer if self.tokenizer != "characters" else None,
            "vocab_size": self.vocab_size,
            "mask": self.mask or None,
            **source.asked,
            "engine": self.engine,
            "out": out,
        }
        return " ".join(["microgpt train", *map(path_word, source.files), *as_flags(words)])

    def check_same(
        self, theirs: Mapping[str, Any], name: str, other: str = "another --name"
    ) -> None:
        """Raise SweepError unless the stored settings are the same as these.

        Args:
            theirs: the stored settings, as a JSON object.
            name: the study's.
            other: what to try if they are not.
        """
        ours = self.to_json()
        for key in ours:
            # Files may have other names on another machine: the fingerprints are compared.
            if key != "source" and theirs.get(key) != ours[key]:
                raise SweepError(
                    f'study "{name}": {key} must be {theirs.get(key)}, as it was begun; '
                    f"got {ours[key]}. Try {other}."
                )

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        data = dataclasses.asdict(self)
        data["mask"] = [*self.mask]  # as a database gives it back
        if not self.mask:
            del data["mask"]  # a study of an earlier version has none
        if self.vocab_size is None:
            del data["vocab_size"]
        return {"format": FORMAT, **data, "source": self.source.to_json(), "knobs": [*self.knobs]}

    @classmethod
    def from_json(cls, data: Any) -> SweepSettings:
        """Make settings from a JSON object.

        Raises:
            UsageError: it is not one that `to_json` makes.
        """
        check_format(data, FORMAT)
        return schema.convert(cls, data)
