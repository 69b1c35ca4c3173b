"""Several machines sweep together, through a PostgreSQL of our own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from microgpt.cli.app import run
from microgpt.data.corpus import Source
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.study import Study
from microgpt.sweep.trainer import Report

from .conftest import TINY, required
from .postgresql import binaries

sqlalchemy = pytest.importorskip("sqlalchemy")
pytestmark = pytest.mark.slow
SWEEP = (
    "sweep t.txt --preset microgpt --name shared --steps 30 --holdout 0.2 --jobs 1 --json "
    "--knob lr=0.001..0.1 --knob n_embd=4,8,16 --knob block_size=8"
)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Start a PostgreSQL for these tests alone; return its address."""
    programs = binaries()
    if programs is None:
        required("postgresql", "PostgreSQL is not installed (apt-get install postgresql)")
    # It refuses to run as root, and must reach its folder.
    root = os.getuid() == 0
    folder = Path(tempfile.mkdtemp(prefix="microgpt-postgresql-"))
    if root:
        shutil.chown(folder, "nobody")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def control(program: str, *words: str) -> None:
        command = [str(programs / program), "-D", str(folder / "data"), *words]
        as_user: dict[str, Any] = {"user": "nobody"} if root else {}
        with (folder / "log").open("a") as log:
            subprocess.run(
                command, check=True, cwd=folder, stdout=log, stderr=log, env=env, **as_user
            )

    env = {**os.environ, "LC_ALL": "C"}
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
    try:
        control("initdb", "-A", "trust", "-U", "sweeper", "-E", "UTF8", "--no-sync")
        control("pg_ctl", "-w", "-l", str(folder / "server"), "-o", options, "start")
        try:
            yield f"postgresql+psycopg://sweeper:secret@127.0.0.1:{port}/postgres"
        finally:
            control("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def test_two_that_begin_at_once_sweep_together_and_each_has_the_best(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TINY))
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "microgpt", *SWEEP.split(),
             "--budget", "12s", "--storage", database, "--out", out],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for out in ("a", "b")
    ]  # fmt: skip
    ended = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    assert [(err, code) for _, err, code in ended] == [("", 0)] * 2
    told = [[json.loads(line) for line in out.splitlines()] for out, _, _ in ended]
    (*a, end_a), (*b, end_b) = told
    numbers = [{trial["trial"] for trial in trials} for trials in (a, b)]
    # Each has trained some, none both; and they do not try the same.
    assert min(map(len, numbers)) > 3
    assert not numbers[0] & numbers[1]
    first = [[tuple(trial["knobs"].values()) for trial in trials[:5]] for trials in (a, b)]
    assert not set(first[0]) & set(first[1])
    # Whoever ended last knows all; what is best is so whoever found it.
    last = max((end_a, end_b), key=lambda end: end["trials"])
    done = [trial for trial in a + b if trial["outcome"] == "done"]
    assert last["best"] in done
    every = [tuple(trial["knobs"].values()) for trial in a + b]
    assert len(set(every)) == len(every)
    assert last["best"]["loss"] == min(trial["loss"] for trial in done)
    assert last["loss"] == last["best"]["loss"]

    about = json.loads(Path("a", "sweep.json").read_text())
    assert about["study"] == "shared"
    assert "secret" not in Path("a", "sweep.json").read_text()
    assert not Path("a", "study.db").exists()
    assert run(["sweep", "--resume", "a"]) == 2
    assert capsys.readouterr().err == (
        "microgpt: a: its database has a password. Give --storage again.\n"
    )
    most = str(len(a) + len(b) + 2)
    words = ["sweep", "--resume", "a", "--storage", database, "--trials", most, "--json"]
    assert run([*words, "--budget", "40s", "--jobs", "1"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["trials"] == int(most)

    other = SWEEP.replace("--steps 30", "--steps 31")
    assert run([*other.split(), "--storage", database, "--out", "c"]) == 2
    assert capsys.readouterr().err == (
        'microgpt: study "shared": steps must be 30, as it was begun; got 31. Try another --name.\n'
    )


def test_a_database_that_is_not_there_is_told_in_one_sentence(
    database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TINY))
    gone = database.replace("/postgres", "/nothing")
    assert run([*SWEEP.split(), "--storage", gone]) == 2
    err = capsys.readouterr().err
    assert 'database "nothing" does not exist' in err
    assert "secret" not in err
    assert err.count("\n") == 1


def test_the_trial_of_a_machine_that_died_is_tried_by_another(database: str) -> None:
    told = SweepSettings(
        preset="microgpt", tokenizer="characters", source=Source(files=("t.txt",)), fingerprint="",
        engine="scalar", holdout=0.2, seed=3, knobs=("n_embd=8,16",), seconds=None, steps=100,
    )  # fmt: skip
    dead, alive = (Study(database, "heart", told, salt) for salt in ("dead", "alive"))
    lost, mine = dead.ask(), alive.ask()
    assert lost
    assert mine
    alive.beat()
    assert alive.ask() is None
    with alive._storage.engine.begin() as connection:
        aged = "UPDATE trial_heartbeats SET heartbeat = heartbeat - interval '2 minutes'"
        connection.execute(sqlalchemy.text(aged))
    alive._heart._next = 0.0
    alive.beat()  # which confirms its own first
    again = alive.ask()
    assert again
    assert again[1] == lost[1]
    assert dead.tell(lost[0], "done", Report(100, 2.0, 100, 0.1)) is None
    for number in (mine[0], again[0]):
        assert alive.tell(number, "done", Report(100, 2.0, 100, 0.1))
    for study in (dead, alive):
        study.close()
