"""The log: the format's lines, exact sums, and no trace of an interruption."""

from __future__ import annotations

import json
import math
import os
import random
import re
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from microgpt.errors import RunError
from microgpt.loss import LossSum
from microgpt.loss.sums import Sums
from microgpt.runs import log
from microgpt.runs.log import LogWriter, heldout_line, train_line
from microgpt.training.heldout import HeldOut
from microgpt.training.loop import Step, Steps
from microgpt.training.progress import Progress

TRAIN = {"step", "loss", "positions", "lr", "seconds"}
HELDOUT = {"step", "heldout"}
BEGINNING = Progress()
ALL = Progress(lines=1000)


def steps(first: int, last: int, seed: int = 0) -> list[Step]:
    """Steps whose sums are no round numbers, the same however they are cut."""
    rng = random.Random(seed)
    made = []
    for step in range(1, last + 1):
        total = LossSum(rng.uniform(0.1, 60.0), rng.randint(1, 16))
        made.append(Step(step, total, lr=0.01 / step, seconds=step / 8))
    return made[first - 1 :]


def chunks(made: list[Step], pause: int) -> Iterator[Steps]:
    """The steps in chunks of any length, one of which ends at each multiple of `pause`."""
    rng = random.Random(len(made))
    while made:
        longest = pause - (made[0].step - 1) % pause if pause else 7
        n = rng.randint(1, longest)
        some, made = made[:n], made[n:]
        nats_K = np.array([step.sum.nats for step in some])
        positions_K = np.array([step.sum.positions for step in some])
        lr_K = np.array([step.lr for step in some])
        yield Steps(some[0].step, Sums(nats_K, positions_K), lr_K, some[-1].seconds, 1 / 8)


def write(
    folder: Path,
    every: int,
    updates: int,
    more: list[Step],
    heldout: int = 0,
    done: bool = True,
    progress: Progress | None = BEGINNING,
) -> Progress:
    """Open a log where a checkpoint stands, take steps in, close it as a training does.

    Returns what a checkpoint at its end keeps for it.
    """
    writer = LogWriter(folder, every, updates, progress)
    for some in chunks(more, heldout):
        writer.steps(some)
        if heldout and some.last % heldout == 0:
            writer.heldout(HeldOut(some.last, LossSum(float(some.last), 3), 1))
    if done:
        writer.settle()
    lr, seconds = (more[-1].lr, more[-1].seconds) if more else (0.0, 0.0)
    kept = Progress(writer.lines, writer.pending, lr, seconds)
    writer.close()
    return kept


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]


def test_a_line_of_training_has_the_fields_of_the_format() -> None:
    step = Step(12, LossSum(3.0, 3), lr=0.0099, seconds=0.012)
    line = json.loads(train_line(step, LossSum(6.0, 2) + step.sum))
    # 6 nats over 2 positions and 3 over 3 are 9 over 5, not the mean of 3.0 and 1.0.
    assert line == {"step": 12, "loss": 1.8, "positions": 5, "lr": 0.0099, "seconds": 0.012}
    assert set(line) == TRAIN


def test_a_line_of_an_evaluation_has_the_fields_of_the_format() -> None:
    told = {"loss": 2.5, "positions": 12}
    for error, kept, more in (
        (math.nan, None, {}),
        (0.25, None, {"standard_error": 0.25}),
        (0.25, 90, {"standard_error": 0.25, "kept": 90}),
    ):
        line = heldout_line(HeldOut(100, LossSum(30.0, 12), 3, error, kept))
        assert line == {"step": 100, "heldout": told | more}


def test_a_line_tells_of_all_steps_since_the_line_before(tmp_path: Path) -> None:
    made = steps(1, 16)
    write(tmp_path, every=7, updates=0, more=made)
    written = lines(tmp_path)
    assert [line["step"] for line in written] == [7, 14, 16]
    for line, told in zip(written, (made[:7], made[7:14], made[14:])):
        nats = sum(Fraction(step.sum.nats) for step in told)
        positions = sum(step.sum.positions for step in told)
        assert line["positions"] == positions
        assert line["loss"] == pytest.approx(float(nats / positions), rel=1e-14)
        assert line["lr"] == told[-1].lr
        assert line["seconds"] == told[-1].seconds


@pytest.mark.parametrize("every", [1, 3, 7])
@pytest.mark.parametrize("seed", range(5))
def test_the_log_of_a_resumed_training_is_that_of_an_uninterrupted_one(
    tmp_path: Path, every: int, seed: int
) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    write(whole, every, 0, steps(1, 24, seed), heldout=6)
    expected = (whole / "log.jsonl").read_text()
    unequal = []
    for at in range(1, 25):
        folder = tmp_path / f"at{at}"
        folder.mkdir()
        kept = write(folder, every, 0, steps(1, at, seed), heldout=6, done=at == 24)
        write(folder, every, at, steps(at + 1, 24, seed), heldout=6, progress=kept)
        if (folder / "log.jsonl").read_text() != expected:
            unequal.append(at)
    assert unequal == []


def test_what_a_log_tells_of_steps_after_the_checkpoint_is_taken_away(tmp_path: Path) -> None:
    write(tmp_path, 1, 0, steps(1, 12), heldout=6)
    written = lines(tmp_path)
    # An evaluation of an end that was not reached stands behind the last step's line.
    for n in (14, 13, 12, 7, 6, 3, 0):
        write(tmp_path, 1, 12, [], progress=Progress(lines=n))
        assert lines(tmp_path) == written[:n]


def test_lines_of_steps_that_the_checkpoint_has_not_made_never_stay(tmp_path: Path) -> None:
    write(tmp_path, 1, 0, steps(1, 12), heldout=6)
    write(tmp_path, 1, 5, [], progress=ALL)
    assert [line["step"] for line in lines(tmp_path)] == [*range(1, 6)]


def test_opening_a_finished_log_and_closing_it_changes_nothing(tmp_path: Path) -> None:
    for every in (1, 7, 100):
        (tmp_path / "log.jsonl").unlink(missing_ok=True)
        write(tmp_path, every, 0, steps(1, 16))
        before = (tmp_path / "log.jsonl").read_text()
        LogWriter(tmp_path, every, 16, None).close()
        assert (tmp_path / "log.jsonl").read_text() == before, every


def test_a_line_that_a_crash_cut_short_is_passed_over_wherever_it_ends(tmp_path: Path) -> None:
    write(tmp_path, 1, 0, steps(1, 6), heldout=3)
    data = (tmp_path / "log.jsonl").read_bytes()
    for size in range(0, len(data), 2):
        (tmp_path / "log.jsonl").write_bytes(data[:size])
        whole = data[: size + 1].count(b"\n")
        read = log.read(tmp_path)
        # A last line that lacks its line end alone is a whole line.
        assert len(read.lines) + len(read.heldout) in (whole, data[:size].count(b"\n"))
        write(tmp_path, 1, 6, [], progress=ALL)
        for line in lines(tmp_path):
            assert set(line) in (TRAIN, HELDOUT)


@pytest.mark.parametrize("data", [b"\xff\xfe\n", b"[]\n", b"5\n", b'{"step": 3}\n', b"\0\0\n"])
def test_what_is_no_line_of_a_log_is_passed_over_at_an_unfinished_end_alone(
    tmp_path: Path, data: bytes
) -> None:
    write(tmp_path, 1, 0, steps(1, 3))
    file = tmp_path / "log.jsonl"
    good = file.read_bytes()
    file.write_bytes(good + data)
    with pytest.raises(RunError) as caught:
        log.read(tmp_path)
    assert str(caught.value).startswith(f"{file}: line 4: damaged or foreign (")
    assert str(caught.value).endswith("). Take that line out: the run can do without it.")
    file.write_bytes(good + data.rstrip(b"\n"))
    assert log.read(tmp_path).steps == 3
    write(tmp_path, 1, 3, steps(4, 5), progress=ALL)
    assert [line["step"] for line in lines(tmp_path)] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("value", ["3", None])
def test_a_line_with_a_value_of_another_kind_is_passed_over_or_one_sentence(
    tmp_path: Path, value: object
) -> None:
    line = {"step": value, "loss": value, "positions": value, "lr": value, "seconds": value}
    (tmp_path / "log.jsonl").write_text(json.dumps(line) + "\n")
    try:
        read = log.read(tmp_path)
        assert read.tail(50).positions == 0
        LogWriter(tmp_path, 1, 0, ALL).close()
    except RunError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"loss": float("nan")}, "not JSON: invalid character (byte 20)"),
        ({"loss": float("-inf")}, "not JSON: invalid character (byte 21)"),
        ({"step": 10**13}, None),
        ({"step": 1}, "step 1 comes after step 2"),
        ({"step": 2.0}, "step must be a whole number; got a number"),
        ({"positions": "7"}, "positions must be a whole number; got text"),
        ({"lr": None}, "lr must be a number; got null"),
        ({"heldout": 2.5}, "heldout must be an object; got a number"),
        ({"heldout": {"loss": "x", "positions": 3}}, "heldout.loss must be a number; got text"),
        ({"heldout": {"loss": 2.5}}, "it lacks heldout.positions"),
    ],
)
def test_a_line_that_no_training_writes_is_one_sentence_that_says_what_is_wrong(
    tmp_path: Path, changed: dict[str, Any], reason: str | None
) -> None:
    write(tmp_path, 1, 0, steps(1, 4))
    whole = lines(tmp_path)
    whole[2] |= changed
    file = tmp_path / "log.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in whole))
    told = reason or f"step must be at most 1,000,000,000,000; got {10**13}."
    with pytest.raises(RunError, match=re.escape(f"{file}: line 3: damaged or foreign ({told})")):
        log.read(tmp_path)


@pytest.mark.parametrize("what", ["folder", "pipe", "link"])
def test_what_is_no_file_in_the_place_of_a_log_is_one_sentence(tmp_path: Path, what: str) -> None:
    file = tmp_path / "log.jsonl"
    made = {"folder": file.mkdir, "pipe": partial(os.mkfifo, file)}
    made.get(what, partial(file.symlink_to, "nowhere"))()
    with pytest.raises(RunError, match=f"^{file}: a {what}"):
        log.read(tmp_path)


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    read = log.read(tmp_path)
    assert (read.lines, read.heldout, read.steps, read.seconds) == ([], [], 0, 0.0)
    assert read.tail(50) == LossSum()


def test_a_log_tells_training_and_evaluations_apart_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, 1, 0, steps(1, 7), heldout=3)
    read = log.read(tmp_path)
    assert [line["step"] for line in read.lines] == [1, 2, 3, 4, 5, 6, 7]
    assert [line["step"] for line in read.heldout] == [3, 6]
    assert (read.steps, read.seconds) == (7, 7 / 8)


@pytest.mark.parametrize("every", [1, 2])
def test_a_tail_weighs_every_position_alike(tmp_path: Path, every: int) -> None:
    made = steps(1, 20)
    write(tmp_path, every, 0, made)
    last = log.read(tmp_path).tail(6)
    assert last.positions == sum(step.sum.positions for step in made[-6:])
    assert last.nats == pytest.approx(sum(step.sum.nats for step in made[-6:]), rel=1e-12)


def test_a_log_is_plain_ascii_with_unix_line_ends(tmp_path: Path) -> None:
    write(tmp_path, 1, 0, steps(1, 3), heldout=3)
    data = (tmp_path / "log.jsonl").read_bytes()
    assert data.isascii()
    assert b"\r" not in data
    assert data.endswith(b"}\n")
