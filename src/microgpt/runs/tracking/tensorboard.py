"""TensorBoard: event files in the run's folder, so that `tensorboard --logdir runs` finds them.

In: a `Tracked` run. Out: `events-NUMBER.out.tfevents...`, a file for each part of a training. A new
file says from which step on it replaces the ones before. TensorBoard keeps numbers as float32.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from microgpt.runs.tracking.contract import CurvePoint, Status, Tracked

# What the table of settings shows of each run.
_RESULTS = ("loss", "heldout/loss", "heldout/gpt")


class TensorBoard:
    """Writes an event file.

    Args:
        run: the run.
        x: the package tensorboardX.
    """

    is_lasting = True

    def __init__(self, run: Tracked, x: Any) -> None:
        self.step, self._began = run.step, run.began
        self._event, self._summary = x.proto.event_pb2.Event, x.proto.summary_pb2.Summary
        # By name in order of time; the seconds in the name are equal for a run resumed at once.
        number = sum("tfevents" in path.name for path in run.folder.iterdir()) + 1
        prefix = str(run.folder / f"events-{number:04d}")
        self._writer = x.event_file_writer.EventsWriter(prefix)
        if self.step:
            log = x.proto.event_pb2.SessionLog
            self._write(0.0, step=self.step + 1, session_log=log(status=log.START))
        else:
            results = dict.fromkeys(_RESULTS, 0.0)
            for about in x.summary.hparams(dict(run.settings), results)[:2]:
                self._write(0.0, summary=about)
        self._flush()

    def send(self, points: Sequence[CurvePoint]) -> None:
        value = self._summary.Value
        for point in points:
            values = [value(tag=name, simple_value=its) for name, its in point.values.items()]
            self._write(point.seconds, step=point.step, summary=self._summary(value=values))
        self._flush()

    def close(self, status: Status) -> None:
        self._writer.close()

    def _write(self, seconds: float, **what: Any) -> None:
        self._writer.write_event(self._event(wall_time=self._began + seconds, **what))

    def _flush(self) -> None:
        """Write to the disk: the record that follows says that it is there."""
        self._writer.flush()
        os.fsync(self._writer._py_recordio_writer._writer.fileno())


def open_tracker(run: Tracked) -> TensorBoard:
    """Open a new file."""
    # The writer would load PyTorch, of which it needs nothing; this process needs it no more.
    sys.modules.setdefault("torch", None)  # type: ignore[arg-type]
    return TensorBoard(run, import_module("tensorboardX"))
