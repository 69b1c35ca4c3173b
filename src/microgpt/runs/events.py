"""The lines of a log, validated.

In: a `log.jsonl`. Out: its lines, each a JSON object of a known type; or a RunError.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from microgpt import schema
from microgpt.config.bounds import Whole, check
from microgpt.errors import RunError, UsageError
from microgpt.runs.files import check_file

_POSITIONS = Whole(1, 2**62)


@dataclass(frozen=True)
class _Trained:
    """A line of training steps."""

    step: int
    loss: float
    positions: int
    lr: float
    seconds: float

    def __post_init__(self) -> None:
        check("step", self.step)
        _POSITIONS.check("positions", self.positions)


@dataclass(frozen=True)
class _Loss:
    """The result of an evaluation; fields with a default may be missing, but not null."""

    loss: float
    positions: int
    kept: int = 0
    standard_error: float = 0.0
    gpt: float = 0.0
    bytes: int = 0

    def __post_init__(self) -> None:
        _POSITIONS.check("positions", self.positions)


@dataclass(frozen=True)
class _Evaluated:
    """A line of an evaluation."""

    step: int
    heldout: _Loss

    def __post_init__(self) -> None:
        check("step", self.step)


class CheckedLines:
    """Checks the lines of a log, one after the other."""

    def __init__(self) -> None:
        self._before = {_Trained: 0, _Evaluated: 0}

    def take(self, text: bytes) -> dict[str, Any]:
        """Return the next line as a dictionary.

        Raises:
            UsageError: it is not of its type, or its step is out of order.
        """
        line: dict[str, Any] = schema.parse(text)
        is_heldout = type(line) is dict and "heldout" in line
        kind = _Evaluated if is_heldout else _Trained
        step = schema.convert(kind, line).step
        before = self._before[kind]
        # Evaluations may share a step.
        if step < before + (kind is _Trained):
            raise schema.Foreign(f"step {step} comes after step {before}")
        self._before[kind] = step
        return line


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a log as dictionaries.

    Raises:
        RunError: a line is not of its type, or its step is out of order.
    """
    check_file(path)
    try:
        *whole, last = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return
    checked = CheckedLines()
    for number, text in enumerate([*whole, last], start=1):
        try:
            line = checked.take(text)
        except UsageError as error:
            if number > len(whole):
                return  # it has no line end: a crash may have cut it short
            raise RunError(
                f"{path}: line {number}: damaged or foreign ({error}). "
                "Take that line out: the run can do without it."
            ) from None
        yield line
