"""The lines of a log as points, read on from where the reading ended.

In: a run's folder; how many lines a checkpoint covers. Out: parts of `CurvePoint`s, in their order.
All lines of a step are in one part, so that a tracker that has one of them has the others too.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from microgpt import schema
from microgpt.runs.log import LOG
from microgpt.runs.tracking.contract import CurvePoint

_PART = 1000


class LogTail:
    """Reads the log of a run.

    Args:
        folder: the run's.
        after: a step; points up to it are left out.
    """

    def __init__(self, folder: Path, after: int = 0) -> None:
        self._path, self._after = folder / LOG, after
        self._offset, self._lines, self._seconds = 0, 0, 0.0
        self._open: list[CurvePoint] = []

    def take(self, lines: int, *, ended: bool) -> Iterator[list[CurvePoint]]:
        """Yield the points of further lines.

        Args:
            lines: how many lines of the log to have read.
            ended: whether no line follows; else the last step may get another one, an evaluation,
                and waits for a line of a later step.

        Raises:
            OSError: the log cannot be read.
            UsageError: a line is damaged.
        """
        points = self._open
        if lines > self._lines:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                while self._lines < lines:
                    text = file.readline()
                    self._offset += len(text)
                    self._lines += 1
                    point = self._point(schema.parse(text))
                    if point.step <= self._after:
                        continue
                    if len(points) >= _PART and point.step > points[-1].step:
                        yield points
                        points = []
                    points.append(point)
        last = points[-1].step if points else 0
        self._open = [] if ended else [point for point in points if point.step == last]
        whole = points[: len(points) - len(self._open)]
        if whole:
            yield whole

    def _point(self, line: dict[str, Any]) -> CurvePoint:
        """Return the numbers of a line; an evaluation is made at the time of the line before it."""
        heldout: dict[str, float] = line.pop("heldout", {})
        step: int = line.pop("step")
        self._seconds = line.get("seconds", self._seconds)
        values = {**line, **{f"heldout/{name}": value for name, value in heldout.items()}}
        return CurvePoint(step, self._seconds, values)
