"""A training's log: JSON lines that plots, pages and notebooks read.

In: steps and evaluations as they come. Out: `log.jsonl`. What depends on the clock stands in
`seconds` alone, so that two logs can be compared without it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from microgpt.loss import LossSum

if TYPE_CHECKING:
    from microgpt.train import Step

LOG = "log.jsonl"
_KINDS = ({"step", "loss", "positions", "lr", "seconds"}, {"step", "heldout"})


def train_line(step: int, total: LossSum, lr: float, seconds: float) -> dict[str, Any]:
    """Return the line of one step, or of all steps since the line before.

    >>> train_line(12, LossSum(20.23, 7), 0.00989, 0.0123)
    {'step': 12, 'loss': 2.89, 'positions': 7, 'lr': 0.00989, 'seconds': 0.0123}
    """
    return {
        "step": step,
        "loss": total.mean,
        "positions": total.positions,
        "lr": lr,
        "seconds": round(seconds, 6),
    }


def heldout_line(step: int, total: LossSum) -> dict[str, Any]:
    """Return the line of an evaluation on held-out documents.

    >>> heldout_line(100, LossSum(48.0, 20))
    {'step': 100, 'heldout': {'loss': 2.4, 'positions': 20}}
    """
    return {"step": step, "heldout": {"loss": total.mean, "positions": total.positions}}


@dataclass
class Log:
    """A log, read.

    Attributes:
        lines: of training, as dictionaries.
        heldout: the evaluations, likewise.
    """

    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    heldout: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def steps(self) -> int:
        """The last step told of."""
        return self.lines[-1]["step"] if self.lines else 0

    @property
    def seconds(self) -> float:
        """How long the training had taken then."""
        return self.lines[-1]["seconds"] if self.lines else 0.0

    def tail(self, steps: int) -> LossSum:
        """Return the losses of the last so many steps, or of the lines that tell of them."""
        kept = [line for line in self.lines if line["step"] > self.steps - steps]
        return sum((_sum(line) for line in kept), LossSum())


def read(folder: Path) -> Log:
    """Read a run's log; a last line that a crash cut short is passed over."""
    log = Log()
    for line in _lines(folder / LOG):
        (log.heldout if "heldout" in line else log.lines).append(line)
    return log


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return
    for line in text.split("\n"):
        try:
            record: Any = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            told = cast("dict[str, Any]", record)
            if any(kind.issubset(told) for kind in _KINDS):
                yield told


def _sum(line: dict[str, Any]) -> LossSum:
    return LossSum(line["loss"] * line["positions"], line["positions"])


class LogWriter:
    """Writes a log, from its beginning or from where a checkpoint stands.

    Args:
        folder: the run's.
        every: steps a line.
        updates: of the checkpoint. What the log tells of later steps is taken away; a line that an
            interruption made before its time is taken up again, so that the log of a resumed
            training is that of an uninterrupted one.
    """

    def __init__(self, folder: Path, every: int, updates: int) -> None:
        kept = [line for line in _lines(folder / LOG) if line["step"] <= updates]
        self._every = every
        self._sum = LossSum()
        self.seconds = next((x["seconds"] for x in reversed(kept) if "seconds" in x), 0.0)
        at_end = [i for i, x in enumerate(kept) if "loss" in x and x["step"] == updates]
        if at_end and updates % every:
            self._sum = _sum(kept.pop(at_end[-1]))
        self._last: Step | None = None
        self._kept = [line for line in kept if "loss" in line]
        temporary = folder / f".{LOG}.new"
        self._file = temporary.open("w", encoding="utf-8", newline="\n")
        for line in kept:
            self._write(line)
        self._file.close()
        temporary.replace(folder / LOG)
        self._file = (folder / LOG).open("a", encoding="utf-8", newline="\n")

    def tail(self, steps: int) -> list[LossSum]:
        """Return the losses of the last so many steps, where each step has a line."""
        if self._every > 1:
            return []
        return [_sum(line) for line in self._kept[-steps:]]

    def step(self, step: Step) -> None:
        """Take a step in; write a line when it is due."""
        self._sum, self._last = self._sum + step.sum, step
        if step.step % self._every == 0:
            self.settle()

    def heldout(self, step: int, total: LossSum) -> None:
        """Write the line of an evaluation."""
        self._write(heldout_line(step, total))

    def settle(self) -> None:
        """Write what has come since the last line, if anything."""
        if self._last and self._sum.positions:
            last = self._last
            self._write(train_line(last.step, self._sum, last.lr, last.seconds))
            self._sum = LossSum()

    def flush(self) -> None:
        """Hand all lines to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
