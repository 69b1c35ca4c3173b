"""MLflow: a run in the store that MLFLOW_TRACKING_URI names, or in MLflow's own in this folder.

In: a `Tracked` run. Out: its parameters and metrics, in the experiment MLFLOW_EXPERIMENT_NAME, or
"microgpt". A tag has the run's id, by which it is found again. A store keeps a metric twice if it
gets it twice: what it has beyond the record is asked for first.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from microgpt.runs.tracking.contract import CurvePoint, Status, Tracked

_EXPERIMENT = "microgpt"
_TAG = "microgpt.id"

# The most of each that a store takes at once, and the longest value of a parameter.
_METRICS, _PARAMS, _LENGTH = 1000, 100, 6000

_STATUS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


class MLflow:
    """Sends to a store of MLflow's.

    Args:
        run: the run.
        mlflow: the package.
    """

    is_lasting = True

    def __init__(self, run: Tracked, mlflow: Any) -> None:
        self._client, self._metric = mlflow.MlflowClient(), mlflow.entities.Metric
        self._began, param = run.began, mlflow.entities.Param
        experiment = self._experiment()
        found = self._client.search_runs([experiment], f"tags.`{_TAG}` = '{run.id}'")
        if found:
            self._id: str = found[0].info.run_id
            self._client.update_run(self._id, "RUNNING")
            self.step = run.step
            self._has = Counter(self._later(found[0].data.metrics))
        else:
            made = self._client.create_run(
                experiment, self._time(0.0), {_TAG: run.id}, run_name=run.name
            )
            self._id, self.step, self._has = made.info.run_id, 0, Counter[tuple[str, int]]()
        params = [param(name, str(its)[:_LENGTH]) for name, its in run.settings.items()]
        for part in _parts(params, _PARAMS):  # the same ones again change nothing
            self._client.log_batch(self._id, params=part)

    def _experiment(self) -> str:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", _EXPERIMENT)
        there = self._client.get_experiment_by_name(name)
        return there.experiment_id if there else self._client.create_experiment(name)

    def _later(self, names: Sequence[str]) -> Iterator[tuple[str, int]]:
        """Yield the metrics that the store has of later steps than the record's."""
        for name in names:
            for metric in self._client.get_metric_history(self._id, name):
                if metric.step > self.step:
                    yield name, metric.step

    def send(self, points: Sequence[CurvePoint]) -> None:
        metrics = [
            self._metric(name, value, self._time(point.seconds), point.step)
            for point in points
            for name, value in point.values.items()
            if not self._had(name, point.step)
        ]
        for part in _parts(metrics, _METRICS):
            self._client.log_batch(self._id, metrics=part)

    def _had(self, name: str, step: int) -> bool:
        """Return whether the store has this one; of two evaluations of a step it may have one."""
        if self._has[name, step] < 1:
            return False
        self._has[name, step] -= 1
        return True

    def close(self, status: Status) -> None:
        self._client.set_terminated(self._id, _STATUS[status])

    def _time(self, seconds: float) -> int:
        """Return milliseconds of Unix time."""
        return round(1000 * (self._began + seconds))


def _parts(whole: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    for first in range(0, len(whole), most):
        yield whole[first : first + most]


def open_tracker(run: Tracked) -> MLflow:
    """Open the store; nothing but the run is sent to anybody."""
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        os.environ.setdefault(name, "true")
    # A server that is away is tried again later: MLflow alone would wait for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    return MLflow(run, import_module("mlflow"))
