"""The learning curves of a run that may be training now: its log, read on from where it ended.

In: a run's folder. Out: a `Growing`, whose curves have a bounded number of points however long the
log becomes. A last line that is not complete is read when it is.
"""

from __future__ import annotations

from pathlib import Path

from microgpt.errors import RunError, UsageError
from microgpt.loss import LossSum
from microgpt.runs.events import CheckedLines
from microgpt.runs.learning import Curve
from microgpt.runs.log import LOG, loss_sum

POINTS = 240
"""The most points of a training curve."""

_AT_ONCE = 1 << 22


class Growing:
    """The curves of a log, as far as it has grown.

    Args:
        folder: the run's; it may not have a log yet.
        points: the most points of the training curve, even.

    Attributes:
        held_out: steps and the GPT's held-out losses.
        mixed: those of the GPT mixed with counts; empty: it is not mixed.
        step, loss, lr, seconds: of the last line of training.
    """

    def __init__(self, folder: Path, points: int = POINTS) -> None:
        self._path, self._most = folder / LOG, points
        self._begin(None)

    def _begin(self, file: int | None) -> None:
        self._file, self._offset, self._lines = file, 0, 0
        self._checked, self._damage = CheckedLines(), ""
        # Spans of as many lines each, the last one perhaps of fewer: sums of steps and of losses.
        self._span, self._open = 1, 0
        self._steps: list[int] = []
        self._sums: list[LossSum] = []
        self.held_out: Curve = []
        self.mixed: Curve = []
        self.step, self.loss, self.lr, self.seconds = 0, 0.0, 0.0, 0.0

    @property
    def training(self) -> Curve:
        """Steps and training losses, each the mean over a span of lines."""
        lines = [self._span] * len(self._sums)
        if self._open:
            lines[-1] = self._open
        return [(s / n, its.mean) for s, n, its in zip(self._steps, lines, self._sums)]

    def read(self) -> bool:
        """Read what has been written since; return whether there was anything.

        A log that was written anew, as when a training resumes from its checkpoint, is read from
        its beginning.

        Raises:
            RunError: a line is damaged; nothing is read after it.
        """
        try:
            with self._path.open("rb") as file:
                at = self._path.stat()
                if at.st_ino != self._file or at.st_size < self._offset:
                    self._begin(at.st_ino)
                if self._damage:
                    raise RunError(self._damage)
                file.seek(self._offset)
                before = self._offset
                while block := file.read(_AT_ONCE):
                    end = block.rfind(b"\n") + 1
                    if not end:
                        break
                    self._take(block[:end].splitlines())
                    self._offset += end
                    file.seek(self._offset)
                return self._offset > before
        except OSError:
            return False  # it has no log yet

    def _take(self, lines: list[bytes]) -> None:
        for text in lines:
            self._lines += 1
            try:
                line = self._checked.take(text)
            except UsageError as error:
                self._damage = f"{self._path}: line {self._lines}: damaged ({error})."
                raise RunError(self._damage) from None
            if "heldout" in line:
                found = line["heldout"]
                self.held_out.append((line["step"], found.get("gpt", found["loss"])))
                if "gpt" in found:
                    self.mixed.append((line["step"], found["loss"]))
                continue
            self.step, self.loss = line["step"], line["loss"]
            self.lr, self.seconds = line["lr"], line["seconds"]
            self._add(line["step"], loss_sum(line))

    def _add(self, step: int, its: LossSum) -> None:
        if self._open:
            self._steps[-1] += step
            self._sums[-1] += its
        else:
            if len(self._sums) == self._most:
                self._halve()
            self._steps.append(step)
            self._sums.append(its)
        self._open = (self._open + 1) % self._span

    def _halve(self) -> None:
        """Join spans two by two."""
        self._steps = [a + b for a, b in zip(self._steps[::2], self._steps[1::2])]
        self._sums = [a + b for a, b in zip(self._sums[::2], self._sums[1::2])]
        self._span *= 2
