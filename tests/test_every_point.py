"""A training that is stopped, fails or is killed at any write resumes to the same end."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from microgpt.engines import why_not_native
from microgpt.loss import LossSum
from microgpt.runs import checkpoint, files, folder, prepare
from microgpt.runs.log import LogWriter
from microgpt.runs.run import Run
from microgpt.runs.session import Session
from microgpt.training import pace
from microgpt.training.best import Best
from microgpt.training.loop import Steps
from microgpt.training.progress import Checkpoint
from tests.conftest import TINY, Clock, some

native = pytest.mark.skipif(why_not_native() is not None, reason=str(why_not_native()))

# Few documents, so that training soon overfits: an earlier state than the last is best.
WORDS = [*TINY, *(a + b for a in TINY for b in TINY[:4])]
STEPS = 21
RECIPE: dict[str, Any] = {
    "preset_name": "small", "steps": STEPS, "batch_size": 256, "n_embd": 16, "n_layer": 1,
    "n_head": 2, "block_size": 8, "lr": 0.1, "muon_lr": 0.2, "weight_decay": 0.0, "dropout": 0.1,
    "ngram": 2, "holdout": 0.8, "log_every": 3, "engine": "native", "threads": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the engine stand still after every step, and the checkpoint be saved as often as can."""
    monkeypatch.setattr(pace, "CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(pace, "SAVE_SECONDS", -1.0)
    monkeypatch.setattr(pace, "SAVE_SHARE", 1e9)


def finish(training: Session, stop_at: int = 0) -> None:
    with training:
        for event in training:
            if isinstance(event, Steps) and event.last == stop_at:
                training.stop()


def left(place: Path) -> dict[str, Any]:
    """Return a training's files, and its log without what depends on the clock."""
    found: dict[str, Any] = {
        path.name: path.read_bytes()
        for path in place.iterdir()
        if path.name not in (folder.LOCK, "log.jsonl")
    }
    lines = [json.loads(line) for line in (place / "log.jsonl").read_text().splitlines()]
    return {**found, "log.jsonl": [{**line, "seconds": None} for line in lines]}


def visited(monkeypatch: pytest.MonkeyPatch, visit: Callable[[str], None]) -> None:
    """Call `visit` before and after each thing that a training does to the disk."""

    def around(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def call(*args: Any, **kind: Any) -> Any:
            visit(f"before {name}")
            answer = real(*args, **kind)
            visit(f"after {name}")
            return answer

        monkeypatch.setattr(owner, name, call)

    around(files.os, "fsync")
    around(files.os, "replace")
    around(LogWriter, "_write")
    around(checkpoint, "save")


def go_on(place: Path, documents: list[str]) -> None:
    """Resume the folder's run; start it again if the folder has none yet."""
    if (place / checkpoint.CONFIG).exists():
        finish(prepare.resume(place, documents=documents))
    else:
        finish(prepare.new(documents, out=place, **RECIPE))


@pytest.fixture
def whole(tmp_path: Path) -> dict[str, Any]:
    """Return what an undisturbed training leaves."""
    finish(prepare.new(WORDS, out=tmp_path / "whole", **RECIPE))
    return left(tmp_path / "whole")


def unequal(whole: dict[str, Any], places: Iterator[tuple[str, Path]]) -> list[str]:
    """Resume in each folder; return where the end differs."""
    found = []
    for where, place in places:
        go_on(place, WORDS)
        now = left(place)
        differs = [name for name in whole | now if whole.get(name) != now.get(name)]
        found += [f"{where}: {', '.join(differs)}"] if differs else []
        shutil.rmtree(place)
    return found


def killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """Return the disk's states during a training, each once: what a kill -9 would leave."""
    taken: list[tuple[str, Path]] = []
    held: list[dict[str, bytes]] = [{}]

    def visit(what: str) -> None:
        files = (tmp_path / "running").iterdir()
        held.append({path.name: path.read_bytes() for path in files})
        if held[-1] == held[-2] and taken:
            return
        place = tmp_path / f"killed{len(taken)}"
        shutil.copytree(tmp_path / "running", place)
        taken.append((f"{len(taken)} {what}", place))

    with monkeypatch.context() as patch:
        visited(patch, visit)
        finish(prepare.new(WORDS, out=tmp_path / "running", **RECIPE))
    return taken


def stopped(tmp_path: Path, every: int = 1) -> Iterator[tuple[str, Path]]:
    """Stop a training at each step: at an evaluation, at a line of the log, between these."""
    for at in range(1, STEPS + 1, every):
        finish(prepare.new(WORDS, out=tmp_path / f"{at}", **RECIPE), stop_at=at)
        yield f"step {at}", tmp_path / f"{at}"


@native
def test_the_training_of_these_tests_keeps_an_earlier_state_and_mixes_and_drops(
    whole: dict[str, Any], tmp_path: Path
) -> None:
    last = [line["heldout"] for line in whole["log.jsonl"] if "heldout" in line][-1]
    assert 2 < last["kept"] < STEPS
    run = Run(tmp_path / "whole")
    saved = checkpoint_of(run.folder)
    assert saved.fitted
    assert 0.1 < (saved.fitted.weight or 0.0) < 0.95
    assert run.settings.training.dropout
    assert saved.progress is None
    # What the log says at last is what the run costs.
    assert run.evaluate(run_documents(tmp_path)).loss == pytest.approx(last["loss"], abs=1e-6)


def run_documents(tmp_path: Path) -> list[str]:
    with prepare.resume(tmp_path / "whole", documents=WORDS) as training:
        return training.task.dataset.heldout_documents


@native
@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_kill_at_any_point_leaves_no_trace_after_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any], every: int
) -> None:
    places = killed(tmp_path, monkeypatch)
    assert len(places) > 30
    assert unequal(whole, iter(places[::-every])) == []


@native
@pytest.mark.slow
@pytest.mark.parametrize("broken", ["the best state", "the log's lines", "the pending losses"])
def test_the_comparison_sees_a_training_that_does_not_take_up_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any], broken: str
) -> None:
    places = [*stopped(tmp_path), *killed(tmp_path, monkeypatch)[-30:]]
    if broken == "the best state":
        monkeypatch.setattr(Best, "of", classmethod(lambda cls, saved: cls()))
    else:
        change = {"lines": 10**6} if broken == "the log's lines" else {"pending": LossSum()}
        real = LogWriter.__init__

        def forgetful(self: LogWriter, *args: Any) -> None:
            *others, progress = args
            real(self, *others, progress and dataclasses.replace(progress, **change))

        monkeypatch.setattr(LogWriter, "__init__", forgetful)
    assert len(unequal(whole, iter(places))) > 3


@native
@pytest.mark.slow
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_failure_at_any_point_leaves_no_trace_after_going_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: dict[str, Any], error: BaseException
) -> None:
    def failed() -> Iterator[tuple[str, Path]]:
        for at in itertools.count():
            place, visits = tmp_path / f"failed{at}", itertools.count()

            def visit(what: str, at: int = at, visits: Iterator[int] = visits) -> None:
                if next(visits) == at:
                    raise error

            with monkeypatch.context() as patch:
                visited(patch, visit)
                try:
                    finish(prepare.new(WORDS, out=place, **RECIPE))
                except type(error):
                    yield str(at), place
                else:
                    return

    assert unequal(whole, failed()) == []


@native
@pytest.mark.parametrize("every", [11, pytest.param(1, marks=pytest.mark.slow)])
def test_a_stop_at_any_step_leaves_no_trace_after_going_on(
    tmp_path: Path, whole: dict[str, Any], every: int
) -> None:
    assert unequal(whole, stopped(tmp_path, every)) == []


@native
@pytest.mark.parametrize("stops", some([[2], [5, 9], [3, 4, 30]], 2))
def test_under_a_budget_in_seconds_a_stopped_training_ends_with_what_its_log_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock, stops: tuple[int, ...]
) -> None:
    from microgpt.engines.native import NativeEngine

    clock.steps_take(2**-7, NativeEngine, monkeypatch)
    told = {**RECIPE, "steps": None, "seconds": 0.4}
    place = tmp_path / "r"
    finish(prepare.new(WORDS, out=place, **told), stop_at=stops[0])
    for at in stops[1:]:
        finish(prepare.resume(place, documents=WORDS), stop_at=at)
    with prepare.resume(place, documents=WORDS) as training:
        list(training)
        documents = training.task.dataset.heldout_documents
    lines = left(place)["log.jsonl"]
    steps = [line["step"] for line in lines if "loss" in line]
    assert steps == sorted(set(steps))
    assert steps[-1] == 52  # as many as there is time for
    last = [line for line in lines if "heldout" in line][-1]
    assert last["step"] == steps[-1] == checkpoint_of(place).state.updates
    assert checkpoint_of(place).progress is None
    assert Run(place).evaluate(documents).loss == pytest.approx(last["heldout"]["loss"], abs=1e-6)
    # And it has ended: nothing is left to do.
    before = left(place)
    finish(prepare.resume(place, documents=WORDS))
    assert left(place) == before


def checkpoint_of(place: Path) -> Checkpoint:
    return checkpoint.load(place, Run(place).settings.model)
