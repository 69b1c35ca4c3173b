"""When a training saves its checkpoints, by a simulated clock, and that they are sound."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import microgpt
from microgpt.cli.app import run
from microgpt.data.batch import Batches
from microgpt.engines import why_not_native
from microgpt.engines.contract import Floats
from microgpt.engines.scalar import ScalarEngine
from tests.conftest import Clock, some

SMALL = "train t.txt --preset microgpt --n-embd 2 --n-head 1 --block-size 4 --engine scalar --out r"
FILE = "checkpoint.safetensors"
Capture = pytest.CaptureFixture[str]
native = pytest.mark.skipif(why_not_native() is not None, reason=str(why_not_native()))


@pytest.fixture(autouse=True)
def file(tmp_path: Path, tiny: list[str]) -> None:
    (tmp_path / "t.txt").write_text("\n".join(tiny))


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Callable[..., None]:
    """Let a step take so many seconds, and what comes after so many steps not come."""
    real = ScalarEngine.train

    def takes(seconds: float, ends_after: int | None = None) -> None:
        made = 0

        def train(engine: ScalarEngine, batches: Batches, lr_K: Floats) -> object:
            nonlocal made
            if made == ends_after:
                raise RuntimeError("the power is gone")
            made += batches.n_steps
            clock.now += seconds * batches.n_steps
            return real(engine, batches, lr_K)

        monkeypatch.setattr(ScalarEngine, "train", train)

    return takes


@pytest.fixture
def saves(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Callable[[float], list[float]]:
    """Let a checkpoint take so many seconds to be written; note when each one was there."""
    real = os.replace

    def takes(seconds: float) -> list[float]:
        at: list[float] = []

        def replace(source: Path, place: Path) -> None:
            real(source, place)
            if Path(place).name == FILE:
                clock.now += seconds
                at.append(clock.now)

        monkeypatch.setattr(os, "replace", replace)
        return at

    return takes


@pytest.mark.parametrize(
    ("seconds", "between"),
    some([(0.0, 2.0), (0.02, 2.0), (0.05, 5.0), (0.3, 30.0)], 3),
)
def test_it_is_saved_every_two_seconds_or_more_seldom_where_that_would_take_a_hundredth_of_the_time(
    work: Callable[..., None],
    saves: Callable[[float], list[float]],
    clock: Clock,
    capsys: Capture,
    seconds: float,
    between: float,
) -> None:
    each, log_every = 0.25, 3
    work(each)
    at = saves(seconds)
    assert run(f"{SMALL} --steps 400 --log-every {log_every}".split()) == 0
    steps = 400 * each
    # The first is of the beginning, the last of the end.
    first, *gaps, _ = [after - before - seconds for before, after in pairwise(at)]
    # It is saved between two steps, where a line of the log is due.
    for gap in (first, *gaps):
        assert between - 1e-9 <= gap <= between + each * log_every + 1e-9
    assert len(gaps) > 0.8 * steps / (between + each * log_every) - 2
    assert (len(at) - 2) * seconds <= 0.01 * steps + 1e-9


def test_what_ends_without_warning_is_resumed_where_it_was_two_seconds_before(
    work: Callable[..., None], saves: Callable[[float], list[float]], capsys: Capture
) -> None:
    work(0.25, ends_after=50)
    saves(0.0)
    with pytest.raises(RuntimeError, match="the power is gone"):
        run(f"{SMALL} --steps 100".split())
    assert 50 - 2.25 / 0.25 <= microgpt.load("r").engine.state().updates <= 50


def test_a_resumed_training_that_diverges_names_the_checkpoint_that_it_began_with(
    work: Callable[..., None], clock: Clock, capsys: Capture
) -> None:
    work(3.0, ends_after=1)
    with pytest.raises(RuntimeError, match="the power is gone"):
        run(f"{SMALL} --steps 40 --lr 1e76".split())
    saved = Path("r", FILE).read_bytes()
    assert microgpt.load("r").engine.state().updates == 1
    capsys.readouterr()
    work(0.0)
    assert run(["train", "--resume", "r"]) == 1
    assert capsys.readouterr().err == (
        "microgpt: the loss became nan at step 3. Try a smaller learning rate than --lr 1e+76; "
        "the last good checkpoint is r (step 1).\n"
    )
    assert Path("r", FILE).read_bytes() == saved


@native
def test_a_moment_that_is_infinite_is_not_saved_although_every_loss_is_finite(
    tmp_path: Path, capsys: Capture
) -> None:
    # Behind the last layer, which nothing norms, numbers are so large that their squares are no
    # float32; losses and parameters are far from that.
    words = "train t.txt --preset microgpt --activation squared-relu --init-std 1e7 --steps 2"
    assert run([*words.split(), "--engine", "native", "--out", "r"]) == 1
    told = capsys.readouterr()
    assert told.err.endswith("the last good checkpoint is r (step 0).\n")
    steps = [line["loss"] for line in microgpt.load("r").log.lines]
    assert len(steps) == 2
    assert np.isfinite(steps).all()
    assert all(np.isfinite(numbers).all() for numbers in load_file(Path("r", FILE)).values())
