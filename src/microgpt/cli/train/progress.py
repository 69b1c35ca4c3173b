"""The output of a training on a pipe while it runs: lines for people, JSON for programs.

In: the events of a `Session`. Out: lines. `bar` is for a terminal.
"""

from __future__ import annotations

import sys
from typing import Protocol

import numpy as np

from microgpt.cli.terminal.say import say, say_json, say_lines
from microgpt.loss import LossSum
from microgpt.runs.log import Gathered, heldout_line
from microgpt.runs.session import Session
from microgpt.training.heldout import HeldOut
from microgpt.training.loop import Step, Steps
from microgpt.wording import figures, heldout, short


class Reporter(Protocol):
    """Shows events; it is a context manager."""

    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, event: Steps | HeldOut) -> None:
        """Show an event."""
        ...


class Lines:
    """For people: `step 100: loss 2.8901  ...`, a line for several steps.

    Args:
        session: the training.
        every: steps a line; None: about ten lines in all.
    """

    def __init__(self, session: Session, every: int | None) -> None:
        training = session.training
        self._every = every
        if every is None and training.steps:
            self._every = max(1, training.steps // 10)
        self._every_seconds = (training.seconds or 0.0) / 10
        self._sum, self._from = LossSum(), 0.0
        self._due: Step | None = None
        self._shown: int = 0
        self._last: Step | None = None

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._due = self._due or self._last
        if kind is None:
            self._flush()
            sys.stdout.flush()

    def show(self, event: Steps | HeldOut) -> None:
        """Show an event: print the lines that are complete, all at once."""
        if isinstance(event, HeldOut):
            self._flush(event)
        else:
            self._take(event)
        sys.stdout.flush()

    def _take(self, event: Steps) -> None:
        """Add up steps; a line waits for the evaluation that may belong to it."""
        if self._last is None:
            self._from = event[0].seconds
        if self._every == 1:
            self._take_each(event)
            return
        begin = 0
        while begin < len(event):
            self._flush()
            due = self._next_due(event, begin)
            stop = len(event) if due is None else due + 1
            self._sum = event.sums[begin:stop].after(self._sum)
            self._last = event[stop - 1]
            self._due = None if due is None else self._last
            begin = stop

    def _take_each(self, event: Steps) -> None:
        """Write the lines of a chunk in which each step has one, but for the last step's."""
        self._flush()
        *whole, last = event
        lines: list[str] = []
        for step in whole:
            lines.append(_line(step, step.sum, step.seconds - self._from))
            self._from = step.seconds
        if lines:
            say("\n".join(lines), at_once=False)
        self._sum, self._last, self._due = last.sum, last, last

    def _next_due(self, steps: Steps, begin: int) -> int | None:
        """Return the index of the next step with a line, from `begin` on; None: there is none."""
        if self._every:
            following = steps.first + begin
            is_first = following == 1
            due = begin if is_first else -(-following // self._every) * self._every - steps.first
        else:
            waited_K = steps.seconds_K[begin:] - self._from
            due = begin + int(np.searchsorted(waited_K, self._every_seconds))
        return due if due < len(steps) else None

    def _flush(self, measured: HeldOut | None = None) -> None:
        """Write the line that is due, or one for an evaluation between two of these."""
        step = self._due or (self._last if measured else None)
        if step is None or step.step == self._shown:
            return
        say(_line(step, self._sum, step.seconds - self._from, measured), at_once=False)
        self._shown = step.step
        if self._due:
            self._sum, self._from, self._due = LossSum(), step.seconds, None


def _line(step: Step, total: LossSum, seconds: float, measured: HeldOut | None = None) -> str:
    """Return a step's line: the mean loss of all steps since the last line, their speed."""
    # The training loss is the GPT's, so is the first held-out loss; the mixture's has its name.
    mixed = measured.sum.mean if measured and measured.gpt else None
    parts = [heldout("val", measured.own.mean, mixed)] if measured else []
    parts += [f"{figures(total.bits, 2)} bits", f"lr {figures(step.lr)}"]
    parts += [f"{short(total.positions / seconds)} tok/s"] if seconds > 0 else []
    return f"step {step.step}: loss {figures(total.mean)}  {' · '.join(parts)}"


class JsonLines:
    """For programs: the lines of log.jsonl."""

    def __init__(self, session: Session) -> None:
        # A resumed training continues the line that was not complete.
        self._gathered = Gathered(session.settings.log_every, session.recorder.log.pending)

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        say_lines(self._gathered.settle())

    def show(self, event: Steps | HeldOut) -> None:
        """Show an event."""
        if isinstance(event, HeldOut):
            say_json(heldout_line(event))
        else:
            say_lines(self._gathered.take(event))
