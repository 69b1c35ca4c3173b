"""Each tracker, offline, read by its own library: killed and resumed, without gaps or doubles."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microgpt.runs import tracking

from .conftest import TINY, required
from .trackers import (
    Curves,
    logged,
    of_mlflow,
    of_tensorboard,
    of_trackio,
    of_wandb,
)

pytestmark = pytest.mark.slow

# A training that takes its time, at no cost, and saves often: it is killed between two checkpoints.
PROGRAM = """
import sys, time
from microgpt.training import pace
pace.SAVE_SECONDS, made = 0.2, pace.Pace.made
pace.Pace.made = lambda self, steps: time.sleep(steps * float(sys.argv[1])) or made(self, steps)
from microgpt.cli.app import run
sys.exit(run(sys.argv[2:]))
"""
WORDS = (
    "train names.txt --engine scalar --preset microgpt --n-embd 4 --n-head 1 --block-size 6 "
    "--holdout 0.3 --ngram 2 --steps 600 --out"
)
RUN = Path("deep/names-1")


@pytest.fixture(params=[*tracking.TRACKERS])
def name(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A tracker that is installed, with a reader, and keeps all it has in this test's folder."""
    name: str = request.param
    reader = "tensorboard" if name == "tensorboard" else name
    for package in (tracking.TRACKERS[name][1], reader):
        if find_spec(package) is None:
            required("trackers", f"{package} is not installed")
    for variable in ("WANDB_MODE", "WANDB_API_KEY", "TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    (tmp_path / "names.txt").write_text("\n".join([*TINY, *(a + b for a in TINY for b in TINY)]))
    return name


def start(a_step: float, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(a_step), *words],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def has(name: str) -> tuple[Curves, dict[str, Any]]:
    if name == "tensorboard":
        return of_tensorboard(RUN)
    if name == "wandb":
        return of_wandb(Path())
    if name == "mlflow":
        return of_mlflow(os.environ["MLFLOW_TRACKING_URI"])
    return of_trackio(Path("trackio"))


def followers() -> list[int]:
    """The processes of trackers that follow this test's run."""
    listed = subprocess.check_output(["ps", "-ww", "-eo", "pid=,args="], text=True).splitlines()
    mine = [line for line in listed if str(RUN.absolute()) in line and "following" in line]
    return [int(line.split()[0]) for line in mine]


def until(what: Any, seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.mark.filterwarnings("ignore")  # of the readers
@pytest.mark.parametrize("both", [True, False], ids=["with its tracker", "alone"])
def test_a_killed_run_goes_on_in_its_tracker_without_gaps_or_doubles(
    name: str, both: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not both:  # MLflow's other store, which keeps a point twice if it gets it twice
        monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/mlruns")
    training = start(0.03, *WORDS.split(), str(RUN.absolute()), "--track", name)

    def is_under_way() -> bool:
        """Whether the tracker has begun to get what a checkpoint covers."""
        path = RUN / tracking.FOLDER / f"{name}.json"
        kept = json.loads(path.read_text()) if path.exists() else {}
        return kept.get("step", 0) > 0 or bool(kept.get("notes"))

    until(is_under_way)
    if name == "wandb":  # it writes some of what it gets
        until(lambda: any(file.stat().st_size > 20_000 for file in Path().glob("wandb/*/*.wandb")))
    assert training.poll() is None
    pids = followers()
    assert pids
    training.kill()
    if both:
        for pid in pids:
            os.killpg(pid, signal.SIGKILL)
    training.communicate()
    assert logged(RUN)["loss"][-1][0] < 600
    resume(name)
    curves, settings = has(name)
    expected = logged(RUN)
    if name == "tensorboard":
        expected = {k: [(s, float(np.float32(x))) for s, x in its] for k, its in expected.items()}
    assert curves == expected
    assert len(curves["loss"]) == 600
    assert {"heldout/loss", "heldout/gpt"} <= curves.keys()
    assert float(settings["n_embd"]) == 4
    assert settings["preset"] == "microgpt"
    until(lambda: not followers())
    if not both and name != "wandb":  # whose record is not written before its session is complete
        path = RUN / tracking.FOLDER / f"{name}.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "step": 300}))
        resume(name)
        assert has(name)[0] == expected


def resume(name: str) -> None:
    resumed = start(0.0, "train", "--resume", str(RUN.absolute()))
    _, error = resumed.communicate(timeout=120)
    assert resumed.returncode == 0
    assert name not in error  # what else it says is of its counts
