"""The programs of docs/cluster.md on real clusters of this machine: Ray, Spark, Dask, PostgreSQL.

They run as they stand on the page. What is put in their place: a free port of the database; how
many processors Ray and Spark have; and for Ray a line that takes the run away from its path.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import microgpt
from microgpt.data.datasets import names_path

from .conftest import required
from .postgresql import binaries

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
pytestmark = pytest.mark.slow
PAGE = (Path(__file__).resolve().parents[1] / "docs" / "cluster.md").read_text("utf-8")
NAMES = names_path().read_text("utf-8").splitlines()


def blocks(heading: str, language: str) -> list[str]:
    """Return the programs below a heading of the page."""
    (section,) = re.findall(rf"\n#+ {heading}\n(.*?)(?=\n#|\Z)", PAGE, re.DOTALL)
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def needed(*modules: str) -> None:
    for name in modules:
        root = name.partition(".")[0]
        if not (find_spec(root) and find_spec(name)):
            required(name, f"{root} is not installed")


def marked(mark: str) -> list[int]:
    """Return the processes that have a mark in their environment, what is ended aside."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def run(words: list[str], folder: Path, **how: Any) -> str:
    """Run a program, which must succeed and leave no process behind; return what it prints."""
    mark = f"MICROGPT_TEST_MARK={uuid.uuid4()}"
    env = {**os.environ, **how.pop("env", {}), **dict([mark.split("=")])}
    done = subprocess.run(
        words, cwd=folder, env=env, capture_output=True, text=True, timeout=300, **how
    )
    until = time.monotonic() + 15
    while (left := marked(mark)) and time.monotonic() < until:
        time.sleep(0.1)
    for process in left:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not left
    return done.stdout


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with runs/names-1 and names.parquet, some of whose rows have no text."""
    folder = tmp_path_factory.mktemp("ready")
    microgpt.train(
        NAMES[::4], preset="microgpt", steps=100, holdout=0.1, out=folder / "runs" / "names-1"
    )
    texts = [None, " ", *NAMES[::7], "xqzwv", "smiht"]
    table = pa.table({"id": range(len(texts)), "name": texts})
    pq.write_table(table, folder / "names.parquet", row_group_size=500)
    return folder


@pytest.fixture
def folder(ready: Path, tmp_path: Path) -> Path:
    shutil.copytree(ready, tmp_path, dirs_exist_ok=True)
    return tmp_path


def check(folder: Path) -> None:
    """Hold the rows of a cluster against those of one process."""
    score = microgpt.score_batches(folder / "runs" / "names-1", column="name", flag_rate=0.01)
    alone = score(pq.read_table(folder / "names.parquet"))
    found = pq.read_table(folder / "scored").sort_by("id")
    assert found.column_names == alone.column_names
    assert found.cast(alone.schema).equals(alone)
    assert alone["loss"].null_count == 2
    assert 0 < sum(filter(None, alone["flagged"].to_pylist())) < 500


def test_ray_scores_as_one_process_does_with_the_run_sent_along(folder: Path) -> None:
    needed("ray.data")
    (program,) = blocks("Ray", "python")
    gone = "\nimport os; os.rename('runs', 'taken-away')\nnames.map_batches("
    program = program.replace("\nnames.map_batches(", gone)
    assert program.count("taken-away") == 1
    program = program.replace("ray.init(", "ray.init(num_cpus=2, include_dashboard=False, ")
    (folder / "program.py").write_text(program)
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_TMPDIR": tempfile.mkdtemp(prefix="ray")}
    try:
        run([sys.executable, "program.py"], folder, env=quiet)
    finally:
        shutil.rmtree(quiet["RAY_TMPDIR"])
    (folder / "taken-away").rename(folder / "runs")
    check(folder)


def test_spark_scores_as_one_process_does(folder: Path) -> None:
    needed("pyspark")
    if not shutil.which("java"):
        required("java", "Java is not installed (apt-get install default-jre-headless)")
    (program,) = blocks("Spark", "python")
    (folder / "program.py").write_text(program)
    # No more compiling than so short a program is worth.
    env = {
        "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false pyspark-shell",
        "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    run([sys.executable, "program.py"], folder, env=env)
    check(folder)


def test_dask_scores_as_one_process_does(folder: Path) -> None:
    needed("dask.dataframe")
    (program,) = blocks("Dask", "python")
    (folder / "program.py").write_text(program)
    run([sys.executable, "program.py"], folder)
    check(folder)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that the user of the database reaches, and microgpt on the path."""
    folder = Path(tempfile.mkdtemp(prefix="microgpt-cluster-"))
    (folder / "names.txt").write_text("\n".join(NAMES[::8]))
    (folder / "bin").mkdir()
    command = folder / "bin" / "microgpt"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m microgpt "$@"\n')
    command.chmod(0o755)
    if os.getuid() == 0:
        shutil.chown(folder, "nobody")
    yield folder
    shutil.rmtree(folder)


def test_the_recipe_for_a_sweep_on_several_machines_works_as_written(shared: Path) -> None:
    needed("optuna", "psycopg")
    if binaries() is None:
        required("postgresql", "PostgreSQL is not installed (apt-get install postgresql)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    start, sweep, look, stop = (
        block.replace("PGPORT=5432", f"PGPORT={port}") for block in blocks("A sweep", "sh")
    )
    assert port in start
    env = {"PATH": f"{shared / 'bin'}:{os.environ['PATH']}:{binaries()}", "LC_ALL": "C"}
    # PostgreSQL refuses to run as root.
    as_user: dict[str, Any] = {"user": "nobody"} if os.getuid() == 0 else {}
    words = ["bash", "-euc"]

    def database(block: str) -> None:
        # What it starts goes on: to a file, as a pipe would wait for its end.
        with (shared / "log").open("a") as log:
            done = subprocess.run(
                [*words, block], cwd=shared, env={**os.environ, **env}, stdout=log, stderr=log,
                timeout=60, **as_user,
            )  # fmt: skip
        assert done.returncode == 0, (shared / "log").read_text()

    try:
        database(start)
        printed = run([*words, sweep], shared, env=env)
        told = run([*words, look], shared, env=env)
    finally:
        database(stop)
    trials = re.findall(r"^trial (\d+): ", printed, re.MULTILINE)
    assert len(trials) == len(set(trials)) > 2
    for machine in ("one", "two"):
        assert f"Saved in sweeps/{machine}." in printed
        assert f"sweeps/{machine}/best" in told
        assert "choose-another" not in (shared / "sweeps" / machine / "sweep.json").read_text()
    assert "smiht" in told
    assert not (shared / "database" / "postmaster.pid").exists()
