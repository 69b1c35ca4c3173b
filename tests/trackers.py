"""Readers of what trackers have kept, each with the tracker's own library; and a tracker of ours.

In: where a tracker writes. Out: names to (step, value) pairs, in the order in which they are kept.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Curves = dict[str, list[tuple[int, float]]]

FAKE = """
import json, os, pathlib, signal, sys, time

MODE, OUT = os.environ.get("FAKE_MODE", ""), pathlib.Path(os.environ["FAKE_OUT"])

class Fake:
    is_lasting = True
    def __init__(self, run):
        print("chatter"); print("more", file=sys.stderr)
        self.step = run.step
        self.say(open=run.name, step=run.step, settings=dict(run.settings))
        if MODE == "raises": raise RuntimeError("no route to host")
    def send(self, points):
        if MODE == "full": raise OSError(28, "No space left on device")
        if MODE == "hangs": time.sleep(1000)
        if MODE == "dies": os.kill(os.getpid(), signal.SIGKILL)
        for point in points: self.say(step=point.step, **point.values)
    def close(self, status):
        self.say(close=status)
    def say(self, **what):
        with OUT.open("a") as file: file.write(json.dumps(what) + chr(10))

open_tracker = Fake
"""


def logged(folder: Path) -> Curves:
    """Return what a tracker should have of a run: every number of its log."""
    curves: Curves = defaultdict(list)
    for text in (folder / "log.jsonl").read_text().splitlines():
        line = json.loads(text)
        step, heldout = line.pop("step"), line.pop("heldout", {})
        for name, value in {**line, **{f"heldout/{k}": v for k, v in heldout.items()}}.items():
            curves[name].append((step, value))
    return dict(curves)


def of_fake(out: Path) -> Curves:
    """What the tracker above has been given."""
    curves: Curves = defaultdict(list)
    for said in map(json.loads, out.read_text().splitlines()):
        if not said.keys() & {"open", "close"}:
            step = said.pop("step")
            for name, value in said.items():
                curves[name].append((step, value))
    return dict(curves)


def of_tensorboard(folder: Path) -> tuple[Curves, dict[str, Any]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    curves = {
        name: [(event.step, event.value) for event in read.Scalars(name)]
        for name in read.Tags()["scalars"]
    }
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    content = read.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    begun = HParamsPluginData.FromString(content).session_start_info.hparams
    return curves, {k: getattr(v, str(v.WhichOneof("kind"))) for k, v in begun.items()}


def of_mlflow(uri: str) -> tuple[Curves, dict[str, Any]]:
    import mlflow

    client = mlflow.MlflowClient(uri)
    experiment = client.get_experiment_by_name("microgpt")
    assert experiment
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    curves = {
        name: [(one.step, one.value) for one in client.get_metric_history(run.info.run_id, name)]
        for name in run.data.metrics
    }
    return curves, run.data.params


def of_trackio(folder: Path) -> tuple[Curves, dict[str, Any]]:
    """Trackio finds its database by the environment at import, so a process of its own reads it."""
    import os
    import subprocess
    import sys

    program = (
        "import json; from trackio import Api; from trackio.sqlite_storage import SQLiteStorage\n"
        "run, = Api().runs('microgpt')\n"
        "rows = SQLiteStorage.get_logs('microgpt', run_id=run.id)\n"
        "print(json.dumps([rows, run.config], default=str))"
    )
    read = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TRACKIO_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    rows, config = json.loads(read.stdout.splitlines()[-1])
    curves: Curves = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            if name not in ("step", "timestamp"):
                curves[name].append((row["step"], value))
    return dict(curves), config


def of_wandb(folder: Path) -> tuple[Curves, dict[str, Any]]:
    """What is in the offline sessions, in their order, as a server would get it."""
    from wandb.proto.wandb_internal_pb2 import Record

    curves: Curves = defaultdict(list)
    config: dict[str, Any] = {}
    for path in sorted(
        folder.glob("wandb/offline-run-*/run-*.wandb"), key=lambda p: p.stat().st_mtime
    ):
        for data in _records(path.read_bytes()):
            record = Record.FromString(data)
            for item in [*record.run.config.update, *record.config.update]:
                config[item.key] = json.loads(item.value_json)
            row = {
                "/".join(item.nested_key) or item.key: json.loads(item.value_json)
                for item in record.history.item
            }
            for name, value in row.items():
                if not name.startswith("_"):
                    curves[name].append((row["_step"], value))
    return dict(curves), config


def _records(data: bytes) -> Iterator[bytes]:
    """Yield the records of W&B's file: LevelDB's log format, after seven bytes.

    Its Python package has no reader any more; the one in its core talks to a server alone.
    """
    at, parts = 7, b""
    while at + 7 <= len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield parts
            parts = b""
