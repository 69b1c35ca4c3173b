"""Runs on the page: live from other processes; begun, stopped and continued; compared."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import microgpt
from microgpt import Run
from microgpt.errors import MicroGPTError
from microgpt.runs.checkpoint import has_ended
from microgpt.runs.record import differences, record
from microgpt.studio import processes
from microgpt.studio.follow import MOST, follow
from microgpt.studio.library import Library
from microgpt.studio.server import Server

from .conftest import TINY
from .studios import ask, request, serving, until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("runs")
    file = made / "names.txt"
    file.write_text("\n".join([*TINY, *(a + b for a in TINY for b in TINY)]), "utf-8")
    for name, lr in (("a", 0.01), ("b", 0.02)):
        microgpt.train(file, engine="scalar", steps=20, n_embd=8, lr=lr, out=made / name)
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as served:
        yield served


def slow_training(folder: Path, out: str, *more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "microgpt", "train", str(folder / "names.txt"), "--engine=scalar",
         "--steps=100000", "--n-embd=8", f"--out={folder / out}", *more],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_the_table_says_what_runs_says(server: Server, folder: Path) -> None:
    rows = {row["run"]: row for row in ask(server, "/api/table")["rows"]}
    for name in "ab":
        ours = {**record(Run(folder / name)), "run": name}
        assert {key: rows[name][key] for key in ours} == ours
        assert rows[name]["state"] == "complete"
        assert "--lr" in rows[name]["command"] or name == "a"


def test_a_damaged_run_is_a_row_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "config.json").write_text("{")
    with serving(tmp_path) as server:
        (row,) = ask(server, "/api/table")["rows"]
    assert row["run"] == "bad"
    assert "config.json" in row["why"]


def test_what_runs_differ_in_is_what_the_command_line_says(server: Server, folder: Path) -> None:
    found = ask(server, "/api/differ", runs=["a", "b"])["differs"]
    ours = differences(Run(folder / "a"), Run(folder / "b"))
    assert found == json.loads(microgpt.schema.encode(ours))
    assert found["lr"] == [0.01, 0.02]


@pytest.mark.parametrize("names", [["../a"], ["/etc"], ["a", "no"], [], ["a"] * (MOST + 1)])
def test_names_are_looked_up_and_not_too_many(server: Server, names: list[str]) -> None:
    for path in ("/api/differ", "/api/follow"):
        assert request(server, path, json.dumps({"runs": names}).encode()).status == 400
    for path in ("/api/stop", "/api/resume", "/api/report"):
        assert request(server, path, b'{"run": "../a"}').status == 400


@pytest.mark.slow
def test_curves_of_a_run_that_another_process_trains_come_within_half_a_second(
    folder: Path,
) -> None:
    process = slow_training(folder, "live")
    try:
        log = folder / "live" / "log.jsonl"
        until(lambda: log.exists() and (folder / "live" / "config.json").exists(), 30)
        events = follow(Library(folder), ["live"])
        until(lambda: (event := next(events)) is not None and event.step > 0, 30)
        lags: list[float] = []
        while len(lags) < 5:
            event = next(events)
            now = time.time()
            if event is None:
                continue
            assert event.state == "training"
            # The step's own clock, against that of the file's last line but those since.
            lags.append(now - log.stat().st_mtime)
        assert sorted(lags)[2] < 0.5
        seen, real = event.step, sum(b'"step"' in line for line in log.read_bytes().splitlines())
        assert real - seen <= 200
        events.close()
    finally:
        process.kill()
        process.wait()


def test_worst_documents_and_the_report_are_those_of_the_evaluation(
    server: Server, folder: Path
) -> None:
    found = request(server, "/api/worst", b'{"run": "a"}').events()[-1]
    run = Run(folder / "a")
    losses = {text: float(nats_N.mean()) for text, nats_N in zip(
        run.documents[0], run.losses(run.documents[0]), strict=True
    )}  # fmt: skip
    assert found["worst"][0]["loss"] == pytest.approx(max(losses.values()), abs=1e-6)
    assert losses[found["worst"][0]["text"]] == pytest.approx(found["worst"][0]["loss"], abs=1e-6)
    assert "<!doctype html>" in ask(server, "/api/report", run="a")["page"]


@pytest.mark.slow
def test_a_run_is_begun_stopped_and_continued_in_processes_of_its_own(folder: Path) -> None:
    text = str(folder / "names.txt")
    words = ["train", text, "--engine=scalar", "--steps=100000", "--n-embd=8"]
    name = processes.start(words, "own", folder)
    run = folder / name
    until(lambda: (run / "log.jsonl").exists() and (run / "log.jsonl").stat().st_size > 500, 30)
    processes.stop(run)
    until(lambda: _gone(run), 30)
    assert not has_ended(run)
    made = Run(run).engine.updates
    assert made > 0
    processes.resume(run)
    until(lambda: Run(run).log.steps > made, 30)
    processes.stop(run)
    until(lambda: _gone(run), 30)
    assert Run(run).engine.updates > made
    with pytest.raises(MicroGPTError, match="not a training that this studio began"):
        processes.stop(run)


def _gone(run: Path) -> bool:
    process = processes._started[run.resolve()]  # pyright: ignore[reportPrivateUsage]
    return process.poll() is not None


def test_what_cannot_begin_says_why_and_leaves_nothing(folder: Path) -> None:
    with pytest.raises(MicroGPTError, match=r"The training did not begin: .*no such file"):
        processes.start(["train", str(folder / "no.txt")], "bad", folder)
    assert not list(folder.glob("bad*"))
    with pytest.raises(MicroGPTError, match="did not begin"):
        processes.resume(folder / "no such run")


def test_a_sweep_is_shown_with_its_picture_and_its_best_trials(tmp_path: Path) -> None:
    sweep = tmp_path / "sweeps" / "names-1"
    sweep.mkdir(parents=True)
    (tmp_path / "runs").mkdir()
    (sweep / "sweep.json").write_text("{}")
    (sweep / "grid.png").write_bytes(b"\x89PNG")
    rows = "".join(f"{i},{abs(i - 15) / 10},done\n" for i in range(20))
    (sweep / "trials.csv").write_text(f"trial,loss,outcome\n{rows}20,,failed\n")
    with serving(tmp_path / "runs") as server:
        assert ask(server, "/api/sweeps") == {"sweeps": ["names-1"]}
        found = ask(server, "/api/sweep", sweep="names-1")
        assert request(server, "/api/sweep", b'{"sweep": "../sweeps/names-1"}').status == 400
    assert found["picture"] == "data:image/png;base64,iVBORw=="
    assert found["head"] == ["trial", "loss", "outcome"]
    assert found["trials"][0] == ["15", "0.0000", "done"]
    assert (len(found["trials"]), found["more"]) == (12, 9)


@pytest.mark.slow
def test_killing_the_server_does_not_disturb_a_run_that_it_began(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from microgpt.studio import processes; "
        f"processes.start(['train', {str(folder / 'names.txt')!r}, '--engine=scalar', "
        f"'--steps=300', '--n-embd=8'], 'kept', Path({str(folder)!r})); "
        "print('begun', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as server:
        assert server.stdout
        assert server.stdout.readline() == b"begun\n"
        os.kill(server.pid, signal.SIGKILL)
    until(lambda: has_ended(folder / "kept-1"), 60)
    assert Run(folder / "kept-1").engine.updates == 300
