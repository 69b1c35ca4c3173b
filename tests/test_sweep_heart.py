"""In a shared sweep, other machines try a dead machine's values; no trial is repeated."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from microgpt.data.corpus import Source
from microgpt.sweep.heart import BEAT, Heart
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.storage import of_file
from microgpt.sweep.study import Study
from microgpt.sweep.trainer import Report

from .conftest import TINY

SWEEP = (
    "sweep t.txt --preset microgpt --holdout 0.2 --engine scalar --budget 1h --jobs 1 --json "
    "--name shared --knob block_size=8 --knob n_embd=4,8 --knob n_head=1,2"
)
Sharing = Callable[[str], Study]


@pytest.fixture
def machine(tmp_path: Path) -> Any:
    """Return a function that opens a study of two cells as another machine would."""
    opened: list[Study] = []
    told = SweepSettings(
        preset="microgpt", tokenizer="characters", source=Source(files=("t.txt",)), fingerprint="",
        engine="scalar", holdout=0.2, seed=3, knobs=("n_embd=8,16",), seconds=None, steps=100,
    )  # fmt: skip

    def join(salt: str) -> Study:
        opened.append(Study(of_file(tmp_path / "s.db"), "s", told, salt))
        return opened[-1]

    yield join
    for study in opened:
        study.close()


def hours_pass(path: Path) -> int:
    """Make all heartbeats in a database old; return how many there are."""
    with closing(sqlite3.connect(path)) as database, database:
        aged = "UPDATE trial_heartbeats SET heartbeat = datetime(heartbeat, '-1 hour')"
        return database.execute(aged).rowcount


def report(loss: float) -> Report:
    return Report(100, loss, 100, 0.1)


def values(asked: tuple[int, dict[str, Any]] | None) -> dict[str, Any]:
    assert asked
    return asked[1]


def test_the_trial_of_a_machine_that_died_is_tried_by_another(
    machine: Sharing, tmp_path: Path
) -> None:
    dead, alive = machine("dead"), machine("alive")
    lost = dead.ask()
    mine = alive.ask()
    assert mine
    assert values(lost) != values(mine)
    alive.beat()
    assert alive.ask() is None  # the other one may still be at it
    hours_pass(tmp_path / "s.db")
    alive._heart._next = 0.0
    alive.beat()  # for its own trial first
    again = alive.ask()
    assert again
    assert values(again) == values(lost)
    for number, loss in ((mine[0], 2.0), (again[0], 1.0)):
        assert alive.tell(number, "done", report(loss))
    assert alive.ask() is None
    assert [trial.loss for trial in alive.trials()] == [2.0, 1.0]


def test_a_machine_that_wakes_up_lets_go_of_what_others_have_tried(
    machine: Sharing, tmp_path: Path
) -> None:
    asleep, awake = machine("asleep"), machine("awake")
    lost, other = asleep.ask(), asleep.ask()
    assert lost
    assert other
    hours_pass(tmp_path / "s.db")
    awake.beat()
    again = awake.ask()
    assert again
    assert asleep.report(lost[0], Report(12, 3.0, 12, 0.1))  # it is to be given up
    assert asleep.tell(lost[0], "pruned", Report(12, 3.0, 12, 0.1)) is None
    asleep.abandon()
    assert awake.tell(again[0], "done", report(2.0))
    assert [trial.number for trial in asleep.trials()] == [again[0]]


def test_a_sweep_of_its_own_sends_no_heartbeats(machine: Sharing, tmp_path: Path) -> None:
    study = machine("")
    assert study.ask()
    study.beat()
    assert hours_pass(tmp_path / "s.db") == 0


def test_heartbeats_are_sent_when_they_are_due(machine: Sharing) -> None:
    study, now, sent = machine("a"), [100.0], list[int]()
    asked = study.ask()
    assert asked

    class Storage:
        def record_heartbeat(self, trial_id: int) -> None:
            sent.append(trial_id)

    heart = Heart(study._study, Storage(), lambda: now[0])
    for seconds in (0.0, 0.1, BEAT - 0.2, 0.2, BEAT / 2):
        now[0] += seconds
        heart.beat(study._running.values())
    assert len(sent) == 2


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals are POSIX")
def test_after_a_kill_the_others_try_all_there_is_once(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("\n".join(TINY) + "\n")
    words = [sys.executable, "-W", "error", "-m", "microgpt", *SWEEP.split()]
    words += ["--storage", f"sqlite:///{tmp_path / 'all.db'}", "--steps", "300"]

    def begin(out: str, *more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*words, "--out", out, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    with begin("a") as first:
        assert first.stdout is not None
        done = json.loads(first.stdout.readline())
        before: list[int] = []
        while not (now := running(tmp_path / "all.db")) or now != before:
            before = now  # what was only drawn, and drawn before, is not trained
            time.sleep(0.1)
        first.send_signal(signal.SIGKILL)
        done = [done, *map(json.loads, first.stdout.read().splitlines())]
    assert len(running(tmp_path / "all.db")) == 1
    hours_pass(tmp_path / "all.db")
    with begin("b") as second:
        out, err = second.communicate(timeout=120)
    assert err == ""
    *others, summary = map(json.loads, out.splitlines())
    assert summary["trials"] == 4
    assert summary["exhausted"]
    tried = [tuple(trial["knobs"].values()) for trial in [*done, *others]]
    assert len(tried) == len(set(tried)) == 4


def running(path: Path) -> list[int]:
    """Return the numbers of the trials that a database has as running."""
    with closing(sqlite3.connect(path)) as database:
        found = database.execute("SELECT number FROM trials WHERE state = 'RUNNING'")
        return [number for (number,) in found]
