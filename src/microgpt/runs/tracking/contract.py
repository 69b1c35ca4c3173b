"""What a tracker is.

In: a `Tracked` run. Out: a `Tracker` that takes `CurvePoint`s. Each tracker's module has a function
`open_tracker`; only a process beside the training calls it (`following`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["finished", "stopped", "failed"]
"""How a training ended: complete, interrupted, or with an error."""


@dataclass(frozen=True)
class CurvePoint:
    """The numbers of a line of the log.

    Attributes:
        step: counted from 1; several lines may have the same, but never of the same kind.
        seconds: since the training began.
        values: by name; those of an evaluation begin with "heldout/".
    """

    step: int
    seconds: float
    values: Mapping[str, float]


@dataclass
class Tracked:
    """A run as its tracker sees it.

    Attributes:
        folder: the run's; its name is the run's name.
        settings: the run's settings by name, each a single value.
        id: of this run for this tracker: random, made once.
        began: when the training began, in seconds of Unix time.
        step: the tracker has all lines up to this step.
        notes: what else the tracker must find again when the run is resumed.
    """

    folder: Path
    settings: Mapping[str, str | int | float | bool]
    id: str
    began: float
    step: int = 0
    notes: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def name(self) -> str:
        """The run's name."""
        return self.folder.name


class Tracker(Protocol):
    """Takes the numbers of a run; any method may raise any error, or take its time.

    Attributes:
        step: it has all points up to this step when it is opened; of later ones it may have some,
            and does not take these twice.
        is_lasting: whether points are kept once `send` returns; False: once `close` does.
    """

    step: int
    is_lasting: bool

    def send(self, points: Sequence[CurvePoint]) -> None:
        """Take points, in the order of the log; all points of a step come at once."""
        ...

    def close(self, status: Status) -> None:
        """Complete what was sent, and release everything."""
        ...
