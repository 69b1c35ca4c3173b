"""A training's log, `log.jsonl`: a JSON line for each step or several steps, and each evaluation.

In: steps and evaluations; or the file. Out: the file; or a `Log`. Only the field `seconds` depends
on the clock: without it the logs of two equal trainings are equal.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from microgpt.loss import LossSum
from microgpt.runs.files import write_atomically
from microgpt.training.loop import Step, Steps
from microgpt.training.progress import Progress

if TYPE_CHECKING:
    from microgpt.training.heldout import HeldOut

LOG = "log.jsonl"


def train_line(step: Step, total: LossSum) -> str:
    """Return the line of one step, or of all steps since the line before.

    >>> from microgpt.training.loop import Step
    >>> train_line(Step(12, LossSum(), 0.00989, 0.0123), LossSum(20.23, 7))
    '{"step": 12, "loss": 2.89, "positions": 7, "lr": 0.00989, "seconds": 0.0123}'
    """
    return _LINE(step.step, total.mean, total.positions, step.lr, round(step.seconds, 6))


# A format string: it takes half the time of JSON's encoder.
_LINE = '{{"step": {}, "loss": {!r}, "positions": {}, "lr": {!r}, "seconds": {!r}}}'.format


class Gathered:
    """Gathers the losses of steps into log lines of several steps.

    Args:
        every: steps a line.
        pending: the losses of steps that are in no line yet.
        last: the last step made.
    """

    def __init__(
        self, every: int, pending: LossSum | None = None, last: Step | None = None
    ) -> None:
        self._every, self.pending, self._last = every, pending or LossSum(), last

    def take(self, steps: Steps) -> list[str]:
        """Add the steps of a chunk; return the lines that are complete."""
        self._last = steps[-1]
        if self._every == 1:
            columns = (steps.sums.means_K, steps.sums.positions_K, steps.lr_K)
            seconds_K = np.round(steps.seconds_K, 6).tolist()
            numbers = range(steps.first, steps.last + 1)
            return [*map(_LINE, numbers, *(column.tolist() for column in columns), seconds_K)]
        lines: list[str] = []
        begin = 0
        first_due = -steps.first % self._every
        for k in range(first_due, len(steps), self._every):
            self.pending = steps.sums[begin : k + 1].after(self.pending)
            lines.append(train_line(steps[k], self.pending))
            self.pending, begin = LossSum(), k + 1
        self.pending = steps.sums[begin:].after(self.pending)
        return lines

    def settle(self) -> list[str]:
        """Return the line of the steps since the last line, if there are any."""
        pending, self.pending = self.pending, LossSum()
        return [train_line(self._last, pending)] if self._last and pending.positions else []


def heldout_line(heldout: HeldOut) -> dict[str, Any]:
    """Return the line of an evaluation on held-out documents.

    >>> from microgpt.training.heldout import HeldOut
    >>> heldout_line(HeldOut(100, LossSum(48.0, 20), documents=4, gpt=LossSum(50.0, 20)))
    {'step': 100, 'heldout': {'loss': 2.4, 'gpt': 2.5, 'positions': 20}}
    """
    found: dict[str, Any] = {"loss": heldout.sum.mean}
    if heldout.gpt:
        found["gpt"] = heldout.gpt.mean
    found["positions"] = heldout.sum.positions
    if heldout.n_bytes:
        found["bytes"] = heldout.n_bytes
    if math.isfinite(heldout.error):
        found["standard_error"] = heldout.error
    if heldout.kept:
        found["kept"] = heldout.kept
    return {"step": heldout.step, "heldout": found}


@dataclass
class Log:
    """The content of a log.

    Attributes:
        lines: of training steps, as dictionaries.
        heldout: of evaluations, as dictionaries.
    """

    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    heldout: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def steps(self) -> int:
        """The last step in a line."""
        return self.lines[-1]["step"] if self.lines else 0

    @property
    def seconds(self) -> float:
        """Seconds since the training began, at that step."""
        return self.lines[-1]["seconds"] if self.lines else 0.0

    def tail(self, steps: int) -> LossSum:
        """Return the losses of the last `steps` steps, or of the lines that cover them."""
        lines = [line for line in self.lines if line["step"] > self.steps - steps]
        return sum(map(loss_sum, lines), LossSum())

    def curve(self, points: int) -> list[tuple[float, float]]:
        """Return at most `points` steps and losses, each the mean per position of some lines."""
        n, count = len(self.lines), min(points, len(self.lines))
        shares = [self.lines[i * n // count : (i + 1) * n // count] for i in range(count)]
        return [
            (
                math.fsum(line["step"] for line in lines) / len(lines),
                sum(map(loss_sum, lines), LossSum()).mean,
            )
            for lines in shares
        ]


def loss_sum(line: dict[str, Any]) -> LossSum:
    """Return the sum of losses of a line of training, or of the value of its key "heldout".

    >>> loss_sum({"loss": 2.5, "positions": 4})
    LossSum(nats=10.0, positions=4)
    """
    return LossSum(line["loss"] * line["positions"], line["positions"])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log; import the modules that check them only if there is one."""
    if path.exists() or path.is_symlink():
        from microgpt.runs import events

        yield from events.lines(path)


def read(folder: Path) -> Log:
    """Read a run's log; a last line that a crash has cut short is ignored.

    Raises:
        RunError: a line is damaged.
    """
    log = Log()
    for line in _lines(folder / LOG):
        (log.heldout if "heldout" in line else log.lines).append(line)
    return log


class LogWriter:
    """Writes a log, from its beginning or from a checkpoint on.

    Lines after those that the checkpoint counts are removed, so that the log of a resumed training
    is that of an uninterrupted one.

    Args:
        folder: the run's.
        every: steps a line.
        updates: of the checkpoint.
        progress: of its training; None: it has ended, and the log is complete.

    Attributes:
        before: the lines that the file had already and the checkpoint counts.
        lines: how many lines the log has.
    """

    def __init__(self, folder: Path, every: int, updates: int, progress: Progress | None) -> None:
        path = folder / LOG
        # Later lines are not read: a crash may have damaged them.
        counted = islice(_lines(path), progress.lines if progress else None)
        lines = [line for line in counted if line["step"] <= updates]
        last = Step(updates, LossSum(), progress.lr, progress.seconds) if progress else None
        self._gathered = Gathered(every, progress.pending if progress else None, last)
        self.before = Log(
            [line for line in lines if "heldout" not in line],
            [line for line in lines if "heldout" in line],
        )
        self.lines = len(lines)
        data = "".join(json.dumps(line) + "\n" for line in lines).encode()
        if data != (path.read_bytes() if path.exists() else b""):
            write_atomically(path, data)
        self._file = path.open("a", encoding="utf-8", newline="\n")

    @property
    def pending(self) -> LossSum:
        """The losses of steps that are in no line yet."""
        return self._gathered.pending

    def steps(self, steps: Steps) -> None:
        """Add the steps of a chunk; write the lines that are complete, all at once."""
        self._write(self._gathered.take(steps))

    def heldout(self, heldout: HeldOut) -> None:
        """Write the line of an evaluation."""
        self._write([json.dumps(heldout_line(heldout))])

    def settle(self) -> None:
        """Write the line of the steps since the last line, if there are any."""
        self._write(self._gathered.settle())

    def flush(self) -> None:
        """Flush all lines to the disk: the checkpoint that is written next relies on them."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Write the remaining steps, and close the file."""
        try:
            self.settle()
        finally:
            self._file.close()

    def _write(self, lines: list[str]) -> None:
        if lines:
            self._file.write("".join(f"{line}\n" for line in lines))
            self._file.flush()  # whoever follows the log sees each chunk at once
            self.lines += len(lines)
