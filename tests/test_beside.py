"""Work in a background thread: its result, its error, and a program that exits without waiting."""

from __future__ import annotations

import subprocess
import sys
from threading import Event

import pytest

from microgpt.counting.beside import beside
from microgpt.errors import DataError


def test_work_goes_on_beside_and_its_answer_can_be_asked_for_again() -> None:
    begun = Event()

    def work() -> int:
        begun.set()
        return 7

    answer = beside(work)
    assert begun.wait(10.0)  # before anybody has asked
    assert [answer(), answer()] == [7, 7]


def test_an_error_is_raised_where_the_answer_is_asked_for() -> None:
    def work() -> None:
        raise DataError("no documents.")

    answer = beside(work)
    with pytest.raises(DataError, match="no documents"):
        answer()


def test_a_program_that_ends_does_not_wait() -> None:
    program = (
        "import time; from microgpt.counting.beside import beside; beside(lambda: time.sleep(600))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
