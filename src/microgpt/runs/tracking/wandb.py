"""W&B: a run of the project WANDB_PROJECT, or "microgpt"; on this disk if nobody is logged in.

In: a `Tracked` run. Out: its config and history. W&B decides what a server gets: it is online if
there is a login and WANDB_MODE says nothing else. A server says which steps it has. Offline a
session's folder is complete once it is closed; one that was not is removed and written again.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from microgpt.runs.tracking.contract import CurvePoint, Status, Tracked

_PROJECT = "microgpt"
_SESSION = "offline"
"""The note with the folder of a session that has not been closed."""

# The bytes at the end of a session's file that have its last row.
_END = 1 << 16


class Wandb:
    """Sends to a run of W&B's.

    Args:
        run: the run.
        wandb: the package.
    """

    is_lasting = False

    def __init__(self, run: Tracked, wandb: Any) -> None:
        self._notes, self._wandb, self._last = run.notes, wandb, 0
        if wandb.run is not None:  # of an attempt that failed
            wandb.teardown()
        self._drop(run.notes.pop(_SESSION, None))
        mode = os.environ.get("WANDB_MODE") or ("online" if wandb.api.api_key else "offline")
        # Nothing but the run's own numbers: no packages, programs, hardware or repository.
        settings = wandb.Settings(
            console="off", disable_code=True, disable_git=True, disable_job_creation=True,
            silent=True, x_disable_machine_info=True, x_disable_meta=True, x_disable_stats=True,
            x_save_requirements=False,
        )  # fmt: skip
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT") or _PROJECT,
            id=run.id,
            name=run.name,
            config=dict(run.settings),
            resume="allow",
            mode=mode,
            settings=settings,
        )
        self._is_offline = self._run.settings.mode == "offline"
        self.step = run.step if self._is_offline else max(self._run.step - 1, 0)
        if self._is_offline:
            run.notes[_SESSION] = str(Path(self._run.dir).parent)

    def _drop(self, session: str | None) -> None:
        """Remove the folder of a session that was not closed, unless somebody has synced it."""
        folder = Path(session) if session else None
        if folder and folder.is_dir() and not any(folder.glob("*.synced")):
            shutil.rmtree(folder)

    def send(self, points: Sequence[CurvePoint]) -> None:
        for point in points:  # those of a step become one row
            self._run.log(dict(point.values), step=point.step)
            self._last = point.step

    def close(self, status: Status) -> None:
        self._run.finish(exit_code=0 if status == "finished" else 1)
        self._wandb.teardown()
        if self._is_offline:
            self._check()
        self._notes.pop(_SESSION, None)

    def _check(self) -> None:
        """Raise OSError unless the session has its last row: W&B does not say if a disk is full."""
        (file,) = Path(self._notes[_SESSION]).glob("run-*.wandb")
        with file.open("rb") as opened:
            opened.seek(-min(_END, file.stat().st_size), os.SEEK_END)
            end = opened.read()
        if self._last and not re.search(rb"_step.{1,8}?%d\D" % self._last, end, re.DOTALL):
            raise OSError(f"{file} has not all of it: is the disk full?")


def open_tracker(run: Tracked) -> Wandb:
    """Begin a session; W&B's own reports of errors are not sent."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    os.environ.setdefault("WANDB_SILENT", "true")
    return Wandb(run, import_module("wandb"))
