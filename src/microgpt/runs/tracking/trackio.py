"""Trackio: a run of the project TRACKIO_PROJECT, or "microgpt", in Trackio's database on this disk.

In: a `Tracked` run. Out: its config and metrics. With TRACKIO_SPACE_ID or TRACKIO_SERVER_URL set,
Trackio sends them to that server instead, and keeps what it cannot send.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime, timezone
from importlib import import_module
from typing import Any

from microgpt.runs.tracking.contract import CurvePoint, Status, Tracked, Tracker

_RESUMED = "run"
"""The note that a server has the run."""


def _project() -> str:
    return os.environ.get("TRACKIO_PROJECT") or "microgpt"


class Local:
    """Writes to the database itself: an error is raised, and a line with a known id is ignored.

    What Trackio offers instead is a queue that drops what it cannot write.

    Args:
        run: the run.
        storage: the package's module of its database.
    """

    is_lasting = True

    def __init__(self, run: Tracked, storage: Any) -> None:
        self.step, self._run, self._storage = run.step, run, storage.SQLiteStorage
        about = {"_Username": None, "_Created": self._at(0.0), "_Group": None}
        self._config: dict[str, Any] | None = {**run.settings, **about}

    def send(self, points: Sequence[CurvePoint]) -> None:
        # Held-out lines may share a step: the place within it is a part of the id.
        steps = [point.step for point in points]
        places = [k - steps.index(step) for k, step in enumerate(steps)]
        self._storage.bulk_log(
            project=_project(),
            run=self._run.name,
            run_id=self._run.id,
            metrics_list=[dict(point.values) for point in points],
            steps=steps,
            timestamps=[self._at(point.seconds) for point in points],
            config=self._config,
            log_ids=[f"{self._run.id}-{s}-{place}" for s, place in zip(steps, places)],
        )
        self._config = None

    def close(self, status: Status) -> None:
        pass

    def _at(self, seconds: float) -> str:
        return datetime.fromtimestamp(self._run.began + seconds, timezone.utc).isoformat()


class Remote:
    """Sends to a server that the user has named.

    Args:
        run: the run.
        trackio: the package.
    """

    is_lasting = False

    def __init__(self, run: Tracked, trackio: Any) -> None:
        self._run = trackio.init(
            project=_project(),
            name=run.name,
            config=dict(run.settings),
            resume="allow" if _RESUMED in run.notes else "never",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        has = self._run._next_step - 1 if _RESUMED in run.notes else 0
        self.step = max(run.step, has)
        run.notes[_RESUMED] = self._run.id

    def send(self, points: Sequence[CurvePoint]) -> None:
        for point in points:
            self._run.log(dict(point.values), step=point.step)

    def close(self, status: Status) -> None:
        self._run.finish()


def open_tracker(run: Tracked) -> Tracker:
    """Open the database, or the server."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if os.environ.get("TRACKIO_SPACE_ID") or os.environ.get("TRACKIO_SERVER_URL"):
        return Remote(run, import_module("trackio"))
    return Local(run, import_module("trackio.sqlite_storage"))
