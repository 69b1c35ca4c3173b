"""The curves of a log that grows: those of the whole log, read a part at a time, in few points."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from microgpt.errors import RunError
from microgpt.loss import LossSum
from microgpt.runs.files import write_atomically
from microgpt.runs.growing import Growing
from microgpt.runs.learning import Learning
from microgpt.runs.log import LOG, read


def lines(first: int, count: int) -> str:
    rng = random.Random(first)
    made: list[str] = []
    for step in range(first, first + count):
        loss, positions = rng.uniform(1.0, 4.0), rng.randrange(1, 20)
        made.append(json.dumps(
            {"step": step, "loss": loss, "positions": positions, "lr": 0.01, "seconds": 0.1 * step}
        ))  # fmt: skip
        if step % 100 == 0:
            heldout = {"loss": loss - 0.1, "positions": 500, "gpt": loss}
            made.append(json.dumps({"step": step, "heldout": heldout}))
    return "".join(f"{line}\n" for line in made)


@pytest.mark.parametrize("count", [1, 7, 8, 9, 100, 1023])
def test_the_curve_is_that_of_the_whole_log_however_it_was_read(tmp_path: Path, count: int) -> None:
    text = lines(1, count)
    growing, at, rng = Growing(tmp_path, points=8), 0, random.Random(3)
    assert not growing.read()
    while at < len(text):
        more = text[at : at + rng.randrange(1, 4000)]
        with (tmp_path / LOG).open("a") as file:
            file.write(more)
        growing.read()
        at += len(more)
    log = read(tmp_path)
    learning = Learning.of(log)
    assert (growing.held_out, growing.mixed) == (learning.held_out, learning.mixed)
    assert (growing.step, growing.seconds) == (log.steps, log.seconds)
    curve = growing.training
    assert len(curve) <= 8
    # Spans of equally many lines, the last one perhaps of fewer; each the mean by sums.
    span = -(-count // len(curve))
    span = next(n for n in (2**k for k in range(11)) if n >= span)
    sums = [LossSum(one["loss"] * one["positions"], one["positions"]) for one in log.lines]
    for k, (step, loss) in enumerate(curve):
        its = log.lines[k * span : (k + 1) * span]
        assert step == pytest.approx(sum(one["step"] for one in its) / len(its))
        total = sum(sums[k * span : (k + 1) * span], LossSum())
        assert loss == pytest.approx(total.mean)


def test_a_line_that_is_not_complete_waits_for_its_end(tmp_path: Path) -> None:
    text, growing = lines(1, 3), Growing(tmp_path)
    (tmp_path / LOG).write_text(text[:-10])
    assert growing.read()
    assert growing.step == 2
    assert not growing.read()
    with (tmp_path / LOG).open("a") as file:
        file.write(text[-10:])
    assert growing.read()
    assert growing.step == 3


def test_a_log_that_is_written_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    growing = Growing(tmp_path)
    (tmp_path / LOG).write_text(lines(1, 20))
    growing.read()
    write_atomically(tmp_path / LOG, lines(1, 12).encode())
    assert growing.read()
    assert growing.step == len(growing.training) == 12


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    (tmp_path / LOG).write_text(lines(1, 2) + "oops\n")
    growing = Growing(tmp_path)
    # However often it is asked, the lines before it are counted once.
    for _ in range(3):
        with pytest.raises(RunError, match=r"log\.jsonl: line 3: damaged"):
            growing.read()
        assert len(growing.training) == 2
    write_atomically(tmp_path / LOG, lines(1, 5).encode())
    assert growing.read()
    assert len(growing.training) == 5
