"""What a training and its trackers owe each other, with a tracker of ours in a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import microgpt
from microgpt.cli.app import run as cli
from microgpt.data.corpus import Source
from microgpt.errors import TrackingWarning
from microgpt.runs import prepare, tracking
from microgpt.runs.tracking import following, process, record
from microgpt.runs.tracking.contract import CurvePoint, Tracked
from microgpt.runs.tracking.tail import LogTail

from .conftest import TINY, some
from .trackers import FAKE, logged, of_fake

SMALL = "--engine scalar --preset microgpt --n-embd 4 --n-head 1 --block-size 6"


@pytest.fixture
def got(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a tracker "fake" known; return the file of what it gets."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "fake_tracker.py").write_text(FAKE)
    (tmp_path / "names.txt").write_text("\n".join(TINY))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(tracking.TRACKERS, "fake", ("fake_tracker", "json"))
    monkeypatch.setenv("FAKE_OUT", str(tmp_path / "got.jsonl"))
    return tmp_path / "got.jsonl"


def train(words: str = "", out: str = "r", steps: int = 30) -> int:
    made = ["--out", out, "--steps", str(steps)]
    return cli(["train", "names.txt", *SMALL.split(), *made, *words.split()])


def said(got: Path, key: str) -> list[Any]:
    lines = map(json.loads, got.read_text().splitlines())
    return [line[key] for line in lines if key in line]


def test_a_tracker_gets_every_number_of_the_log_and_the_settings(got: Path, capfd: Any) -> None:
    assert train("--holdout 0.3 --ngram 2 --track fake") == 0
    with_it = capfd.readouterr()
    assert of_fake(got) == logged(Path("r"))
    assert {"loss", "lr", "positions", "heldout/loss", "heldout/gpt"} <= of_fake(got).keys()
    assert said(got, "open") == ["r"]
    assert said(got, "close") == ["finished"]
    (settings,) = said(got, "settings")
    assert settings["steps"] == 30
    assert settings["n_embd"] == 4
    assert "paths" not in settings
    assert with_it.err == ""
    assert "chatter" not in with_it.out
    assert train("--holdout 0.3 --ngram 2", out="r2") == 0
    without = capfd.readouterr().out.replace("r2", "r")
    first = [line for line in with_it.out.splitlines() if line.startswith("Samples")]
    assert first
    assert first == [line for line in without.splitlines() if line.startswith("Samples")]


@pytest.mark.parametrize(
    ("mode", "why"),
    some(
        [
            ("raises", "fake has the run up to step 0 (RuntimeError: no route to host)."),
            ("hangs", "fake has the run up to step 0 (it did not answer in time)."),
            ("dies", "fake has the run up to step 0 (its process ended by signal 9)."),
            ("full", "up to step 0 (OSError: [Errno 28] No space left on device)."),
        ],
        3,
    ),
)
def test_no_tracker_alters_a_training(
    mode: str, why: str, got: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("FAKE_MODE", mode)
    monkeypatch.setattr(process, "LIMIT", 1.5)
    began = time.monotonic()
    assert train("--track fake") == 0
    assert time.monotonic() - began < 10
    assert capsys.readouterr().err == (
        f"microgpt: {why if why.startswith('fake') else f'fake has the run {why}'} The run itself "
        "is whole. Send the rest with: microgpt train --resume r\n"
    )
    assert train(out="r2") == 0
    for name in ("checkpoint.safetensors", "config.json", "samples.txt"):
        assert Path("r", name).read_bytes() == Path("r2", name).read_bytes()
    assert without_seconds("r") == without_seconds("r2")


def without_seconds(folder: str) -> Any:
    curves = logged(Path(folder))
    del curves["seconds"]
    return curves


def test_a_run_that_has_ended_sends_the_rest_and_what_is_there_stays(
    got: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setenv("FAKE_MODE", "raises")
    assert train("--track fake") == 0
    monkeypatch.setenv("FAKE_MODE", "")
    assert cli(["train", "--resume", "r"]) == 0
    assert of_fake(got) == logged(Path("r"))
    before = got.read_text()
    assert cli(["train", "--resume", "r"]) == 0  # nothing is missing: it is not even opened
    assert got.read_text() == before
    assert json.loads(Path("r/tracking/fake.json").read_text())["step"] == 30


def test_a_stopped_run_goes_on_with_its_trackers_or_with_none(got: Path) -> None:
    run = Path("r")
    with prepare.new(**_prepared(), track="fake") as session:
        for _ in session:
            session.stop()
    (first,) = said(got, "close")
    assert first == "stopped"
    held = len(logged(run)["loss"])
    # The last step may get an evaluation yet.
    assert of_fake(got).get("loss", []) == logged(run)["loss"][: held - 1]
    sent = got.read_text()
    with prepare.resume(run, track="none") as session:
        for event in session:
            if event.step if hasattr(event, "step") else event.last > 5:
                session.stop()
    assert got.read_text() == sent
    assert microgpt.load(run).resume().log.steps == 30
    assert of_fake(got) == logged(run)
    assert said(got, "open") == ["r", "r"]


def _prepared() -> dict[str, Any]:
    return {
        "data": Source(files=("names.txt",)), "preset_name": "microgpt",
        "engine": "scalar", "n_embd": 4, "n_head": 1, "block_size": 6, "steps": 30,
        "out": Path("r"),
    }  # fmt: skip


def test_a_tracker_that_comes_later_gets_the_whole_curve(got: Path) -> None:
    assert train() == 0
    assert not Path("r/tracking").exists()
    run = microgpt.load("r").resume(track=["fake"])
    assert of_fake(got) == logged(run.folder)


def test_from_python_a_failure_is_a_warning(got: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_MODE", "raises")
    with pytest.warns(TrackingWarning, match="fake has the run up to step 0") as warned:
        microgpt.train(TINY, engine="scalar", preset="microgpt", steps=3, track="fake", out="r")
    assert warned[0].filename == __file__


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--track wandb", "track wandb needs wandb, which is not installed. Try: pip install 'micro"
         "gpt-lm[wandb]'"),
        ("--track fake,wandb", "track wandb needs wandb"),
        ("--track tensorbord", 'track must be of tensorboard, wandb, mlflow, trackio, fake, none; '
         'got "tensorbord".'),
        ("--track none --track fake", "track must be none, or trackers; got none, fake."),
        ("--track=", 'got "".'),
    ],
)  # fmt: skip
def test_a_tracker_that_cannot_be_is_refused_before_anything_is_made(
    words: str, text: str, got: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert train(words) == 2
    error = capsys.readouterr().err
    assert text in error
    assert error.count("\n") == 1
    assert not Path("r").exists()


def test_a_folder_of_its_name_is_no_package(
    got: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "modules" / "elsewhere" / "run").mkdir(parents=True)
    monkeypatch.setitem(tracking.TRACKERS, "fake", ("fake_tracker", "elsewhere"))
    assert not tracking.is_installed("fake")


def test_a_resumed_run_goes_on_where_its_tracker_is_missing(
    got: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    assert train("--track fake", steps=5) == 0
    Path("r/tracking/fake.json").write_text('{"id": "a", "began": 1.0, "step": 2}')
    monkeypatch.setitem(tracking.TRACKERS, "fake", ("fake_tracker", "no_such_package"))
    assert cli(["train", "--resume", "r"]) == 0
    assert "fake has the run up to step 2 (no_such_package is not installed)" in (
        capsys.readouterr().err
    )


def test_telling_never_waits_for_a_tracker(got: Path, tmp_path: Path) -> None:
    assert train() == 0
    (tmp_path / "modules" / "fake_tracker.py").write_text("import time\ntime.sleep(1000)")
    one = process.TrackerProcess("fake", Path("r"))
    running = one._process
    assert running
    os.kill(running.pid, signal.SIGSTOP)  # it reads nothing any more
    began = time.monotonic()
    for number in range(40_000):  # more than a pipe holds
        one.tell(str(number))
    assert time.monotonic() - began < 5
    assert one.close() == "it did not answer in time"
    assert running.poll() is not None


def test_a_second_interruption_ends_the_trackers_at_once(
    got: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_MODE", "hangs")
    session = prepare.new(**_prepared(), track="fake")
    assert session._tracking
    running = session._tracking._processes[0]._process
    session.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert running
    assert running.poll() == -signal.SIGKILL


def test_the_lines_of_a_step_come_at_once_and_the_last_step_waits(tmp_path: Path) -> None:
    log = [{"step": 1, "loss": 3.0, "seconds": 0.1}, {"step": 1, "heldout": {"loss": 2.0}},
           {"step": 2, "loss": 2.5, "seconds": 0.2}, {"step": 3, "loss": 2.25, "seconds": 0.3},
           {"step": 3, "heldout": {"loss": 1.5, "gpt": 1.75}}]  # fmt: skip
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))

    def taken(tail: LogTail, lines: int, ended: bool = False) -> list[tuple[int, float, Any]]:
        parts = tail.take(lines, ended=ended)
        return [(one.step, one.seconds, dict(one.values)) for part in parts for one in part]

    one, also = (1, 0.1, {"loss": 3.0, "seconds": 0.1}), (1, 0.1, {"heldout/loss": 2.0})
    two, three = (2, 0.2, {"loss": 2.5, "seconds": 0.2}), (3, 0.3, {"loss": 2.25, "seconds": 0.3})
    last = (3, 0.3, {"heldout/loss": 1.5, "heldout/gpt": 1.75})
    tail = LogTail(tmp_path)
    assert taken(tail, 1) == []  # its evaluation may come yet
    assert taken(tail, 2) == []
    assert taken(tail, 3) == [one, also]
    assert taken(tail, 4) == [two]
    assert taken(tail, 5, ended=True) == [three, last]
    assert taken(LogTail(tmp_path, after=1), 5, ended=True) == [two, three, last]
    assert taken(LogTail(tmp_path), 4, ended=True) == [one, also, two, three]


class Flaky:
    """A tracker that fails in the middle of what it is sent, as often as `failures` says."""

    is_lasting = True
    kept: list[int]
    failures: int

    def __init__(self, run: Tracked) -> None:
        self.step = run.step

    def send(self, points: Sequence[CurvePoint]) -> None:
        for point in points:
            if Flaky.failures and point.step == 3:
                Flaky.failures -= 1
                raise ConnectionError("reset")
            if point.step > max(Flaky.kept, default=0):  # it has the points of before
                Flaky.kept.append(point.step)

    def close(self, status: str) -> None: ...


def test_after_a_failure_a_tracker_is_opened_again_and_misses_nothing(
    got: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(steps=5) == 0
    Flaky.kept, Flaky.failures = [], 2
    monkeypatch.setattr(following, "PAUSE", 0.0)
    told = iter([(4, None), (5, None), (5, "finished")])
    source: Any = SimpleNamespace(after=lambda _: next(told))
    assert following.follow(Path("r"), "flaky", Flaky, source) is None
    assert Flaky.kept == [1, 2, 3, 4, 5]
    assert record.step_of(Path("r"), "flaky") == 5
    Flaky.kept, Flaky.failures = [], 1
    Path("r/tracking/flaky.json").unlink()
    told = iter([(5, "finished")])
    failed = following.follow(Path("r"), "flaky", Flaky, source)
    assert isinstance(failed, ConnectionError)
    assert record.step_of(Path("r"), "flaky") == 0


def test_a_training_that_was_killed_leaves_no_tracker_behind(got: Path, tmp_path: Path) -> None:
    """The process of its tracker sends what a checkpoint covers, and ends."""
    program = (
        "import os, sys; from microgpt.runs import tracking, prepare; from pathlib import Path\n"
        "tracking.TRACKERS['fake'] = ('fake_tracker', 'json')\n"
        "session = prepare.new(prepare.Source(files=('names.txt',)), preset_name='microgpt',\n"
        "    engine='scalar', n_embd=4, n_head=1, steps=10, out=Path('r'), track='fake')\n"
        "list(session)\n"
        "print(session._tracking._processes[0]._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    paths = os.pathsep.join([str(tmp_path / "modules"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        check=False,
    )
    assert done.returncode == -9
    for _ in range(500):
        if got.exists() and said(got, "close"):
            break
        time.sleep(0.02)
    assert said(got, "close") == ["failed"]
    assert [step for step, _ in of_fake(got)["loss"]] == [*range(1, 10)]
