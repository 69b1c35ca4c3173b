"""How a training is told while it runs: a bar on a terminal, lines on a pipe, JSON for programs.

In: the events of a `Session`. Out: what a person, or a program, wants to know of them.
"""

from __future__ import annotations

import time
from typing import Protocol

import numpy as np
from rich.console import Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column
from rich.text import Text

from microgpt.cli.terminal.show import sample_words, say, say_json, say_lines, spark, stdout, width
from microgpt.loss import LossSum
from microgpt.runs.log import Gathered, heldout_line
from microgpt.runs.session import Session
from microgpt.sampling import Choice, take
from microgpt.training.heldout import HeldOut
from microgpt.training.loop import Step, Steps
from microgpt.wording import MIXED, figures, short


class Reporter(Protocol):
    """Shows events, between its entry and its exit."""

    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> None: ...
    def show(self, event: Steps | HeldOut) -> None:
        """Take one event in."""
        ...


class Lines:
    """`step 100: loss 2.8901  ...`, a line now and then: what a pipe gets.

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
        self._told: int = 0
        self._last: Step | None = None

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._due = self._due or self._last
        if kind is None:
            self._flush()

    def show(self, event: Steps | HeldOut) -> None:
        """Take one event in; a line waits for the evaluation that may belong to it."""
        if isinstance(event, HeldOut):
            self._flush(event)
            return
        if self._last is None:
            self._from = event[0].seconds
        begin = 0
        while begin < len(event):
            self._flush()
            due = self._next_due(event, begin)
            stop = len(event) if due is None else due + 1
            self._sum = event.sums[begin:stop].after(self._sum)
            self._last = event[stop - 1]
            self._due = None if due is None else self._last
            begin = stop

    def _next_due(self, steps: Steps, begin: int) -> int | None:
        """Return the place of the next step that has a line, from a place on; None: none has."""
        if self._every:
            following = steps.first + begin
            is_first = following == 1
            due = begin if is_first else -(-following // self._every) * self._every - steps.first
        else:
            waited_K = steps.seconds_K[begin:] - self._from
            due = begin + int(np.searchsorted(waited_K, self._every_seconds))
        return due if due < len(steps) else None

    def _flush(self, heldout: HeldOut | None = None) -> None:
        """Write the line that is due, or one for an evaluation between two of these."""
        step = self._due or (self._last if heldout else None)
        if step is None or step.step == self._told:
            return
        seconds = step.seconds - self._from
        # What stands beside the loss of training is the GPT's too; the mixture's has its own name.
        parts = [f"val {figures(heldout.own.mean)}"] if heldout else []
        parts += [f"{MIXED} {figures(heldout.sum.mean)}"] if heldout and heldout.gpt else []
        parts += [f"{figures(self._sum.bits, 2)} bits", f"lr {figures(step.lr)}"]
        parts += [f"{short(self._sum.positions / seconds)} tok/s"] if seconds > 0 else []
        say(f"step {step.step}: loss {figures(self._sum.mean)}  {' · '.join(parts)}")
        self._told = step.step
        if self._due:
            self._sum, self._from, self._due = LossSum(), step.seconds, None


class JsonLines:
    """The lines of log.jsonl as they come."""

    def __init__(self, session: Session) -> None:
        # A resumed training takes up the line that was not due yet.
        self._gathered = Gathered(session.settings.log_every, session.recorder.log.pending)

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        say_lines(self._gathered.settle())

    def show(self, event: Steps | HeldOut) -> None:
        """Take one event in."""
        if isinstance(event, HeldOut):
            say_json(heldout_line(event))
        else:
            say_lines(self._gathered.take(event))


# The smoothed loss forgets half of what it knows in about so many positions.
_HALF_LIFE = 500
_SAMPLE_SECONDS = 1.5
_SPARKS = 24


class Bar:
    """A bar with step, smoothed loss, held-out loss, speed and time left; a curve; samples."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._nats = self._weight = 0.0
        self._points: list[float] = []
        self._heldout = ""
        self._samples = ""
        self._sampled = time.perf_counter()
        self._first: Step | None = None
        self._positions = 0
        columns = (
            TextColumn(
                "step {task.fields[step]:>5}", table_column=Column(no_wrap=True, min_width=10)
            ),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[words]}"),
        )
        self._progress = Progress(*columns, expand=True)
        self._task = self._progress.add_task("", total=1.0, step=0, words="")
        self._live = Live(self._render(), console=stdout(), refresh_per_second=10)

    def __enter__(self) -> Bar:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.update(self._render())
        self._live.__exit__(*error)  # type: ignore[arg-type]

    def show(self, event: Steps | HeldOut) -> None:
        """Take one event in."""
        if isinstance(event, HeldOut):
            mixed = f" · {MIXED} {figures(event.sum.mean, 2)}" if event.gpt else ""
            self._heldout = f" · held out {figures(event.own.mean, 2)}{mixed}"
            return
        positions_K = event.sums.positions_K
        # What is left at the end of the chunk of what each step brought, and of all before.
        left_K = 0.5 ** (positions_K[::-1].cumsum()[::-1] / _HALF_LIFE)
        gained_K = np.append(left_K[1:], 1.0) - left_K
        self._nats = float(left_K[0] * self._nats + gained_K @ event.sums.means_K)
        self._weight = float(left_K[0] * self._weight + gained_K.sum())
        if self._first is None:
            self._first = event[0]
            self._positions -= int(positions_K[0])
        self._positions += int(positions_K.sum())
        self._draw(event[-1])

    def _draw(self, step: Step) -> None:
        training, first = self._session.training, self._first or step
        loss = self._nats / self._weight
        done = step.step / training.steps if training.steps else 0.0
        if training.seconds:
            done = max(done, min(step.seconds / training.seconds, 1.0))
        spent = step.seconds - first.seconds
        speed = f" · {short(self._positions / spent)} char/s" if spent > 0 else ""
        steps_left = (training.steps - step.step) if training.steps else float("inf")
        left = spent / max(step.step - first.step, 1) * steps_left
        if training.seconds:
            left = min(left, max(training.seconds - step.seconds, 0.0))
        words = f"loss {figures(loss, 2)} (smoothed){self._heldout}{speed} · {left:.0f} s left"
        if len(words) > width() - 20:
            words = f"loss {figures(loss, 2)} · {left:.0f} s left"
        self._progress.update(self._task, completed=done, step=step.step, words=words)
        if len(self._points) < done * _SPARKS:
            self._points.append(loss)
        now = time.perf_counter()
        if now - self._sampled > _SAMPLE_SECONDS:
            session = self._session
            choice = Choice(seed=step.step)
            drawn = take(
                session.trainer.predictor, session.tokenizer, session.model.block_size, choice, 4
            )
            self._samples = sample_words([sample.text for sample in drawn], [False] * 4)
            self._sampled = time.perf_counter()
        self._live.update(self._render())

    def _render(self) -> Group:
        points = self._points or [0.0]
        curve = spark(self._points, min(points), max(points))
        # Not padded to the full width: a Ctrl-C's "^C" would begin a new line and upset the redraw.
        line = Text(f"           {curve}   {self._samples}", no_wrap=True, overflow="crop")
        line.truncate(max(1, width() - 4))
        return Group(self._progress, line)
